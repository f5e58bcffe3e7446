# Plans against a mocked provider: what the module makes of a catalogue entry. No account, no network.
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

run "a_zip_of_the_warm_class" {
  command = plan

  assert {
    condition = (
      aws_lambda_function.function.function_name == "prism-dev-euw1-ingest-s0" &&
      aws_lambda_function.function.s3_key == "functions/ingest/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.zip" &&
      aws_lambda_function.function.s3_bucket == "prism-dev-euw1-artifacts-111122223333" &&
      aws_lambda_function.function.runtime == "provided.al2023" &&
      aws_lambda_function.function.handler == "bootstrap" &&
      aws_lambda_function.function.architectures == tolist(["arm64"]) &&
      aws_lambda_function.function.publish
    )
    error_message = "A zip is taken by digest from the artifact bucket, with the catalogue's defaults."
  }
  assert {
    condition = (
      aws_lambda_function.function.tracing_config[0].mode == "Active" &&
      aws_lambda_function.function.code_signing_config_arn == var.runtime.code_signing_config_arn &&
      aws_lambda_function.function.kms_key_arn == var.runtime.keys.data &&
      aws_lambda_function.function.vpc_config[0].subnet_ids == toset(var.runtime.network.subnet_ids) &&
      aws_lambda_function.function.file_system_config[0].local_mount_path == "/mnt/hot" &&
      length(aws_lambda_function.function.dead_letter_config) == 0
    )
    error_message = "Tracing, signing, key, network and mount."
  }
  assert {
    condition = (
      aws_cloudwatch_log_group.function.name == "/prism/dev/euw1/function/ingest/ingest-s0" &&
      aws_cloudwatch_log_group.function.kms_key_id == var.runtime.keys.logs &&
      aws_cloudwatch_log_group.function.retention_in_days == 30 &&
      aws_lambda_function.function.logging_config[0].log_group == aws_cloudwatch_log_group.function.name &&
      aws_lambda_function.function.logging_config[0].log_format == "JSON"
    )
    error_message = "The log group is the module's own, encrypted and with a retention."
  }
  assert {
    condition = (
      aws_lambda_function.function.environment[0].variables == tomap({
        PRISM_ENVIRONMENT       = "dev"
        PRISM_FUNCTION          = "ingest"
        PRISM_HOT_URL           = "efs:///mnt/hot"
        PRISM_INGEST_LEASE_S    = "60"
        PRISM_LOG_LEVEL         = "debug"
        PRISM_META_READER_URL   = "postgresql://prism@reader.euw1.dev.prism.internal:5432/prism"
        PRISM_META_URL          = "postgresql://prism@proxy.euw1.dev.prism.internal:5432/prism"
        PRISM_METRICS_NAMESPACE = "Prism/prism-dev-euw1"
        PRISM_REGION            = "eu-west-1"
        PRISM_SERVICE           = "ingest"
        PRISM_SHARD             = "s0"
        PRISM_TABLES_URL        = "dynamodb://prism-dev-"
        PRISM_TENANT_ROLE_ARN   = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
        PRISM_TMP               = "/tmp"
        PRISM_TRACES_URL        = "xray"
      })
    )
    error_message = "The environment is exactly this: ${jsonencode(aws_lambda_function.function.environment[0].variables)}"
  }
  assert {
    condition = (
      aws_lambda_function.function.reserved_concurrent_executions == 16 &&
      aws_lambda_provisioned_concurrency_config.live["this"].provisioned_concurrent_executions == 2 &&
      aws_appautoscaling_target.live["this"].min_capacity == 2 &&
      aws_appautoscaling_target.live["this"].max_capacity == 16 &&
      aws_appautoscaling_target.live["this"].resource_id == "function:prism-dev-euw1-ingest-s0:live" &&
      aws_appautoscaling_policy.live["this"].target_tracking_scaling_policy_configuration[0].target_value == 0.7
    )
    error_message = "The warm class is kept warm between the catalogue's bounds."
  }
  assert {
    condition     = length(aws_sqs_queue.dead_letter) == 0 && length(aws_scheduler_schedule.function) == 0 && output.function.dead_letter_queue_arn == null
    error_message = "What is called synchronously has no dead letters."
  }
}

