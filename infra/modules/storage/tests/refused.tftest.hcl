# Input that would lose data, money or the plan is refused in the plan.
mock_provider "aws" {
  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:eu-west-1:123456789012:backup-vault:mocked" }
  }
  mock_resource "aws_efs_access_point" {
    defaults = { arn = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-mocked" }
  }
  mock_resource "aws_efs_file_system" {
    defaults = { arn = "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-1", id = "fs-1", dns_name = "fs-1.efs.eu-west-1.amazonaws.com" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000001", key_id = "00000000-0000-0000-0000-000000000001" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:mocked", version = "1" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:mocked:live" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mocked" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:123456789012:mocked" }
  }
}

variables {
  context = {
    project     = "prism"
    environment = "dev"
    region      = "eu-west-1"
    code        = "euw1"
    partition   = "aws"
    dns_suffix  = "amazonaws.com"
    account_id  = "123456789012"
    prefix      = "prism-dev-euw1"
    path        = "/prism/dev/euw1"
    tags        = {}
  }
  network = {
    subnet_ids         = { data = ["subnet-a", "subnet-b", "subnet-c"] }
    security_group_ids = { efs = "sg-efs" }
    private_zone_id    = "Z0"
    private_zone_name  = "euw1.dev.prism.internal"
  }
  keys               = { data = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  log_retention_days = 30
  shards             = { "s0" = {}, "s7" = {} }
  replica_region     = "eu-central-1"
  lifecycle_spec     = jsondecode(file("../../../platform/lifecycle.json"))
  platform           = jsondecode(file("../../../platform/functions.json"))
  artifacts          = { storage = { kind = "image", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } }
  runtime = {
    stores = {
      hot        = { url = "efs:///mnt/hot", mount_path = "/mnt/hot", file_system_arn = "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-1", access_point_arns = { s0 = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0", s7 = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-7" } }
      segments   = { url = "s3://segments", arn = "arn:aws:s3:::segments" }
      analytics  = { url = "s3://analytics", arn = "arn:aws:s3:::analytics" }
      tables     = { url = "dynamodb://prism-dev", arns = { tenants = "arn:aws:dynamodb:eu-west-1:123456789012:table/prism-dev-tenants", keys = "arn:aws:dynamodb:eu-west-1:123456789012:table/prism-dev-keys", tenant_keys = "arn:aws:dynamodb:eu-west-1:123456789012:table/prism-dev-tenant-keys", idempotency = "arn:aws:dynamodb:eu-west-1:123456789012:table/prism-dev-idempotency", usage = "arn:aws:dynamodb:eu-west-1:123456789012:table/prism-dev-usage" } }
      meta       = { url = "postgresql://proxy", reader_url = "postgresql://reader", connect_arns = ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-1/prism"] }
      secrets    = { url = "secretsmanager://prism/dev/euw1/", arns = {} }
      parameters = { url = "ssm://prism/dev/euw1/config", arns = ["arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config", "arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config/*"] }
    }
    network                 = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
    keys                    = { data = "arn:aws:kms:eu-west-1:123456789012:key/1", logs = "arn:aws:kms:eu-west-1:123456789012:key/2", secrets = "arn:aws:kms:eu-west-1:123456789012:key/3", database = "arn:aws:kms:eu-west-1:123456789012:key/4" }
    boundary_arn            = "arn:aws:iam::123456789012:policy/boundary"
    tenant_access_role_arn  = "arn:aws:iam::123456789012:role/prism-dev-euw1-tenant"
    code_signing_config_arn = ""
    artifact_bucket         = "artifacts"
    image_registry          = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
    log_retention_days      = 30
    concurrency             = {}
    environment             = {}
  }
}

run "no_throughput" {
  command = plan
  variables {
    hot = { ingest_mib_per_s = 0 }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.hot]
}

run "negative_query_throughput" {
  command = plan
  variables {
    hot = { query_mib_per_s = -1 }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.hot]
}

run "more_throughput_than_efs_has" {
  command = plan
  variables {
    hot = { ingest_mib_per_s = 1800, query_mib_per_s = 0 }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [aws_efs_file_system.hot]
}

run "a_copy_of_the_file_system_to_nowhere" {
  command = plan
  variables {
    hot            = { replicate = true }
    replica_region = ""
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.hot]
}

run "a_copy_in_the_same_region" {
  command = plan
  variables {
    replica_region = "eu-west-1"
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.replica_region]
}

run "a_copy_in_no_region" {
  command = plan
  variables {
    replica_region = "moon"
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.replica_region]
}

run "two_mount_targets" {
  command = plan
  variables {
    network = {
      subnet_ids         = { data = ["subnet-a", "subnet-b"] }
      security_group_ids = { efs = "sg-efs" }
      private_zone_id    = "Z0"
      private_zone_name  = "euw1.dev.prism.internal"
    }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.network]
}

run "no_shards" {
  command = plan
  variables {
    shards = {}
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.shards]
}

run "a_shard_without_a_number" {
  command = plan
  variables {
    shards = { "blue" = {} }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.shards]
}

run "two_shards_with_one_number" {
  command = plan
  variables {
    shards = { "s1" = {}, "t1" = {} }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.shards]
}

run "no_retention_of_logs" {
  command = plan
  variables {
    log_retention_days = 0
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.log_retention_days]
}

run "another_version_of_the_file" {
  command = plan
  variables {
    lifecycle_spec = { version = 2, upkeep = { export_days = 30 }, classes = [] }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.lifecycle_spec]
}

run "a_class_twice" {
  command = plan
  variables {
    lifecycle_spec = { version = 1, upkeep = { export_days = 30 }, classes = [{ name = "a", datasets = ["*"], retention_days = 1, transitions = [] }, { name = "a", datasets = ["*"], retention_days = 1, transitions = [] }] }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.lifecycle_spec]
}

run "infrequent_access_before_day_30" {
  command = plan
  variables {
    lifecycle_spec = { version = 1, upkeep = { export_days = 30 }, classes = [{ name = "a", datasets = ["*"], retention_days = 365, transitions = [{ after_days = 29, storage_class = "STANDARD_IA" }] }] }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.lifecycle_spec]
}

run "a_class_that_cannot_be_read_at_once" {
  command = plan
  variables {
    lifecycle_spec = { version = 1, upkeep = { export_days = 30 }, classes = [{ name = "a", datasets = ["*"], retention_days = 365, transitions = [{ after_days = 30, storage_class = "DEEP_ARCHIVE" }] }] }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.lifecycle_spec]
}

run "leaving_infrequent_access_too_early" {
  command = plan
  variables {
    lifecycle_spec = { version = 1, upkeep = { export_days = 30 }, classes = [{ name = "a", datasets = ["*"], retention_days = 365, transitions = [{ after_days = 30, storage_class = "STANDARD_IA" }, { after_days = 59, storage_class = "GLACIER_IR" }] }] }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.lifecycle_spec]
}

run "steps_out_of_order" {
  command = plan
  variables {
    lifecycle_spec = { version = 1, upkeep = { export_days = 30 }, classes = [{ name = "a", datasets = ["*"], retention_days = 365, transitions = [{ after_days = 120, storage_class = "GLACIER_IR" }, { after_days = 30, storage_class = "STANDARD_IA" }] }] }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.lifecycle_spec]
}

run "deleting_before_glacier_is_paid_for" {
  command = plan
  variables {
    lifecycle_spec = { version = 1, upkeep = { export_days = 30 }, classes = [{ name = "a", datasets = ["*"], retention_days = 200, transitions = [{ after_days = 120, storage_class = "GLACIER_IR" }] }] }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.lifecycle_spec]
}

run "deleting_before_infrequent_access_is_paid_for" {
  command = plan
  variables {
    lifecycle_spec = { version = 1, upkeep = { export_days = 30 }, classes = [{ name = "a", datasets = ["*"], retention_days = 59, transitions = [{ after_days = 30, storage_class = "STANDARD_IA" }] }] }
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.lifecycle_spec]
}

run "a_scan_limit_below_athenas" {
  command = plan
  variables {
    athena_scan_bytes_max = 1000
  }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  expect_failures = [var.athena_scan_bytes_max]
}
