# What AWS would refuse during an apply, or what would be wrong without anybody noticing, is refused in the plan.
mock_provider "aws" {
  override_during = plan

  mock_resource "aws_lambda_function" {
    defaults = {
      arn     = "arn:aws:lambda:eu-west-1:111122223333:function:prism-dev-euw1-x"
      version = "1"
    }
  }
  mock_resource "aws_lambda_alias" {
    defaults = {
      arn        = "arn:aws:lambda:eu-west-1:111122223333:function:prism-dev-euw1-x:live"
      invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:prism-dev-euw1-x:live/invocations"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/prism-dev-euw1-fn-x" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-west-1:111122223333:prism-dev-euw1-x-dead-letter"
      url = "https://sqs.eu-west-1.amazonaws.com/111122223333/prism-dev-euw1-x-dead-letter"
    }
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
    account_id  = "111122223333"
    prefix      = "prism-dev-euw1"
    path        = "/prism/dev/euw1"
    tags        = {}
  }

  name     = "ingest"
  shard    = "s0"
  artifact = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }

  spec = {
    service     = "ingest"
    description = "Records to durable hot frames."
    package     = "zip"
    memory_mb   = 512
    timeout_s   = 28
    concurrency = { class = "warm", min = 2, max = 16, queue = 2048 }
    vpc         = true
    hot_mount   = true
    stores      = { "hot" = "append", "tables.idempotency" = "read-write", "meta" = "read" }
    environment = { PRISM_INGEST_LEASE_S = "60" }
  }

  catalogue = {
    defaults = { architecture = "arm64", runtime = "provided.al2023", handler = "bootstrap", log_level = "info", tracing = "active" }
    stores = {
      hot        = { env = "PRISM_HOT_URL", kind = "hot" }
      segments   = { env = "PRISM_SEGMENTS_URL", kind = "objects" }
      analytics  = { env = "PRISM_ANALYTICS_URL", kind = "objects" }
      tables     = { env = "PRISM_TABLES_URL", kind = "tables", tables = ["tenants", "keys", "tenant_keys", "idempotency", "audit"] }
      meta       = { env = "PRISM_META_URL", kind = "metadata" }
      secrets    = { env = "PRISM_SECRETS_URL", kind = "secrets" }
      parameters = { env = "PRISM_PARAMETERS_URL", kind = "parameters" }
    }
  }

  stores = {
    hot = {
      url               = "efs:///mnt/hot"
      mount_path        = "/mnt/hot"
      file_system_arn   = "arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/fs-1"
      access_point_arns = { s0 = "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-00000000000000000" }
    }
    segments  = { url = "s3://prism-dev-euw1-segments", arn = "arn:aws:s3:::prism-dev-euw1-segments" }
    analytics = { url = "s3://prism-dev-euw1-analytics", arn = "arn:aws:s3:::prism-dev-euw1-analytics" }
    tables = {
      url = "dynamodb://prism-dev-"
      arns = {
        tenants     = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-tenants"
        keys        = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-keys"
        tenant_keys = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-tenant_keys"
        shards      = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-shards"
        idempotency = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-idempotency"
        audit       = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-audit"
      }
      key_arns = ["arn:aws:kms:eu-west-1:111122223333:key/tables"]
    }
    meta = {
      url          = "postgresql://prism@proxy.euw1.dev.prism.internal:5432/prism"
      reader_url   = "postgresql://prism@reader.euw1.dev.prism.internal:5432/prism"
      connect_arns = ["arn:aws:rds-db:eu-west-1:111122223333:dbuser:prx-1/prism"]
    }
    secrets = {
      url  = "secretsmanager://prism/dev/euw1/"
      arns = { api_key_pepper = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/euw1/api-key-pepper-AbCdEf" }
    }
    parameters = { url = "ssm://prism/dev/euw1/config", arns = ["arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config", "arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config/*"] }
  }

  runtime = {
    network = { subnet_ids = ["subnet-a", "subnet-b", "subnet-c"], security_group_ids = ["sg-1"] }
    keys = {
      data     = "arn:aws:kms:eu-west-1:111122223333:key/data"
      logs     = "arn:aws:kms:eu-west-1:111122223333:key/logs"
      secrets  = "arn:aws:kms:eu-west-1:111122223333:key/secrets"
      database = "arn:aws:kms:eu-west-1:111122223333:key/database"
    }
    boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
    tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
    code_signing_config_arn = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0f6c334abcdea4d8b"
    artifact_bucket         = "prism-dev-euw1-artifacts-111122223333"
    image_registry          = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
    log_retention_days      = 30
    concurrency             = {}
    environment             = { PRISM_LOG_LEVEL = "debug" }
  }
}