run "an_image_from_zero_on_schedules" {
  command = plan

  variables {
    name     = "storage"
    artifact = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "image" }
    spec = {
      service      = "storage"
      description  = "Seal, compact, retain."
      package      = "image"
      memory_mb    = 3008
      ephemeral_mb = 4096
      timeout_s    = 900
      concurrency  = { class = "from-zero", min = 0, max = 2, queue = 64 }
      vpc          = true
      hot_mount    = true
      stores       = { "hot" = "read-remove", "segments" = "read-write", "analytics" = "read", "secrets" = "read" }
      schedules = [
        { name = "seal", rate_s = 60, input = { op = "seal" } },
        { name = "compact", rate_s = 3600, input = { op = "compact", depth = 2 } },
        { name = "retain", rate_s = 3600, input = { op = "retain" }, workflow = "data-lifecycle" },
      ]
      asynchronous = { retries = 1, max_age_s = 3600, dead_letter = true }
    }
  }

  assert {
    condition = (
      aws_lambda_function.function.package_type == "Image" &&
      aws_lambda_function.function.image_uri == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prism-dev/storage@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" &&
      aws_lambda_function.function.s3_key == null && aws_lambda_function.function.runtime == null && aws_lambda_function.function.handler == null &&
      aws_lambda_function.function.code_signing_config_arn == null &&
      aws_lambda_function.function.ephemeral_storage[0].size == 4096
    )
    error_message = "An image is taken by digest; what only a zip has is absent."
  }
  assert {
    condition     = length(aws_lambda_provisioned_concurrency_config.live) + length(aws_appautoscaling_target.live) == 0 && aws_lambda_function.function.reserved_concurrent_executions == 2
    error_message = "Class from-zero has a limit and nothing provisioned."
  }
  assert {
    condition = (
      aws_sqs_queue.dead_letter["this"].message_retention_seconds == 1209600 &&
      aws_sqs_queue.dead_letter["this"].kms_master_key_id == var.runtime.keys.data &&
      aws_sqs_queue.dead_letter["this"].name == "prism-dev-euw1-storage-s0-dead-letter" &&
      aws_lambda_function.function.dead_letter_config[0].target_arn == aws_sqs_queue.dead_letter["this"].arn &&
      aws_lambda_function_event_invoke_config.live["this"].qualifier == "live" &&
      aws_lambda_function_event_invoke_config.live["this"].maximum_retry_attempts == 1 &&
      aws_lambda_function_event_invoke_config.live["this"].maximum_event_age_in_seconds == 3600 &&
      aws_lambda_function_event_invoke_config.live["this"].destination_config[0].on_failure[0].destination == aws_sqs_queue.dead_letter["this"].arn
    )
    error_message = "Events that could not be handled end in the function's own queue, encrypted, for two weeks."
  }
  assert {
    condition = (
      aws_scheduler_schedule.function["seal"].schedule_expression == "rate(1 minute)" &&
      aws_scheduler_schedule.function["compact"].schedule_expression == "rate(60 minutes)" &&
      aws_scheduler_schedule.function["compact"].target[0].arn == aws_lambda_alias.live.arn &&
      jsondecode(aws_scheduler_schedule.function["compact"].target[0].input) == { op = "compact", depth = 2 } &&
      aws_scheduler_schedule.function["seal"].target[0].retry_policy[0].maximum_event_age_in_seconds == 60 &&
      aws_scheduler_schedule.function["seal"].target[0].dead_letter_config[0].arn == aws_sqs_queue.dead_letter["this"].arn
    )
    error_message = "Schedules call the alias, at the catalogue's rate and with its input."
  }
  assert {
    condition     = keys(aws_scheduler_schedule.function) == ["compact", "seal"]
    error_message = "What a workflow does has no schedule of its own."
  }
  assert {
    condition = (
      jsondecode(aws_iam_role.scheduler["this"].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceArn"] ==
      "arn:aws:scheduler:eu-west-1:111122223333:schedule-group/prism-dev-euw1-storage-s0" &&
      aws_iam_role.scheduler["this"].permissions_boundary == var.runtime.boundary_arn &&
      one([for s in jsondecode(aws_iam_role_policy.scheduler["this"].policy).Statement : s.Resource if s.Sid == "Call"]) ==
      ["arn:aws:lambda:eu-west-1:111122223333:function:prism-dev-euw1-storage-s0:live"]
    )
    error_message = "The schedules' role is for this group and for this alias."
  }
}

run "concurrency_of_an_environment" {
  command = plan

  variables {
    runtime = {
      network                 = { subnet_ids = ["subnet-a"], security_group_ids = ["sg-1"] }
      keys                    = { data = "arn:aws:kms:eu-west-1:111122223333:key/data", logs = "arn:aws:kms:eu-west-1:111122223333:key/logs", secrets = "x", database = "x" }
      boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
      tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
      code_signing_config_arn = ""
      artifact_bucket         = "artifacts"
      image_registry          = "registry"
      log_retention_days      = 7
      environment             = {}
      concurrency = {
        ingest = {
          provisioned_min = 4
          provisioned_max = 40
          reserved        = 50
          schedule = {
            day   = { cron = "0 6 * * ? *", min = 10, max = 50 }
            night = { cron = "cron(0 20 * * ? *)", min = 4, max = 40 }
          }
        }
      }
    }
  }

  assert {
    condition = (
      aws_lambda_function.function.reserved_concurrent_executions == 50 &&
      aws_appautoscaling_target.live["this"].min_capacity == 4 && aws_appautoscaling_target.live["this"].max_capacity == 40 &&
      aws_appautoscaling_scheduled_action.live["day"].schedule == "cron(0 6 * * ? *)" &&
      aws_appautoscaling_scheduled_action.live["night"].schedule == "cron(0 20 * * ? *)" &&
      aws_appautoscaling_scheduled_action.live["day"].scalable_target_action[0].min_capacity == "10"
    )
    error_message = "An environment may move the catalogue's numbers."
  }
  assert {
    condition     = aws_lambda_function.function.code_signing_config_arn == null
    error_message = "Signing is off where the region has no configuration for it."
  }
}

run "nothing_provisioned_when_an_environment_says_zero" {
  command = plan

  variables {
    runtime = {
      network                 = { subnet_ids = ["subnet-a"], security_group_ids = ["sg-1"] }
      keys                    = { data = "arn:aws:kms:eu-west-1:111122223333:key/data", logs = "arn:aws:kms:eu-west-1:111122223333:key/logs", secrets = "x", database = "x" }
      boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
      tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
      code_signing_config_arn = ""
      artifact_bucket         = "artifacts"
      image_registry          = "registry"
      log_retention_days      = 7
      environment             = {}
      concurrency             = { ingest = { provisioned_min = 0 } }
    }
  }

  assert {
    condition     = length(aws_lambda_provisioned_concurrency_config.live) + length(aws_appautoscaling_target.live) + length(aws_appautoscaling_scheduled_action.live) == 0
    error_message = "provisioned_min = 0 keeps nothing warm."
  }
}
