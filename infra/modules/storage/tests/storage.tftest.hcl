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

run "throughput_of_the_defaults" {
  command = plan
  assert {
    # (4 + (4 + 16) / 3) / 0.7 = 15.2
    condition     = aws_efs_file_system.hot.provisioned_throughput_in_mibps == 16 && aws_efs_file_system.hot.throughput_mode == "provisioned"
    error_message = "got ${aws_efs_file_system.hot.provisioned_throughput_in_mibps} MiB/s"
  }
}

run "throughput_follows_ingest_and_query" {
  command = plan
  variables { hot = { ingest_mib_per_s = 60, query_mib_per_s = 300 } }
  assert {
    # (60 + (60 + 300) / 3) / 0.7 = 257.1
    condition     = aws_efs_file_system.hot.provisioned_throughput_in_mibps == 258
    error_message = "got ${aws_efs_file_system.hot.provisioned_throughput_in_mibps} MiB/s"
  }
}

run "throughput_is_at_least_one" {
  command = plan
  variables { hot = { ingest_mib_per_s = 0.01, query_mib_per_s = 0 } }
  assert {
    condition     = aws_efs_file_system.hot.provisioned_throughput_in_mibps == 1
    error_message = "got ${aws_efs_file_system.hot.provisioned_throughput_in_mibps} MiB/s"
  }
}

run "the_most_that_efs_provisions" {
  command = plan
  variables { hot = { ingest_mib_per_s = 1792, query_mib_per_s = 0 } }
  assert {
    # 1792 * 4 / 3 / 0.7 = 3413.3
    condition     = aws_efs_file_system.hot.provisioned_throughput_in_mibps == 3414
    error_message = "got ${aws_efs_file_system.hot.provisioned_throughput_in_mibps} MiB/s"
  }
}

run "the_hot_store" {
  command = plan
  assert {
    condition     = aws_efs_file_system.hot.encrypted && aws_efs_file_system.hot.kms_key_id == var.keys.data && length(aws_efs_mount_target.hot) == 3
    error_message = "the file system must be encrypted with the data key and reachable in every zone"
  }
  assert {
    condition     = aws_efs_access_point.shard["s7"].root_directory[0].path == "/shards/s7" && aws_efs_access_point.shard["s7"].root_directory[0].creation_info[0].permissions == "2770" && aws_efs_access_point.shard["s7"].posix_user[0].uid == 10007 && aws_efs_access_point.shard["s7"].posix_user[0].gid == 10007
    error_message = "shard s7 must enter at its own folder as its own user"
  }
  assert {
    condition     = length(aws_efs_access_point.shard) == 2
    error_message = "access points are the shards' only"
  }
  assert {
    condition     = aws_route53_record.files.name == "files.euw1.dev.prism.internal"
    error_message = "got ${aws_route53_record.files.name}"
  }
}

run "a_shard_more_changes_no_other" {
  command = plan
  variables { shards = { "s0" = {}, "s3" = {}, "s7" = {} } }
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  assert {
    condition     = aws_efs_access_point.shard["s7"].posix_user[0].uid == 10007
    error_message = "ids depend on which other shards there are"
  }
}

run "buckets" {
  command = plan
  assert {
    condition     = toset(keys(aws_s3_bucket.this)) == toset(["segments", "analytics", "athena", "access-logs", "segments-replica", "analytics-replica", "access-logs-replica"])
    error_message = "got ${jsonencode(keys(aws_s3_bucket.this))}"
  }
  assert {
    condition     = alltrue([for name, bucket in aws_s3_bucket.this : bucket.region == (endswith(name, "-replica") ? "eu-central-1" : "eu-west-1")])
    error_message = "a bucket is in the wrong region"
  }
  assert {
    condition     = alltrue([for block in aws_s3_bucket_public_access_block.this : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets])
    error_message = "a bucket can be made public"
  }
  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "a bucket is not versioned"
  }
  assert {
    condition     = toset([for name, logging in aws_s3_bucket_logging.this : name]) == setsubtract(keys(aws_s3_bucket.this), ["access-logs", "access-logs-replica"])
    error_message = "a bucket does not log who reads it"
  }
  assert {
    condition     = aws_s3_bucket.this["segments"].bucket == "prism-dev-euw1-segments-123456789012" && aws_s3_bucket.this["segments"].force_destroy
    error_message = "got ${aws_s3_bucket.this["segments"].bucket}"
  }
}