run "a_package_of_another_kind" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "jar"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "no_description" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = ""
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "too_little_memory" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 64
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "too_much_memory" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 10241
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "half_a_megabyte" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 128.5
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "a_timeout_of_zero" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 0
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "a_timeout_above_fifteen_minutes" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 901
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "too_little_disk" {
  command = plan

  variables {
    spec = {
      service      = "ingest"
      description  = "Records."
      package      = "zip"
      memory_mb    = 512
      timeout_s    = 28
      concurrency  = { class = "warm", min = 2, max = 16 }
      vpc          = true
      hot_mount    = true
      stores       = { "hot" = "append" }
      ephemeral_mb = 256
    }
  }

  expect_failures = [var.spec]
}

run "too_much_disk" {
  command = plan

  variables {
    spec = {
      service      = "ingest"
      description  = "Records."
      package      = "zip"
      memory_mb    = 512
      timeout_s    = 28
      concurrency  = { class = "warm", min = 2, max = 16 }
      vpc          = true
      hot_mount    = true
      stores       = { "hot" = "append" }
      ephemeral_mb = 10241
    }
  }

  expect_failures = [var.spec]
}

run "an_unknown_class" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "hot", min = 0, max = 1 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "more_kept_than_allowed" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 3, max = 2 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "kept_instances_from_zero" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "from-zero", min = 1, max = 2 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "no_instances" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 0, max = 0 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "a_mount_outside_of_the_vpc" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = false
      hot_mount   = true
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [var.spec]
}

run "a_schedule_within_the_minute" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
      schedules   = [{ name = "seal", rate_s = 30, input = {} }]
    }
  }

  expect_failures = [var.spec]
}

run "a_schedule_that_is_no_whole_minute" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
      schedules   = [{ name = "seal", rate_s = 90, input = {} }]
    }
  }

  expect_failures = [var.spec]
}

run "a_schedule_without_input" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
      schedules   = [{ name = "seal", rate_s = 60 }]
    }
  }

  expect_failures = [var.spec]
}

run "two_schedules_of_a_name" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append" }
      schedules   = [{ name = "seal", rate_s = 60, input = {} }, { name = "seal", rate_s = 120, input = {} }]
    }
  }

  expect_failures = [var.spec]
}

run "too_many_retries" {
  command = plan

  variables {
    spec = {
      service      = "ingest"
      description  = "Records."
      package      = "zip"
      memory_mb    = 512
      timeout_s    = 28
      concurrency  = { class = "warm", min = 2, max = 16 }
      vpc          = true
      hot_mount    = true
      stores       = { "hot" = "append" }
      asynchronous = { retries = 3 }
    }
  }

  expect_failures = [var.spec]
}

run "events_that_get_too_old" {
  command = plan

  variables {
    spec = {
      service      = "ingest"
      description  = "Records."
      package      = "zip"
      memory_mb    = 512
      timeout_s    = 28
      concurrency  = { class = "warm", min = 2, max = 16 }
      vpc          = true
      hot_mount    = true
      stores       = { "hot" = "append" }
      asynchronous = { max_age_s = 21601 }
    }
  }

  expect_failures = [var.spec]
}

run "a_name_with_capitals" {
  command = plan

  variables {
    name = "Ingest"
  }

  expect_failures = [var.name]
}

run "a_shard_that_ends_with_a_dash" {
  command = plan

  variables {
    shard = "shard-"
  }

  expect_failures = [var.shard]
}

run "a_digest_with_its_algorithm" {
  command = plan

  variables {
    artifact = { sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
  }

  expect_failures = [var.artifact]
}

run "an_artifact_of_an_unknown_kind" {
  command = plan

  variables {
    artifact = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "layer" }
  }

  expect_failures = [var.artifact]
}

