# Least privilege: the whole policy of a role, for every kind of store and word.
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

# Statement by statement, so that one that is added anywhere shows here.
run "the_policy_of_ingest" {
  command = plan

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s.Sid] == [
      "OwnLogGroup", "Trace", "OwnEnvironment", "SeeNetwork", "MakeInterface", "KeepInterface", "InterfacesAreNotForCode", "BecomeTenant",
      "Hot0", "Meta0", "TablesIdempotency0", "TablesIdempotency1", "TablesIdempotency2",
    ]
    error_message = "Statements: ${join(", ", [for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s.Sid])}"
  }
  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s.Sid => s.Resource if contains(["OwnLogGroup", "MakeInterface", "BecomeTenant", "Hot0", "Meta0", "TablesIdempotency0", "TablesIdempotency1", "TablesIdempotency2"], s.Sid) } == {
      OwnLogGroup = ["arn:aws:logs:eu-west-1:111122223333:log-group:/prism/dev/euw1/function/ingest/ingest-s0:*"]
      MakeInterface = [
        "arn:aws:ec2:eu-west-1:111122223333:network-interface/*",
        "arn:aws:ec2:eu-west-1:111122223333:subnet/subnet-a", "arn:aws:ec2:eu-west-1:111122223333:subnet/subnet-b", "arn:aws:ec2:eu-west-1:111122223333:subnet/subnet-c",
        "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-1",
      ]
      BecomeTenant       = ["arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"]
      Hot0               = ["arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/fs-1"]
      Meta0              = ["arn:aws:rds-db:eu-west-1:111122223333:dbuser:prx-1/prism"]
      TablesIdempotency0 = ["arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-idempotency"]
      TablesIdempotency1 = ["arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-idempotency/index/*"]
      TablesIdempotency2 = ["arn:aws:kms:eu-west-1:111122223333:key/tables"]
    }
    error_message = "Each statement names its own resources."
  }
  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.function.policy).Statement : [s.Action, s.Condition] if s.Sid == "Hot0"][0] == [
      ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
      {
        StringEquals = { "elasticfilesystem:AccessPointArn" = ["arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-00000000000000000"] }
        Bool         = { "aws:SecureTransport" = ["true"] }
      },
    ]
    error_message = "The hot store is mounted through the shard's access point and TLS only, never as root."
  }
  assert {
    condition = alltrue([for s in jsondecode(aws_iam_role_policy.function.policy).Statement :
      s.Effect == "Deny" || contains(["Trace", "SeeNetwork"], s.Sid) || !contains(s.Resource, "*")
    ])
    error_message = "Only what AWS has no resource-level permission for may be allowed on everything."
  }
  assert {
    condition     = alltrue(flatten([for s in jsondecode(aws_iam_role_policy.function.policy).Statement : [for a in s.Action : !strcontains(a, "*")]]))
    error_message = "No wildcard in an action."
  }
  assert {
    condition = alltrue([for s in jsondecode(aws_iam_role_policy.function.policy).Statement :
      !anytrue([for a in s.Action : startswith(a, "kms:")]) || can(s.Condition.StringEquals)
    ])
    error_message = "A key is used through a service or for this function's environment, never plainly."
  }
  assert {
    condition     = aws_iam_role.function.permissions_boundary == var.runtime.boundary_arn && aws_iam_role.function.name == "prism-dev-euw1-fn-ingest-s0"
    error_message = "The role has the boundary, and the name that the tenant role's trust looks for."
  }
}