run "encryption" {
  command = plan
  assert {
    condition     = [for rule in aws_s3_bucket_server_side_encryption_configuration.this["analytics"].rule : rule.apply_server_side_encryption_by_default[0].kms_master_key_id][0] == var.keys.data && [for rule in aws_s3_bucket_server_side_encryption_configuration.this["analytics"].rule : rule.bucket_key_enabled][0]
    error_message = "analytics must be encrypted with the data key, through a bucket key"
  }
  assert {
    condition     = alltrue([for name in ["segments", "analytics", "athena"] : contains([for statement in local.bucket_statements[name] : statement.Sid], "KmsOnly")])
    error_message = "a bucket takes objects that are encrypted otherwise"
  }
  assert {
    condition     = alltrue([for name, statements in local.bucket_statements : alltrue([for sid in ["TlsOnly", "Tls12", "OwnAccountOnly"] : contains([for statement in statements : statement.Sid], sid)])])
    error_message = "a bucket's policy lacks TLS or account"
  }
  assert {
    condition     = toset([for name, statements in local.bucket_statements : name if anytrue([for statement in statements : statement.Effect == "Allow"])]) == toset(["access-logs", "access-logs-replica"])
    error_message = "only log delivery is allowed by a bucket's policy"
  }
}

run "lifecycle_of_the_classes" {
  command = plan
  assert {
    condition     = toset([for rule in aws_s3_bucket_lifecycle_configuration.this["analytics"].rule : rule.id]) == toset(["upkeep", "exports", "class-logs", "class-metrics", "class-default"])
    error_message = "got ${jsonencode([for rule in aws_s3_bucket_lifecycle_configuration.this["analytics"].rule : rule.id])}"
  }
  assert {
    condition     = toset(flatten([for rule in aws_s3_bucket_lifecycle_configuration.this["analytics"].rule : [for step in rule.transition : "${step.days} ${step.storage_class}"] if rule.id == "class-logs"])) == toset(["30 STANDARD_IA", "120 GLACIER_IR"])
    error_message = "logs must move as platform/lifecycle.json says"
  }
  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.this["analytics"].rule : rule.filter[0].tag[0].key == "class" && "class-${rule.filter[0].tag[0].value}" == rule.id if startswith(rule.id, "class-")])
    error_message = "classes are told apart by the objects' tag"
  }
  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this["analytics"].rule : "${rule.filter[0].prefix} ${rule.expiration[0].days}" if rule.id == "exports"]) == "_exports/ 30"
    error_message = "exports must go after export_days, and nothing else"
  }
  assert {
    condition     = jsonencode([for rule in aws_s3_bucket_lifecycle_configuration.this["segments"].rule : rule.id]) == jsonencode(["upkeep"])
    error_message = "segments stay in Standard"
  }
  assert {
    condition     = alltrue([for configuration in aws_s3_bucket_lifecycle_configuration.this : anytrue([for rule in configuration.rule : try(rule.abort_incomplete_multipart_upload[0].days_after_initiation, 0) == 1])])
    error_message = "a bucket keeps uploads that were given up"
  }
  assert {
    condition     = alltrue(flatten([for name in ["segments", "analytics", "segments-replica", "analytics-replica"] : [for rule in aws_s3_bucket_lifecycle_configuration.this[name].rule : try(rule.expiration[0].expired_object_delete_marker, true) if rule.id != "exports"]]))
    error_message = "S3 must not expire what the catalog keeps"
  }
}

