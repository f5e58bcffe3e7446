# Plans and refusals, without any provider at work. What the real provider makes of it: tests/infra.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_api_gateway_rest_api" {
    defaults = {
      id            = "abc123"
      execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:abc123"
    }
  }

  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:eu-west-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
      domain_validation_options = [{
        domain_name           = "euw1.api.dev.prism.example.com"
        resource_record_name  = "_x.euw1.api.dev.prism.example.com."
        resource_record_type  = "CNAME"
        resource_record_value = "_y.acm-validations.aws."
      }]
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-west-1:123456789012:log-group:x"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/x"
    }
  }

  mock_resource "aws_wafv2_web_acl" {
    defaults = {
      arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/x/1"
    }
  }

  mock_resource "aws_api_gateway_stage" {
    defaults = {
      arn = "arn:aws:apigateway:eu-west-1::/restapis/abc123/stages/x"
    }
  }

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
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
    account_id  = "123456789012"
    prefix      = "prism-dev-euw1"
    path        = "/prism/dev/euw1"
    tags        = {}
  }
  contract_file = "../../../platform/api.openapi.json"
  shards        = { "shard-0" = {}, "shard-1" = {} }
  functions = {
    ingest-shard-0  = { name = "prism-dev-euw1-ingest-shard-0", alias_arn = "arn:i0", alias_name = "live" }
    ingest-shard-1  = { name = "prism-dev-euw1-ingest-shard-1", alias_arn = "arn:i1", alias_name = "live" }
    query-shard-0   = { name = "prism-dev-euw1-query-shard-0", alias_arn = "arn:q0", alias_name = "live" }
    query-shard-1   = { name = "prism-dev-euw1-query-shard-1", alias_arn = "arn:q1", alias_name = "live" }
    catalog-shard-0 = { name = "prism-dev-euw1-catalog-shard-0", alias_arn = "arn:c0", alias_name = "live" }
    catalog-shard-1 = { name = "prism-dev-euw1-catalog-shard-1", alias_arn = "arn:c1", alias_name = "live" }
    authorizer      = { name = "prism-dev-euw1-authorizer", alias_arn = "arn:a", alias_name = "live" }
    keys            = { name = "prism-dev-euw1-keys", alias_arn = "arn:k", alias_name = "live" }
    audit           = { name = "prism-dev-euw1-audit", alias_arn = "arn:au", alias_name = "live" }
    workflows       = { name = "prism-dev-euw1-workflows", alias_arn = "arn:w", alias_name = "live" }
    tenants         = { name = "prism-dev-euw1-tenants", alias_arn = "arn:t", alias_name = "live" }
  }
  domain             = "dev.prism.example.com"
  zone_id            = "Z0123456789ABCDEFGHIJ"
  logs_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  data_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/11111111-1111-1111-1111-111111111111"
  boundary_arn       = "arn:aws:iam::123456789012:policy/prism-dev-euw1-boundary"
  log_retention_days = 30
}

run "a_stage_for_each_shard" {
  command = plan

  assert {
    condition     = { for name, stage in aws_api_gateway_stage.shard : name => stage.variables.shard } == { "shard-0" = "shard-0", "shard-1" = "shard-1" }
    error_message = "each shard has a stage whose variable names it"
  }
  assert {
    condition     = alltrue([for stage in aws_api_gateway_stage.shard : stage.xray_tracing_enabled])
    error_message = "stages are traced"
  }
  assert {
    condition     = aws_api_gateway_base_path_mapping.first["origin"].stage_name == "shard-0" && keys(aws_api_gateway_base_path_mapping.shard) == ["failover/shard-0", "failover/shard-1", "origin/shard-0", "origin/shard-1", "region/shard-0", "region/shard-1"]
    error_message = "the empty base path is the first shard's, and each has its own"
  }
  assert {
    condition     = keys(aws_wafv2_web_acl_association.stage) == ["shard-0", "shard-1"]
    error_message = "no stage without firewall"
  }
}

run "the_contract_is_filled_in" {
  command = plan

  assert {
    condition     = strcontains(aws_api_gateway_rest_api.this.body, "function:prism-dev-euw1-ingest-$${stageVariables.shard}:live/invocations")
    error_message = "the stage variable stays for API Gateway"
  }
  assert {
    condition     = strcontains(aws_api_gateway_rest_api.this.body, "/2021-11-15/functions/arn:aws:lambda:eu-west-1:123456789012:function:prism-dev-euw1-query-$${stageVariables.shard}:live/response-streaming-invocations")
    error_message = "query streams"
  }
  assert {
    condition     = length(regexall("\\$\\{(partition|region|account|prefix)\\}", aws_api_gateway_rest_api.this.body)) == 0
    error_message = "nothing else is left to fill in"
  }
  assert {
    condition = alltrue([
      for path, item in jsondecode(aws_api_gateway_rest_api.this.body).paths : alltrue([
        for operation in item : alltrue([for security in operation.security : contains(keys(security), "usage_key")])
      ])
    ])
    error_message = "every operation with a caller counts against a usage plan"
  }
  assert {
    condition     = aws_api_gateway_rest_api.this.disable_execute_api_endpoint && aws_api_gateway_rest_api.this.api_key_source == "AUTHORIZER"
    error_message = "only the custom domain answers, and keys of plans come from the authorizer"
  }
}

