# Keys, boundary, tenant role, secrets: what they allow, and to whom. With the real provider, because mocked ones know no ephemeral resources;
# nothing is called: plans of what does not exist yet need no account, and the module that opens the ephemeral resource is overridden.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

override_resource {
  target          = aws_kms_key.this
  override_during = plan
  values = {
    arn    = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    key_id = "11111111-2222-3333-4444-555555555555"
  }
}

override_resource {
  target          = aws_iam_policy.boundary
  override_during = plan
  values = {
    arn = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
  }
}

override_resource {
  target          = aws_iam_role.tenant
  override_during = plan
  values = {
    arn = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
  }
}

override_resource {
  target          = aws_secretsmanager_secret.this
  override_during = plan
  values = {
    id  = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/euw1/x-AbCdEf"
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/euw1/x-AbCdEf"
  }
}

override_resource {
  target          = aws_lambda_code_signing_config.zips
  override_during = plan
  values = {
    arn = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0f6c334abcdea4d8b"
  }
}

override_module {
  target          = module.value
  override_during = plan
  outputs = {
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/euw1/x-AbCdEf"
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
    rotation   = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
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

run "keys" {
  command = plan

  assert {
    condition     = keys(aws_kms_key.this) == ["data", "database", "logs", "secrets"] && alltrue([for k in aws_kms_key.this : k.enable_key_rotation && k.deletion_window_in_days == 30])
    error_message = "Four keys that rotate and can be had back."
  }
  assert {
    condition     = { for name, a in aws_kms_alias.this : name => a.name } == { data = "alias/prism-dev-euw1-data", database = "alias/prism-dev-euw1-database", logs = "alias/prism-dev-euw1-logs", secrets = "alias/prism-dev-euw1-secrets" }
    error_message = "Their aliases are computed."
  }
  assert {
    condition = alltrue(flatten([for k in aws_kms_key.this : [for s in jsondecode(k.policy).Statement : [
      for a in flatten([s.Action]) : !strcontains(a, "*") && (s.Sid == "Administration" || can(s.Condition))
    ]]]))
    error_message = "Use of a key has a condition, and no statement has a wildcard for an action."
  }
  assert {
    condition = alltrue(flatten([for k in aws_kms_key.this : [for s in jsondecode(k.policy).Statement :
      [for a in s.Action : !contains(["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"], a)] if s.Sid == "Administration"
    ]]))
    error_message = "Who administrates a key cannot use it."
  }
  assert {
    condition     = [for s in jsondecode(aws_kms_key.this["logs"].policy).Statement : s.Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"][0] if s.Sid == "LogGroups"] == ["arn:aws:logs:eu-west-1:111122223333:log-group:/prism/dev/euw1/*"]
    error_message = "CloudWatch Logs uses the key for Prism's groups."
  }
  assert {
    condition     = [for s in jsondecode(aws_kms_key.this["secrets"].policy).Statement : s.Condition.StringEquals["kms:ViaService"] if s.Sid == "UseThroughServices"] == [["secretsmanager.eu-west-1.amazonaws.com", "ssm.eu-west-1.amazonaws.com"]]
    error_message = "Each key goes through its own services."
  }
}

run "boundary" {
  command = plan

  assert {
    condition = alltrue([for s in jsondecode(aws_iam_policy.boundary.policy).Statement :
      s.Effect == "Deny" || s.Sid == "WithoutResources" || !contains(s.Resource, "*")
    ])
    error_message = "Only what has no resources is allowed on all of them."
  }
  assert {
    condition     = alltrue(flatten([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : [for a in s.Action : !strcontains(a, "*")] if s.Effect == "Allow"]))
    error_message = "No wildcard in an allowed action."
  }
  assert {
    condition = (
      one([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s if s.Sid == "NeverRights"]) == { Sid = "NeverRights", Effect = "Deny", Action = ["account:*", "iam:*", "organizations:*"], Resource = ["*"] } &&
      one([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s if s.Sid == "NeverAnotherRegion"]).Condition == { StringNotEquals = { "aws:RequestedRegion" = "eu-west-1" } }
    )
    error_message = "Nobody under the boundary writes rights or leaves the region."
  }
  assert {
    condition     = length(aws_iam_policy.boundary.policy) <= 6144
    error_message = "It fits into a managed policy: ${length(aws_iam_policy.boundary.policy)}."
  }
}

run "a_boundary_with_one_way_out" {
  command = plan

  variables {
    elsewhere = { us-east-1 = "prism-dev-use1" }
  }

  assert {
    condition = [for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s if contains(["CallsElsewhere", "NobodyElseElsewhere"], s.Sid)] == [
      { Sid = "CallsElsewhere", Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = ["arn:aws:lambda:us-east-1:111122223333:function:prism-dev-use1-*"] },
      { Sid = "NobodyElseElsewhere", Effect = "Deny", Action = ["lambda:InvokeFunction"], Resource = ["*"], Condition = {
        StringNotEquals = { "aws:RequestedRegion" = "eu-west-1" }
        ArnNotLike      = { "aws:PrincipalArn" = ["arn:aws:iam::111122223333:role/prism-dev-euw1-fn-bridge"] }
      } },
    ]
    error_message = "The bridge calls functions of the deployment's other regions; nobody else does."
  }
  assert {
    condition = [for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s if strcontains(s.Sid, "ReadsElsewhere")] == [
      { Sid = "ReadsElsewhere", Effect = "Allow", Action = ["kms:Decrypt", "s3:GetObject"], Resource = ["arn:aws:kms:us-east-1:111122223333:key/*", "arn:aws:s3:::prism-dev-use1-*/*"] },
      { Sid = "NobodyElseReadsElsewhere", Effect = "Deny", Action = ["kms:Decrypt", "s3:GetObject"], Resource = ["*"], Condition = {
        StringNotEquals = { "aws:RequestedRegion" = "eu-west-1" }
        ArnNotLike      = { "aws:PrincipalArn" = ["arn:aws:iam::111122223333:role/prism-dev-euw1-fn-storage-*"] }
      } },
    ]
    error_message = "Storage reads objects of the deployment's other regions; nobody else does."
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_policy.boundary.policy).Statement : s if s.Sid == "NeverAnotherRegion"]).NotAction == ["iam:*", "kms:Decrypt", "lambda:InvokeFunction", "s3:GetObject", "sts:*"]
    error_message = "Everything else stays in the region."
  }
  assert {
    condition     = length(aws_iam_policy.boundary.policy) <= 6144
    error_message = "It fits into a managed policy: ${length(aws_iam_policy.boundary.policy)}."
  }
}