run "a_retention_that_cloudwatch_does_not_have" {
  command = plan

  variables {
    runtime = {
      network = { subnet_ids = ["subnet-a", "subnet-b", "subnet-c"], security_group_ids = ["sg-1"] }
      keys = {
        data     = "arn:aws:kms:eu-west-1:111122223333:key/data"
        logs     = "arn:aws:kms:eu-west-1:111122223333:key/logs"
        secrets  = "arn:aws:kms:eu-west-1:111122223333:key/secrets"
        database = "arn:aws:kms:eu-west-1:111122223333:key/database"
      }
      boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
      tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
      code_signing_config_arn = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0f6c334abcdea4d8b"
      artifact_bucket         = "prism-dev-euw1-artifacts-111122223333"
      image_registry          = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
      log_retention_days      = 31
      concurrency             = {}
      environment             = {}
    }
  }

  expect_failures = [var.runtime]
}

run "extra_rights_over_everything" {
  command = plan

  variables {
    extra = { statements = [{ sid = "All", actions = ["s3:GetObject"], resources = ["*"] }] }
  }

  expect_failures = [var.extra]
}

run "extra_rights_of_every_kind" {
  command = plan

  variables {
    extra = { statements = [{ sid = "All", actions = ["s3:Get*"], resources = ["arn:aws:s3:::results/*"] }] }
  }

  expect_failures = [var.extra]
}

run "an_artifact_that_is_not_what_the_catalogue_says" {
  command = plan

  variables {
    artifact = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "image" }
  }

  expect_failures = [aws_lambda_function.function]
}

run "a_name_that_is_too_long" {
  command = plan

  variables {
    name  = "a-function-with-a-long-name"
    shard = null
    context = {
      project     = "prism"
      environment = "dev"
      region      = "eu-west-1"
      code        = "euw1"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      account_id  = "111122223333"
      prefix      = "prismandmuchmuchmorethanthat-staging-apse1"
      path        = "/prism/dev/euw1"
      tags        = {}
    }
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = false
      stores      = {}
    }
  }

  expect_failures = [var.name]
}

run "a_mount_without_a_shard" {
  command = plan

  variables {
    shard = null
  }

  expect_failures = [aws_lambda_function.function]
}

run "a_shard_without_an_access_point" {
  command = plan

  variables {
    shard = "s9"
  }

  expect_failures = [aws_lambda_function.function]
}

