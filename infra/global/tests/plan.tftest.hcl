# Plans against a provider that answers with made-up values: shapes, names, counts, and that nothing else decides them.

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
  mock_resource "aws_route53_zone" {
    defaults = {
      zone_id = "Z0123456789ABCDEFGHIJ"
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
    eu-west-1 = { secondary = true }
  }
}

run "two_regions" {
  command = plan

  assert {
    condition     = keys(aws_dynamodb_table.this) == ["audit", "audit_heads", "idempotency", "keys", "shards", "tenant_keys", "tenants", "usage"]
    error_message = "tables are those of the catalogue"
  }
  assert {
    condition     = length(aws_dynamodb_table_replica.this) == 8 && alltrue([for replica in aws_dynamodb_table_replica.this : replica.region == "eu-west-1"])
    error_message = "a replica of each table in every region but the home one"
  }
  assert {
    condition     = aws_dynamodb_table.this["tenants"].name == "prism-dev-tenants" && !aws_dynamodb_table.this["tenants"].deletion_protection_enabled
    error_message = "names are prefix and short name; only prod is protected by default"
  }
  assert {
    condition     = one(aws_dynamodb_table.this["keys"].on_demand_throughput).max_write_request_units == 4000
    error_message = "on demand has a ceiling"
  }
  assert {
    condition     = length(aws_appautoscaling_target.home) == 0 && length(aws_cloudfront_distribution.this) == 0
    error_message = "nothing scales and no edge stands before they are asked for"
  }
  assert {
    condition     = aws_s3_bucket.artifacts["eu-west-1"].bucket == "prism-dev-artifacts-euw1-123456789012" && aws_s3_bucket.artifacts["eu-west-1"].region == "eu-west-1"
    error_message = "an artifact bucket per region"
  }
  assert {
    condition     = keys(aws_route53_record.origin) == ["eu-west-1", "us-east-1"] && aws_route53_record.failover["SECONDARY"].records == toset(["failover.euw1.api.dev.prism.example"])
    error_message = "latency records for the active regions, failover to the secondary"
  }
  assert {
    condition     = length(aws_ecr_repository.this) == 2 * length([for f in jsondecode(file("../../platform/functions.json")).functions : f if f.package == "image"])
    error_message = "a repository per image function and region"
  }
  assert {
    condition     = length(aws_iam_role.delivery) == 0
    error_message = "no delivery roles without a repository"
  }
  assert {
    condition     = local.published["eu-west-1"].tables.tenants.arn == "arn:aws:dynamodb:eu-west-1:123456789012:table/prism-dev-tenants"
    error_message = "each region is told its own replica's ARN"
  }
  assert {
    condition     = local.published["eu-west-1"].secrets == { api-key-pepper = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prism/dev/api-key-pepper-AbCdEf" } && strcontains(local.published["us-east-1"].secrets["api-key-pepper"], ":us-east-1:")
    error_message = "each region is told its own replica of a shared secret"
  }
  assert {
    condition     = aws_secretsmanager_secret.this["api-key-pepper"].name == "prism/dev/api-key-pepper" && [for replica in aws_secretsmanager_secret.this["api-key-pepper"].replica : replica.region] == ["eu-west-1"]
    error_message = "one name, and a replica in every region but the home one"
  }
  assert {
    condition = jsondecode(aws_secretsmanager_secret_policy.this["api-key-pepper"].policy).Statement[0].Condition.ArnNotLike["aws:PrincipalArn"] == [
      for pair in setproduct(["euw1", "use1"], ["authorizer", "keys", "rotation", "tenants"]) : "arn:aws:iam::123456789012:role/prism-dev-${pair[0]}-fn-${pair[1]}"
    ]
    error_message = "values are for the functions of each region that the catalogue gives the store `secrets`"
  }
  assert {
    condition     = local.published["eu-west-1"].image_registry == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
    error_message = "images come from the region's own registry"
  }
  assert {
    condition     = aws_ssm_parameter.global["us-east-1"].name == "/prism/dev/global" && local.published["us-east-1"].version == 1
    error_message = "the interface has a name and a version"
  }
}

run "one_region_that_is_not_home" {
  command = plan

  variables {
    regions = { eu-central-1 = { primary = true } }
  }

  assert {
    condition     = keys(aws_s3_bucket.artifacts) == ["eu-central-1", "us-east-1"] && keys(aws_route53_record.origin) == ["eu-central-1"]
    error_message = "the home region holds the stack and serves no tenants"
  }
  assert {
    condition     = keys(aws_route53_record.failover) == ["PRIMARY"]
    error_message = "no secondary, no second record"
  }
}

run "home_alone" {
  command = plan

  variables {
    regions = { us-east-1 = { primary = true } }
  }

  assert {
    condition     = length(aws_dynamodb_table_replica.this) == 0 && length(aws_s3_bucket_replication_configuration.artifacts) == 0 && length(aws_ecr_replication_configuration.this) == 0
    error_message = "one region copies nothing"
  }
}

run "the_plan_of_a_region_moves_no_other" {
  command = plan

  variables {
    regions = {
      ap-south-1 = {}
      eu-west-1  = { secondary = true, standby = "us-east-1" }
      us-east-1  = { primary = true }
      us-west-2  = { active = false }
    }
  }

  assert {
    condition     = length(aws_dynamodb_table_replica.this) == 24 && contains(keys(aws_dynamodb_table_replica.this), "us-west-2/tenants")
    error_message = "a region that is taken out keeps its replica"
  }
  assert {
    condition     = !contains(keys(aws_route53_record.origin), "us-west-2")
    error_message = "a region that is taken out has no latency record"
  }
  assert {
    condition     = jsonencode(local.published["us-east-1"].regions) == jsonencode({ ap-south-1 = { active = true, code = "aps1" }, eu-west-1 = { active = true, code = "euw1", standby = "us-east-1" }, us-east-1 = { active = true, code = "use1" }, us-west-2 = { active = false, code = "usw2" } })
    error_message = "a standby learns whom it stands in for: ${jsonencode(local.published["us-east-1"].regions)}"
  }
}

run "provisioned_baseline" {
  command = plan

  variables {
    tables = { provisioned = { keys = { read = { min = 100, max = 2000 }, write = { min = 5, max = 50 } } } }
  }

  assert {
    condition     = aws_dynamodb_table.this["keys"].billing_mode == "PROVISIONED" && aws_dynamodb_table.this["tenants"].billing_mode == "PAY_PER_REQUEST"
    error_message = "only the named table is provisioned"
  }
  assert {
    condition     = length(aws_appautoscaling_policy.home) == 2 && length(aws_appautoscaling_policy.replica) == 2 && aws_appautoscaling_target.replica["eu-west-1/keys/read"].max_capacity == 2000
    error_message = "reads and writes scale in both regions"
  }
  assert {
    condition     = length(aws_dynamodb_table.this["keys"].on_demand_throughput) == 0
    error_message = "a provisioned table has no on-demand ceiling"
  }
}

run "production_is_protected" {
  command = plan

  variables {
    environment = "prod"
    domain      = "prism.example"
  }

  assert {
    condition     = aws_dynamodb_table.this["tenants"].deletion_protection_enabled && aws_dynamodb_table_replica.this["eu-west-1/tenants"].deletion_protection_enabled
    error_message = "prod is protected everywhere"
  }
}

run "edge" {
  command = plan

  variables {
    edge = { router_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
    regions = {
      us-east-1 = { primary = true }
      eu-west-1 = { secondary = true, standby = "us-east-1" }
      us-west-2 = { active = false }
    }
  }

  assert {
    condition     = aws_lambda_function.router["this"].s3_key == "functions/edge/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.zip" && aws_lambda_function.router["this"].publish
    error_message = "the router is a published version of the package with that digest"
  }
  assert {
    condition     = local.edge_headers["x-prism-edge-regions"] == "eu-west-1/euw1/active/us-east-1,us-east-1/use1/active/-,us-west-2/usw2/out/-"
    error_message = "the router learns regions, codes, states and standbys: ${local.edge_headers["x-prism-edge-regions"]}"
  }
  assert {
    condition     = local.edge_headers["x-prism-edge-tables"] == "keys=prism-dev-keys,tenants=prism-dev-tenants"
    error_message = "the router learns its tables"
  }
  assert {
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-custom-headers
    condition     = length(local.edge_headers) + 1 <= 10 && alltrue([for value in values(local.edge_headers) : length(value) <= 1783])
    error_message = "CloudFront takes ten custom headers of 1783 characters"
  }
  assert {
    condition     = length(aws_route53_record.edge) == 4
    error_message = "A and AAAA of the domain and its api name"
  }
  assert {
    condition     = alltrue([for association in one(aws_cloudfront_distribution.this["this"].default_cache_behavior).lambda_function_association : association.include_body == false])
    error_message = "bodies pass CloudFront without the router"
  }
  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.this), "router-errors")
    error_message = "every function has an alarm"
  }
}