run "tenant_role" {
  command = plan

  assert {
    condition = [for s in jsondecode(aws_iam_role.tenant.assume_role_policy).Statement : s.Condition.ArnLike["aws:PrincipalArn"]] == [
      [for name in ["ingest", "query", "storage"] : "arn:aws:iam::111122223333:role/prism-dev-euw1-fn-${name}-*"],
      [for name in ["ingest", "storage"] : "arn:aws:iam::111122223333:role/prism-dev-euw1-fn-${name}-*"],
    ]
    error_message = "Functions that touch tenants' data may take it, those that write by the catalogue with access read-write: ${aws_iam_role.tenant.assume_role_policy}"
  }
  assert {
    condition = alltrue([for s in jsondecode(aws_iam_role.tenant.assume_role_policy).Statement :
      s.Condition.StringLike["aws:RequestTag/tenant"] == "?*" && contains(s.Condition["ForAllValues:StringEquals"]["aws:TagKeys"], "tenant")
    ])
    error_message = "Never without a tenant."
  }
  assert {
    condition = alltrue(flatten([for s in jsondecode(aws_iam_role_policy.tenant.policy).Statement : [
      for r in flatten([s.Resource]) : s.Sid == "DataKey" || s.Sid == "TableKeys" || strcontains(r, "$${aws:PrincipalTag/tenant}/*") ||
      strcontains(jsonencode(s.Condition), "$${aws:PrincipalTag/tenant}")
    ]]))
    error_message = "Every statement over data holds the tenant's tag."
  }
  assert {
    condition     = length(aws_iam_role.tenant.assume_role_policy) <= 2048
    error_message = "It fits into a trust policy: ${length(aws_iam_role.tenant.assume_role_policy)}."
  }
}

