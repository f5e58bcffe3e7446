# Every rule of variables.tf, broken once.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
    }
  }
  mock_data "aws_partition" {
    defaults = {
      partition  = "aws"
      dns_suffix = "amazonaws.com"
    }
  }
  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    }
  }

  # ARNs that look like ARNs: OpenTofu makes values up in the plan already, and the provider looks at them.
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:us-east-1:123456789012:certificate/mocked"
      domain_validation_options = [
        { domain_name = "dev.prism.example", resource_record_name = "_1.dev.prism.example", resource_record_type = "CNAME", resource_record_value = "_1.acm-validations.aws" },
        { domain_name = "prism.example", resource_record_name = "_2.prism.example", resource_record_type = "CNAME", resource_record_value = "_2.acm-validations.aws" },
      ]
    }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = {
      arn = "arn:aws:cloudfront::123456789012:distribution/E1"
    }
  }
  mock_resource "aws_cloudwatch_log_delivery_destination" {
    defaults = {
      arn = "arn:aws:logs:us-east-1:123456789012:delivery-destination:mocked"
    }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-mocked"
    }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn = "arn:aws:dynamodb:us-east-1:123456789012:table/mocked"
    }
  }
  mock_resource "aws_iam_policy" {
    defaults = {
      arn = "arn:aws:iam::123456789012:policy/mocked"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/mocked"
    }
  }
  mock_resource "aws_kms_key" {
    defaults = {
      arn = "arn:aws:kms:us-east-1:123456789012:key/mrk-00000000000000000000000000000001"
    }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = {
      arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prism/dev/mocked-AbCdEf"
    }
  }
  mock_resource "aws_kms_replica_key" {
    defaults = {
      arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-00000000000000000000000000000001"
    }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      qualified_arn = "arn:aws:lambda:us-east-1:123456789012:function:mocked:1"
    }
  }
  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::mocked"
    }
  }
  mock_resource "aws_sns_topic" {
    defaults = {
      arn = "arn:aws:sns:us-east-1:123456789012:mocked"
    }
  }
  mock_resource "aws_wafv2_web_acl" {
    defaults = {
      arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/mocked/1"
    }
  }
}

# Mocked providers know no ephemeral resources; nothing is called, because the module that opens one is overridden.
provider "aws" {
  alias                       = "values"
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

override_module {
  target          = module.secret_value
  override_during = plan
  outputs = {
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prism/dev/api-key-pepper-AbCdEf"
  }
}

variables {
  environment         = "dev"
  owner               = "platform"
  cost_center         = "cc-1"
  domain              = "dev.prism.example"
  notification_emails = ["ops@prism.example"]
  budgets             = { all = { limit_usd = 100 } }
  regions = {
    us-east-1 = { primary = true }
    eu-west-1 = {}
  }
}

run "home_region_elsewhere" {
  command = plan

  variables {
    home_region = "eu-west-1"
  }

  expect_failures = [var.home_region]
}

run "domain_of_one_label" {
  command = plan

  variables {
    domain = "localhost"
  }

  expect_failures = [var.domain]
}

run "domain_with_upper_case" {
  command = plan

  variables {
    domain = "Dev.prism.example"
  }

  expect_failures = [var.domain]
}

run "domain_with_dot_at_the_end" {
  command = plan

  variables {
    domain = "dev.prism.example."
  }

  expect_failures = [var.domain]
}

run "domain_too_long_for_a_certificate" {
  command = plan

  variables {
    domain = "a-name-that-is-much-too-long-for-a-common-name.prism.example"
  }

  expect_failures = [var.domain]
}

run "no_region" {
  command = plan

  variables {
    regions = {}
  }

  expect_failures = [var.regions]
}

run "unknown_region" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true }, mars-north-1 = {} }
  }

  expect_failures = [var.regions]
}

run "region_of_another_partition" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true }, cn-north-1 = {} }
  }

  expect_failures = [var.regions]
}

run "no_primary" {
  command = plan

  variables {
    regions = { us-east-1 = {}, eu-west-1 = {} }
  }

  expect_failures = [var.regions]
}

run "two_primaries" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true }, eu-west-1 = { primary = true } }
  }

  expect_failures = [var.regions]
}

run "two_secondaries" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true }, eu-west-1 = { secondary = true }, us-west-2 = { secondary = true } }
  }

  expect_failures = [var.regions]
}

run "primary_and_secondary_at_once" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true, secondary = true } }
  }

  expect_failures = [var.regions]
}