run "twenty_regions_fit" {
  command = plan

  variables {
    edge = { router_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
    regions = merge({ us-east-1 = { primary = true } }, { for region in [
      "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4",
      "ca-central-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
    ] : region => {} })
  }

  assert {
    condition     = alltrue([for value in values(local.edge_headers) : length(value) <= 1783])
    error_message = "CloudFront takes 1783 characters in a header's value"
  }
}

run "delivery_roles" {
  command = plan

  variables {
    delivery = { repository = "example/prism", state_bucket = "example-states" }
  }

  assert {
    condition     = keys(aws_iam_role.delivery) == ["deploy", "plan"] && aws_iam_role.delivery["deploy"].name == "prism-dev-deploy"
    error_message = "a role that plans and a role that deploys"
  }
  assert {
    condition     = local.delivery_roles.plan.environment == "dev-plan" && local.delivery_roles.deploy.environment == "dev"
    error_message = "each role is for jobs of its own GitHub environment"
  }
  assert {
    condition     = alltrue([for policy in values(local.delivery_policies) : length(policy.json) <= 6144])
    error_message = "policies fit into IAM's limit: ${jsonencode({ for name, policy in local.delivery_policies : name => length(policy.json) })}"
  }
  assert {
    condition     = length([for policy in values(local.delivery_policies) : policy if policy.role == "deploy"]) + 1 <= 10
    error_message = "a role takes ten managed policies unless the quota is raised"
  }
}

run "runs_of_the_pipeline_elsewhere" {
  command = plan

  variables {
    delivery = { repository = "example/prism", state_bucket = "example-states", runs_account = "210987654321" }
  }

  assert {
    condition     = length(aws_s3_bucket.runs) == 0 && output.pipeline_store == "s3://prism-prod-pipeline-210987654321/delivery"
    error_message = "dev uses the bucket of the environment that platform/pipeline.json names"
  }
  assert {
    condition     = strcontains(local.delivery_policies["deploy-state"].json, "arn:aws:s3:::prism-prod-pipeline-210987654321/delivery/*")
    error_message = "its deploying role may write there"
  }
}

run "runs_of_the_pipeline_here" {
  command = plan

  variables {
    environment = "prod"
    delivery    = { repository = "example/prism", state_bucket = "example-states", runs_users = ["210987654321"] }
  }

  assert {
    condition     = keys(aws_s3_bucket.runs) == ["this"] && contains(local.runs_users, "arn:aws:iam::210987654321:role/prism-*-deploy")
    error_message = "prod has the bucket, and the other account's delivery roles use it"
  }
  assert {
    condition     = output.pipeline_store == "s3://${aws_s3_bucket.runs["this"].bucket}/delivery"
    error_message = "what is told is what is made"
  }
}

run "signed_zone" {
  command = plan

  variables {
    dnssec = true
  }

  assert {
    condition     = length(aws_route53_hosted_zone_dnssec.this) == 1
    error_message = "the zone is signed on request"
  }
}