run "secrets" {
  command = plan

  assert {
    condition     = { for k, s in aws_secretsmanager_secret.this : k => s.name } == { "token-signing-key" = "prism/dev/euw1/token-signing-key" }
    error_message = "Names by path."
  }
  assert {
    condition     = alltrue([for s in aws_secretsmanager_secret.this : s.kms_key_id == aws_kms_key.this["secrets"].arn && s.recovery_window_in_days == 30])
    error_message = "Encrypted with their own key, recoverable."
  }
  assert {
    condition = alltrue([for p in aws_secretsmanager_secret_policy.this :
      jsondecode(p.policy).Statement[0].Condition.ArnNotLike["aws:PrincipalArn"] == [for name in ["authorizer", "keys", "rotation", "tenants"] : "arn:aws:iam::111122223333:role/prism-dev-euw1-fn-${name}"]
    ])
    error_message = "Values are for the functions that the catalogue gives the store `secrets`."
  }
  assert {
    condition = (
      keys(aws_secretsmanager_secret_rotation.this) == ["token-signing-key"] &&
      aws_secretsmanager_secret_rotation.this["token-signing-key"].rotation_rules[0].automatically_after_days == 90 &&
      aws_lambda_permission.rotation["token-signing-key"].principal == "secretsmanager.amazonaws.com" &&
      aws_lambda_permission.rotation["token-signing-key"].source_account == "111122223333" &&
      aws_lambda_permission.rotation["token-signing-key"].source_arn == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/euw1/x-AbCdEf" &&
      aws_lambda_permission.rotation["token-signing-key"].qualifier == "live"
    )
    error_message = "The catalogue's function rotates it, and Secrets Manager may call it for this secret only."
  }
  assert {
    condition     = keys(output.secret_arns) == ["token_signing_key"]
    error_message = "Outputs."
  }
  assert {
    condition     = keys(output.functions) == ["audit", "authorizer", "keys", "rotation"]
    error_message = "The service's functions."
  }
}