run "replication" {
  command = plan
  assert {
    condition     = toset(keys(aws_s3_bucket_replication_configuration.this)) == toset(["segments", "analytics"])
    error_message = "segments and analytics must be copied"
  }
  assert {
    condition     = alltrue([for configuration in aws_s3_bucket_replication_configuration.this : configuration.rule[0].status == "Enabled" && configuration.rule[0].delete_marker_replication[0].status == "Enabled" && configuration.rule[0].source_selection_criteria[0].sse_kms_encrypted_objects[0].status == "Enabled" && configuration.rule[0].destination[0].metrics[0].status == "Enabled"])
    error_message = "a copy must have deletions, encrypted objects and metrics"
  }
  assert {
    condition     = aws_kms_key.replica["this"].region == "eu-central-1" && aws_kms_key.replica["this"].enable_key_rotation
    error_message = "copies need a key of their region"
  }
  assert {
    condition     = length(aws_backup_plan.hot.rule) == 1 && length(aws_backup_vault.replica) == 1
    error_message = "backups are copied as well"
  }
}

run "no_copies_without_a_replica_region" {
  command = plan
  variables { replica_region = "" }
  assert {
    condition     = length(aws_kms_key.replica) == 0 && length(aws_s3_bucket_replication_configuration.this) == 0 && length(aws_iam_role.replication) == 0 && toset(keys(aws_s3_bucket.this)) == toset(["segments", "analytics", "athena", "access-logs"])
    error_message = "something is left in a region that nobody named"
  }
}

run "a_copy_of_the_file_system" {
  command = plan
  variables { hot = { replicate = true } }
  assert {
    condition     = aws_efs_file_system.replica["this"].encrypted && aws_efs_file_system.replica["this"].region == "eu-central-1" && length(aws_efs_replication_configuration.hot) == 1
    error_message = "the file system must be copied, encrypted"
  }
}

run "data_outlives_a_destruction_outside_of_dev" {
  command = plan
  variables {
    context = {
      project     = "prism"
      environment = "prod"
      region      = "eu-west-1"
      code        = "euw1"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      account_id  = "123456789012"
      prefix      = "prism-prod-euw1"
      path        = "/prism/prod/euw1"
      tags        = {}
    }
  }
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy]) && !aws_backup_vault.hot.force_destroy && !aws_athena_workgroup.analytics.force_destroy
    error_message = "prod data would go with its region"
  }
}

run "athena_and_glue" {
  command = plan
  assert {
    condition     = aws_athena_workgroup.analytics.configuration[0].enforce_workgroup_configuration && aws_athena_workgroup.analytics.configuration[0].bytes_scanned_cutoff_per_query == 107374182400 && aws_athena_workgroup.analytics.configuration[0].result_configuration[0].encryption_configuration[0].kms_key_arn == var.keys.data
    error_message = "a query could go around the workgroup's encryption or limit"
  }
  assert {
    condition     = aws_glue_catalog_table.analytics["logs"].parameters["storage.location.template"] == "s3://prism-dev-euw1-analytics-123456789012/$${tenant}/logs/date=$${date}/"
    error_message = "got ${aws_glue_catalog_table.analytics["logs"].parameters["storage.location.template"]}"
  }
  assert {
    condition     = aws_glue_catalog_table.analytics["traces"].parameters["projection.date.range"] == "NOW-31DAYS,NOW+2DAYS"
    error_message = "got ${aws_glue_catalog_table.analytics["traces"].parameters["projection.date.range"]}"
  }
  assert {
    condition     = alltrue([for table in aws_glue_catalog_table.analytics : table.parameters["projection.tenant.type"] == "injected" && table.storage_descriptor[0].columns[0].name == "time"])
    error_message = "each table needs a tenant and begins with time"
  }
  assert {
    condition     = output.glue_database == "prism_dev_euw1" && output.athena_workgroup == "prism-dev-euw1"
    error_message = "got ${output.glue_database} and ${output.athena_workgroup}"
  }
}