run "primary_taken_out" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true, active = false }, eu-west-1 = {} }
  }

  expect_failures = [var.regions]
}

run "secondary_taken_out" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true }, eu-west-1 = { secondary = true, active = false } }
  }

  expect_failures = [var.regions]
}

run "standby_of_itself" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true, standby = "us-east-1" } }
  }

  expect_failures = [var.regions]
}

run "standby_unknown" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true, standby = "eu-west-1" } }
  }

  expect_failures = [var.regions]
}

run "standby_taken_out" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true, standby = "eu-west-1" }, eu-west-1 = { active = false } }
  }

  expect_failures = [var.regions]
}

run "recovery_beyond_dynamodb" {
  command = plan

  variables {
    tables = { recovery_days = 36 }
  }

  expect_failures = [var.tables]
}

run "ceiling_of_zero" {
  command = plan

  variables {
    tables = { ceiling = { read = 0 } }
  }

  expect_failures = [var.tables]
}

run "provisioned_table_unknown" {
  command = plan

  variables {
    tables = { provisioned = { sessions = { read = { min = 1, max = 2 }, write = { min = 1, max = 2 } } } }
  }

  expect_failures = [var.tables]
}

run "provisioned_minimum_over_maximum" {
  command = plan

  variables {
    tables = { provisioned = { keys = { read = { min = 3, max = 2 }, write = { min = 1, max = 2 } } } }
  }

  expect_failures = [var.tables]
}

run "provisioned_over_the_quota" {
  command = plan

  variables {
    tables = { provisioned = { keys = { read = { min = 1, max = 40001 }, write = { min = 1, max = 2 } } } }
  }

  expect_failures = [var.tables]
}

run "utilization_out_of_range" {
  command = plan

  variables {
    tables = { utilization_target = 95 }
  }

  expect_failures = [var.tables]
}

run "router_digest_in_base64" {
  command = plan

  variables {
    edge = { router_sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }

  expect_failures = [var.edge]
}

run "router_memory_too_small" {
  command = plan

  variables {
    edge = { memory_mb = 64 }
  }

  expect_failures = [var.edge]
}

run "rate_too_small" {
  command = plan

  variables {
    edge = { requests_per_5_min = 9 }
  }

  expect_failures = [var.edge]
}

run "price_class_unknown" {
  command = plan

  variables {
    edge = { price_class = "PriceClass_300" }
  }

  expect_failures = [var.edge]
}

run "retention_that_cloudwatch_does_not_know" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "repository_without_owner" {
  command = plan

  variables {
    delivery = { repository = "prism", state_bucket = "states" }
  }

  expect_failures = [var.delivery]
}

run "repository_with_wildcard" {
  command = plan

  variables {
    delivery = { repository = "example/*", state_bucket = "states" }
  }

  expect_failures = [var.delivery]
}

run "state_bucket_as_url" {
  command = plan

  variables {
    delivery = { repository = "example/prism", state_bucket = "s3://states" }
  }

  expect_failures = [var.delivery]
}

run "runs_in_an_account_by_name" {
  command = plan

  variables {
    delivery = { repository = "example/prism", state_bucket = "states", runs_account = "prod" }
  }

  expect_failures = [var.delivery]
}

run "plans_behind_the_same_approvals" {
  command = plan

  variables {
    delivery = { repository = "example/prism", state_bucket = "states", plan_environment = "dev" }
  }

  expect_failures = [var.delivery]
}

run "nobody_is_told" {
  command = plan

  variables {
    notification_emails = []
  }

  expect_failures = [var.notification_emails]
}

run "no_address" {
  command = plan

  variables {
    notification_emails = ["ops"]
  }

  expect_failures = [var.notification_emails]
}

run "no_budget" {
  command = plan

  variables {
    budgets = {}
  }

  expect_failures = [var.budgets]
}

run "budget_of_nothing" {
  command = plan

  variables {
    budgets = { all = { limit_usd = 0 } }
  }

  expect_failures = [var.budgets]
}

run "budget_with_five_notices" {
  command = plan

  variables {
    budgets = { all = { limit_usd = 1, notices = [10, 20, 30, 40, 50] } }
  }

  expect_failures = [var.budgets]
}

run "disposable_production" {
  command = plan

  variables {
    environment = "prod"
    disposable  = true
  }

  expect_failures = [var.disposable]
}

run "a_recovery_that_secrets_manager_does_not_have" {
  command = plan

  variables {
    secrets = { recovery_days = 3 }
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