run "rotation_when_a_function_can" {
  command = plan

  variables {
    rotation = { function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:prism-dev-euw1-rotation:live", days = 30 }
  }

  assert {
    condition = (
      keys(aws_secretsmanager_secret_rotation.this) == ["token-signing-key"] &&
      aws_secretsmanager_secret_rotation.this["token-signing-key"].rotation_rules[0].automatically_after_days == 30
    )
    error_message = "The signing key rotates."
  }
}

run "the_home_region_rotates_what_all_share" {
  command = plan

  variables {
    rotation = { shared = { "api-key-pepper" = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/api-key-pepper-AbCdEf" } }
  }

  assert {
    condition = (
      keys(aws_secretsmanager_secret_rotation.this) == ["api-key-pepper", "token-signing-key"] &&
      aws_secretsmanager_secret_rotation.this["api-key-pepper"].secret_id == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/api-key-pepper-AbCdEf" &&
      aws_lambda_permission.rotation["api-key-pepper"].source_arn == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/api-key-pepper-AbCdEf"
    )
    error_message = "The pepper, too."
  }
}

run "other_regions_leave_it_alone" {
  command = plan

  variables {
    rotation = { primary = "eu-central-1" }
  }

  assert {
    condition     = keys(aws_secretsmanager_secret_rotation.this) == ["token-signing-key"]
    error_message = "A replica follows."
  }
}

run "a_secret_that_rotates_in_two_places" {
  command = plan

  variables {
    rotation = { primary = "eu-central-1", shared = { "api-key-pepper" = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/api-key-pepper-AbCdEf" } }
  }

  expect_failures = [var.rotation]
}

run "without_the_function_nothing_rotates" {
  command = plan

  variables {
    platform = {
      defaults  = jsondecode(file("../../../platform/functions.json")).defaults
      stores    = jsondecode(file("../../../platform/functions.json")).stores
      functions = { for name, f in jsondecode(file("../../../platform/functions.json")).functions : name => f if name != "rotation" }
    }
  }

  assert {
    condition     = length(aws_secretsmanager_secret_rotation.this) == 0 && length(aws_lambda_permission.rotation) == 0
    error_message = "Nothing rotates until something can."
  }
}

run "signing" {
  command = plan

  variables {
    signing_profile_arn = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/prism_dev/AbCdEf1234"
  }

  assert {
    condition     = aws_lambda_code_signing_config.zips["this"].policies[0].untrusted_artifact_on_deployment == "Enforce" && output.code_signing_config_arn != ""
    error_message = "What is not signed is refused."
  }
}

run "no_signing" {
  command = plan

  assert {
    condition     = output.code_signing_config_arn == "" && length(aws_lambda_code_signing_config.zips) == 0
    error_message = "Off."
  }
}

run "settings" {
  command = plan

  variables {
    parameters = { "query/rows" = "1000" }
  }

  assert {
    condition     = aws_ssm_parameter.config["query/rows"].name == "/prism/dev/euw1/config/query/rows"
    error_message = "Settings stand under the path."
  }
  assert {
    condition = output.parameters == {
      url  = "ssm://prism/dev/euw1/config"
      arns = ["arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config", "arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config/*"]
    }
    error_message = "Functions read them by that path: ${jsonencode(output.parameters)}"
  }
}

run "a_profile_that_is_none" {
  command = plan

  variables {
    signing_profile_arn = "prism"
  }

  expect_failures = [var.signing_profile_arn]
}

run "unsigned_outside_of_dev" {
  command = plan

  variables {
    context = {
      project     = "prism"
      environment = "prod"
      region      = "eu-west-1"
      code        = "euw1"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      account_id  = "111122223333"
      prefix      = "prism-prod-euw1"
      path        = "/prism/prod/euw1"
      tags        = {}
    }
  }

  expect_failures = [var.signing_profile_arn]
}

run "keys_that_are_gone_at_once" {
  command = plan

  variables {
    key_deletion_days = 6
  }

  expect_failures = [var.key_deletion_days]
}

run "a_recovery_that_secrets_manager_does_not_have" {
  command = plan

  variables {
    secrets = { recovery_days = 3 }
  }

  expect_failures = [var.secrets]
}

run "no_recovery_in_production" {
  command = plan

  variables {
    context = {
      project     = "prism"
      environment = "prod"
      region      = "eu-west-1"
      code        = "euw1"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      account_id  = "111122223333"
      prefix      = "prism-prod-euw1"
      path        = "/prism/prod/euw1"
      tags        = {}
    }
    signing_profile_arn = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/prism_dev/AbCdEf1234"
    secrets             = { recovery_days = 0 }
  }

  expect_failures = [var.secrets]
}

run "a_generation_of_nothing" {
  command = plan

  variables {
    secrets = { generation = { pepper = 2 } }
  }

  expect_failures = [var.secrets]
}

run "an_administrator_by_name" {
  command = plan

  variables {
    secrets = { administrators = ["alice"] }
  }

  expect_failures = [var.secrets]
}

run "a_rotation_of_nothing" {
  command = plan

  variables {
    rotation = { secrets = ["pepper"] }
  }

  expect_failures = [var.rotation]
}

run "a_rotation_in_three_years" {
  command = plan

  variables {
    rotation = { days = 1001 }
  }

  expect_failures = [var.rotation]
}

run "a_setting_with_capitals" {
  command = plan

  variables {
    parameters = { "Query" = "1" }
  }

  expect_failures = [var.parameters]
}

run "a_setting_without_value" {
  command = plan

  variables {
    parameters = { "query" = "" }
  }

  expect_failures = [var.parameters]
}
