# The functions of service ingest, from the real catalogue.
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
  platform = jsondecode(file("../../../platform/functions.json"))
  shards   = { s0 = {}, s1 = {} }

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

  artifacts = {
    ingest     = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    query      = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "image" }
    authorizer = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    keys       = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    audit      = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    workflows  = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    tenants    = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    catalog    = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "image" }
    schema     = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "image" }
  }

  runtime = {
    stores = {
      hot = {
        url             = "efs:///mnt/hot"
        mount_path      = "/mnt/hot"
        file_system_arn = "arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/fs-1"
        access_point_arns = {
          s0 = "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-00000000000000000"
          s1 = "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-11111111111111111"
        }
      }
      segments  = { url = "s3://prism-dev-euw1-segments", arn = "arn:aws:s3:::prism-dev-euw1-segments" }
      analytics = { url = "s3://prism-dev-euw1-analytics", arn = "arn:aws:s3:::prism-dev-euw1-analytics" }
      tables = {
        url = "dynamodb://prism-dev-"
        arns = {
          tenants     = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-tenants"
          keys        = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-keys"
          tenant_keys = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-tenant_keys"
          audit       = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-audit"
          audit_heads = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-audit_heads"
          usage       = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-usage"
          shards      = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-shards"
          idempotency = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-idempotency"
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

run "one_per_shard" {
  command = plan

  assert {
    condition     = keys(output.functions) == ["ingest"] && keys(output.functions.ingest) == ["s0", "s1"]
    error_message = "ingest exists once per shard."
  }
  assert {
    condition     = alltrue([for shard, f in output.functions.ingest : f.name == "prism-dev-euw1-ingest-${shard}" && f.concurrency_class == "warm" && f.dead_letter_queue_arn == null])
    error_message = "It is kept warm, and is called synchronously."
  }
}