run "a_function_for_each_shard" {
  command = plan
  assert {
    condition     = jsonencode(keys(output.functions.storage)) == jsonencode(["s0", "s7"])
    error_message = "got ${jsonencode(keys(output.functions.storage))}"
  }
  assert {
    condition     = output.functions.storage["s7"].name == "prism-dev-euw1-storage-s7"
    error_message = "got ${output.functions.storage["s7"].name}"
  }
}

run "what_a_move_reads_in_other_regions" {
  command = plan
  variables {
    peers = { us-east-1 = "prism-dev-use1", ap-south-1 = "prism-dev-aps1" }
  }
  assert {
    condition = local.reads_elsewhere.storage.statements[0].actions == ["s3:GetObject"] && join(" ", local.reads_elsewhere.storage.statements[0].resources) == join(" ", [
      "arn:aws:s3:::prism-dev-aps1-analytics-123456789012/*/*.parquet",
      "arn:aws:s3:::prism-dev-aps1-segments-123456789012/*/*.parquet",
      "arn:aws:s3:::prism-dev-aps1-segments-123456789012/_moves/*",
      "arn:aws:s3:::prism-dev-use1-analytics-123456789012/*/*.parquet",
      "arn:aws:s3:::prism-dev-use1-segments-123456789012/*/*.parquet",
      "arn:aws:s3:::prism-dev-use1-segments-123456789012/_moves/*",
    ])
    error_message = "Tenants' data and what moves wrote down, in the two stores that the catalogue names, to read: ${jsonencode(local.reads_elsewhere)}"
  }
  assert {
    condition = length(local.reads_elsewhere.storage.statements) == 3 && jsonencode(local.reads_elsewhere.storage.statements[2]) == jsonencode({
      sid       = "PeerKeyUsEast1"
      actions   = ["kms:Decrypt"]
      resources = ["arn:aws:kms:us-east-1:123456789012:key/*"]
      condition = {
        StringEquals               = { "kms:ViaService" = ["s3.us-east-1.amazonaws.com"] }
        "ForAnyValue:StringEquals" = { "kms:ResourceAliases" = ["alias/prism-dev-use1-data"] }
      }
    })
    error_message = "The key of that region's data, through S3 there: ${jsonencode(local.reads_elsewhere.storage.statements)}"
  }
  assert {
    condition     = keys(local.reads_elsewhere) == ["storage"] && alltrue([for f in module.service.functions.storage : true])
    error_message = "Nobody else reads there."
  }
}

run "a_region_that_is_its_own_peer" {
  command = plan
  variables {
    peers = { eu-west-1 = "prism-dev-euw1" }
  }
  expect_failures = [var.peers]
}

run "policies" {
  command = apply
  override_module {
    target  = module.service
    outputs = { functions = {} }
  }
  assert {
    condition     = alltrue([for statement in jsondecode(aws_efs_file_system_policy.hot.policy).Statement : statement.Effect == "Deny"]) && toset([for statement in jsondecode(aws_efs_file_system_policy.hot.policy).Statement : statement.Sid]) == toset(["TlsOnly", "AccessPointsOnly", "NobodyIsRoot", "RolesOfThisAccountOnly"])
    error_message = "got ${aws_efs_file_system_policy.hot.policy}"
  }
  assert {
    condition     = !anytrue(flatten([for policy in [aws_iam_role_policy.backup.policy, aws_iam_role_policy.replication["this"].policy] : [for statement in jsondecode(policy).Statement : concat([for action in flatten([statement.Action]) : strcontains(action, "*")], [for resource in flatten([statement.Resource]) : resource == "*"])]]))
    error_message = "a role has a wildcard"
  }
  assert {
    condition     = aws_route53_record.files.records == toset(["fs-1.efs.eu-west-1.amazonaws.com"])
    error_message = "files must lead to the file system"
  }
}