run "no_more_than_a_word_says" {
  command = plan

  variables {
    name = "query"
    spec = {
      service     = "query"
      description = "SQL."
      package     = "zip"
      memory_mb   = 512
      timeout_s   = 28
      concurrency = { class = "from-zero", min = 0, max = 16 }
      vpc         = true
      hot_mount   = true
      stores      = { "hot" = "read", "segments" = "read", "analytics" = "read-write", "tables.tenants" = "read", "tables.audit" = "append", "secrets" = "read", "parameters" = "read" }
    }
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s.Sid => s.Action if can(regex("^(Hot|Segments|Analytics|Tables|Secrets|Parameters)", s.Sid)) } == {
      Hot0           = ["elasticfilesystem:ClientMount"]
      Segments0      = ["s3:ListBucket"]
      Segments1      = ["s3:GetObject"]
      Segments2      = ["kms:Decrypt"]
      Analytics0     = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
      Analytics1     = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging"]
      Analytics2     = ["kms:Decrypt", "kms:GenerateDataKey"]
      TablesAudit0   = ["dynamodb:GetItem", "dynamodb:PutItem"]
      TablesAudit1   = ["kms:Decrypt", "kms:DescribeKey"]
      TablesTenants0 = ["dynamodb:GetItem", "dynamodb:Query"]
      TablesTenants1 = ["dynamodb:Query"]
      TablesTenants2 = ["kms:Decrypt", "kms:DescribeKey"]
      Secrets0       = ["secretsmanager:GetSecretValue"]
      Secrets1       = ["kms:Decrypt"]
      Parameters0    = ["ssm:GetParametersByPath"]
      Parameters1    = ["kms:Decrypt"]
    }
    error_message = "The table of access.tf."
  }
  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s.Sid => [s.Resource, s.Condition.StringEquals["kms:ViaService"]] if contains(["Segments2", "TablesTenants2", "Secrets1", "Parameters1"], s.Sid) } == {
      Segments2      = [["arn:aws:kms:eu-west-1:111122223333:key/data"], ["s3.eu-west-1.amazonaws.com"]]
      TablesTenants2 = [["arn:aws:kms:eu-west-1:111122223333:key/tables"], ["dynamodb.eu-west-1.amazonaws.com"]]
      Secrets1       = [["arn:aws:kms:eu-west-1:111122223333:key/secrets"], ["secretsmanager.eu-west-1.amazonaws.com"]]
      Parameters1    = [["arn:aws:kms:eu-west-1:111122223333:key/secrets"], ["ssm.eu-west-1.amazonaws.com"]]
    }
    error_message = "Each store's key, through the store's service."
  }
  assert {
    # By path: the right is asked for the path itself. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
    condition     = jsonencode([for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s.Resource if s.Sid == "Parameters0"]) == jsonencode([var.stores.parameters.arns])
    error_message = "Parameters of this region only."
  }
}

run "outside_of_the_vpc_and_without_stores" {
  command = plan

  variables {
    name  = "plain"
    shard = null
    spec = {
      service     = "sharding"
      description = "Nothing."
      package     = "zip"
      memory_mb   = 128
      timeout_s   = 10
      concurrency = { class = "from-zero", min = 0, max = 1 }
    }
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s.Sid] == ["OwnLogGroup", "Trace", "OwnEnvironment"]
    error_message = "The bare template."
  }
  assert {
    condition     = length(aws_lambda_function.function.vpc_config) == 0 && !contains(keys(aws_lambda_function.function.environment[0].variables), "PRISM_TENANT_ROLE_ARN") && !contains(keys(aws_lambda_function.function.environment[0].variables), "PRISM_SHARD")
    error_message = "No network, no tenants, no shard."
  }
}

run "what_a_service_adds" {
  command = plan

  variables {
    extra = {
      statements  = [{ sid = "Results", actions = ["s3:PutObject"], resources = ["arn:aws:s3:::results/*"] }]
      environment = { PRISM_QUERY_RESULTS_URL = "s3://results" }
    }
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s if s.Sid == "Results"]) == { Sid = "Results", Effect = "Allow", Action = ["s3:PutObject"], Resource = ["arn:aws:s3:::results/*"] }
    error_message = "One statement more."
  }
  assert {
    condition     = aws_lambda_function.function.environment[0].variables.PRISM_QUERY_RESULTS_URL == "s3://results"
    error_message = "One setting more."
  }
}