run "an_unknown_store" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append", "cold" = "read" }
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "an_unknown_table" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "tables.people" = "read" }
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "all_tables_at_once" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "tables" = "read" }
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "the_hot_store_without_a_mount" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = false
      stores      = { "hot" = "append" }
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "an_unknown_word" {
  command = plan

  variables {
    spec = {
      service     = "ingest"
      description = "Records."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "warm", min = 2, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "append", "meta" = "append" }
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "more_provisioned_than_reserved" {
  command = plan

  variables {
    runtime = {
      network = { subnet_ids = ["subnet-a", "subnet-b", "subnet-c"], security_group_ids = ["sg-1"] }
      keys = {
        data     = "arn:aws:kms:eu-west-1:111122223333:key/data"
        logs     = "arn:aws:kms:eu-west-1:111122223333:key/logs"
        secrets  = "arn:aws:kms:eu-west-1:111122223333:key/secrets"
        database = "arn:aws:kms:eu-west-1:111122223333:key/database"
      }
      boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
      tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
      code_signing_config_arn = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0f6c334abcdea4d8b"
      artifact_bucket         = "prism-dev-euw1-artifacts-111122223333"
      image_registry          = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
      log_retention_days      = 30
      concurrency             = { ingest = { reserved = 4, provisioned_max = 8 } }
      environment             = {}
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "fewer_provisioned_at_most_than_at_least" {
  command = plan

  variables {
    runtime = {
      network = { subnet_ids = ["subnet-a", "subnet-b", "subnet-c"], security_group_ids = ["sg-1"] }
      keys = {
        data     = "arn:aws:kms:eu-west-1:111122223333:key/data"
        logs     = "arn:aws:kms:eu-west-1:111122223333:key/logs"
        secrets  = "arn:aws:kms:eu-west-1:111122223333:key/secrets"
        database = "arn:aws:kms:eu-west-1:111122223333:key/database"
      }
      boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
      tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
      code_signing_config_arn = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0f6c334abcdea4d8b"
      artifact_bucket         = "prism-dev-euw1-artifacts-111122223333"
      image_registry          = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
      log_retention_days      = 30
      concurrency             = { ingest = { provisioned_min = 9, provisioned_max = 8 } }
      environment             = {}
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "a_schedule_above_the_limit" {
  command = plan

  variables {
    runtime = {
      network = { subnet_ids = ["subnet-a", "subnet-b", "subnet-c"], security_group_ids = ["sg-1"] }
      keys = {
        data     = "arn:aws:kms:eu-west-1:111122223333:key/data"
        logs     = "arn:aws:kms:eu-west-1:111122223333:key/logs"
        secrets  = "arn:aws:kms:eu-west-1:111122223333:key/secrets"
        database = "arn:aws:kms:eu-west-1:111122223333:key/database"
      }
      boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
      tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
      code_signing_config_arn = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0f6c334abcdea4d8b"
      artifact_bucket         = "prism-dev-euw1-artifacts-111122223333"
      image_registry          = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
      log_retention_days      = 30
      concurrency             = { ingest = { schedule = { day = { cron = "0 6 * * ? *", min = 2, max = 17 } } } }
      environment             = {}
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "a_setting_with_a_foreign_name" {
  command = plan

  variables {
    runtime = {
      network = { subnet_ids = ["subnet-a", "subnet-b", "subnet-c"], security_group_ids = ["sg-1"] }
      keys = {
        data     = "arn:aws:kms:eu-west-1:111122223333:key/data"
        logs     = "arn:aws:kms:eu-west-1:111122223333:key/logs"
        secrets  = "arn:aws:kms:eu-west-1:111122223333:key/secrets"
        database = "arn:aws:kms:eu-west-1:111122223333:key/database"
      }
      boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
      tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
      code_signing_config_arn = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0f6c334abcdea4d8b"
      artifact_bucket         = "prism-dev-euw1-artifacts-111122223333"
      image_registry          = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
      log_retention_days      = 30
      concurrency             = {}
      environment             = { AWS_REGION = "eu-west-2" }
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "an_environment_above_four_kilobytes" {
  command = plan

  variables {
    runtime = {
      network = { subnet_ids = ["subnet-a", "subnet-b", "subnet-c"], security_group_ids = ["sg-1"] }
      keys = {
        data     = "arn:aws:kms:eu-west-1:111122223333:key/data"
        logs     = "arn:aws:kms:eu-west-1:111122223333:key/logs"
        secrets  = "arn:aws:kms:eu-west-1:111122223333:key/secrets"
        database = "arn:aws:kms:eu-west-1:111122223333:key/database"
      }
      boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
      tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
      code_signing_config_arn = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0f6c334abcdea4d8b"
      artifact_bucket         = "prism-dev-euw1-artifacts-111122223333"
      image_registry          = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
      log_retention_days      = 30
      concurrency             = {}
      environment             = { PRISM_X = join("", [for i in range(400) : "0123456789"]) }
    }
  }

  expect_failures = [aws_lambda_function.function]
}

run "a_mount_that_lambda_does_not_offer" {
  command = plan

  variables {
    stores = {
      hot = {
        url               = "efs:///mnt/hot"
        mount_path        = "/hot"
        file_system_arn   = "arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/fs-1"
        access_point_arns = { s0 = "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-00000000000000000" }
      }
      segments  = { url = "s3://prism-dev-euw1-segments", arn = "arn:aws:s3:::prism-dev-euw1-segments" }
      analytics = { url = "s3://prism-dev-euw1-analytics", arn = "arn:aws:s3:::prism-dev-euw1-analytics" }
      tables = {
        url = "dynamodb://prism-dev-"
        arns = {
          tenants     = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-tenants"
          keys        = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-keys"
          tenant_keys = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-tenant_keys"
          shards      = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-shards"
          idempotency = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-idempotency"
          audit       = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-audit"
        }
        key_arns = ["arn:aws:kms:eu-west-1:111122223333:key/tables"]
      }
      meta = {
        url          = "postgresql://prism@proxy.euw1.dev.prism.internal:5432/prism"
        reader_url   = "postgresql://prism@reader.euw1.dev.prism.internal:5432/prism"
        connect_arns = ["arn:aws:rds-db:eu-west-1:111122223333:dbuser:prx-1/prism"]
      }
      secrets = {
        url  = "secretsmanager://prism/dev/euw1/"
        arns = { api_key_pepper = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/euw1/api-key-pepper-AbCdEf" }
      }
      parameters = { url = "ssm://prism/dev/euw1/config", arns = ["arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config", "arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config/*"] }
    }
  }

  expect_failures = [var.stores]
}