run "moves_are_started_by_a_role_of_their_own" {
  command = plan

  assert {
    condition     = data.aws_iam_policy_document.start.statement[0].resources == toset(["arn:aws:states:eu-west-1:123456789012:stateMachine:prism-dev-euw1-tenant-migration"])
    error_message = "the role starts what the contract names, and nothing else"
  }
  assert {
    condition     = data.aws_iam_policy_document.start.statement[0].actions == toset(["states:StartExecution"]) && alltrue([for c in data.aws_iam_policy_document.start.statement[0].condition : c.variable == "states:StateMachineQualifier" && c.values == tolist(["live"])])
    error_message = "it starts the alias, and can do nothing else to it"
  }
  assert {
    condition = [
      for item in jsondecode(aws_api_gateway_rest_api.this.body).paths : item.post["x-amazon-apigateway-integration"].credentials
      if try(item.post["x-amazon-apigateway-integration"].type, "") == "aws"
    ] == ["arn:aws:iam::123456789012:role/${aws_iam_role.start.name}"]
    error_message = "the contract's credentials are this role"
  }
}

run "a_shards_functions_serve_its_stage_only" {
  command = plan

  assert {
    condition     = aws_lambda_permission.route["prism-dev-euw1-ingest-shard-1"].source_arn == "arn:aws:execute-api:eu-west-1:123456789012:abc123/shard-1/*/*"
    error_message = "the source of a shard's permission is its stage"
  }
  assert {
    condition     = aws_lambda_permission.route["prism-dev-euw1-keys"].source_arn == "arn:aws:execute-api:eu-west-1:123456789012:abc123/*/*/*"
    error_message = "other functions serve every stage"
  }
  assert {
    condition     = alltrue([for p in aws_lambda_permission.route : p.qualifier == "live"])
    error_message = "permissions are on the alias"
  }
  assert {
    condition     = keys(aws_lambda_permission.authorizer) == ["prism-dev-euw1-authorizer"]
    error_message = "the authorizer may be called as such"
  }
}

run "limits_come_from_the_contract" {
  command = plan

  assert {
    condition = alltrue([
      for tier, plan in aws_api_gateway_usage_plan.tier :
      plan.throttle_settings[0].rate_limit == jsondecode(file(var.contract_file))["x-prism-throttling"].tiers[tier].rate && length(plan.api_stages) == 2
    ])
    error_message = "each tier's plan covers every stage at the tier's rate"
  }
  assert {
    condition     = aws_api_gateway_method_settings.route["shard-1/query"].method_path == "~1v1~1query/POST"
    error_message = "a route is named as API Gateway names it"
  }
  assert {
    condition     = alltrue([for s in aws_api_gateway_method_settings.stage : s.settings[0].data_trace_enabled == false && s.settings[0].metrics_enabled])
    error_message = "metrics, and never bodies in logs"
  }
}

run "logs_hold_no_secrets" {
  command = plan

  assert {
    condition     = alltrue([for stage in aws_api_gateway_stage.shard : length(regexall("(?i)authorization|requestOverride|body", stage.access_log_settings[0].format)) == 0])
    error_message = "neither Authorization nor a body in the access log"
  }
  assert {
    condition     = alltrue([for group in concat([aws_cloudwatch_log_group.access, aws_cloudwatch_log_group.firewall], values(aws_cloudwatch_log_group.execution)) : group.retention_in_days == 30 && group.kms_key_id == var.logs_key_arn])
    error_message = "all logs are encrypted and end"
  }
}

run "eleven_shards" {
  command = plan

  variables {
    shards = { for i in range(11) : "shard-${i}" => {} }
  }

  expect_failures = [var.shards]
}

run "shard_that_is_no_stage" {
  command = plan

  variables {
    shards = { "Shard 0" = {} }
  }

  expect_failures = [var.shards]
}

run "missing_function" {
  command = plan

  variables {
    functions = {
      authorizer = { name = "prism-dev-euw1-authorizer", alias_arn = "arn:a", alias_name = "live" }
    }
    shards = { "shard-0" = {} }
  }

  expect_failures = [aws_api_gateway_rest_api.this]
}

run "contract_that_is_none" {
  command = plan

  variables {
    contract_file = "../../../platform/functions.json"
  }

  expect_failures = [var.contract_file]
}

run "domain_with_a_dot_at_its_end" {
  command = plan

  variables {
    domain = "dev.prism.example.com."
  }

  expect_failures = [var.domain]
}

run "zone_by_name" {
  command = plan

  variables {
    zone_id = "dev.prism.example.com"
  }

  expect_failures = [var.zone_id]
}

run "key_that_is_none" {
  command = plan

  variables {
    logs_key_arn = "alias/logs"
  }

  expect_failures = [var.logs_key_arn]
}

run "retention_too_short" {
  command = plan

  variables {
    log_retention_days = 7
  }

  expect_failures = [var.log_retention_days]
}

run "no_execution_log" {
  command = plan

  variables {
    logging_level = "OFF"
  }

  expect_failures = [var.logging_level]
}

run "firewall_that_counts_too_low" {
  command = plan

  variables {
    firewall = { requests_max = 50 }
  }

  expect_failures = [var.firewall]
}
