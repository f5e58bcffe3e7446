# Bodies are telemetry: attack strings in them are data to store, not attacks, and batches are larger than any form. So
# rules that look into bodies only count. SQL rules are left out altogether, since SQL is what /v1/query takes.

locals {
  managed_rules = {
    reputation = { priority = 20, name = "AWSManagedRulesAmazonIpReputationList", count_only = [] }
    known-bad = {
      priority   = 30
      name       = "AWSManagedRulesKnownBadInputsRuleSet"
      count_only = ["JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY"]
    }
    common = {
      priority = 40
      name     = "AWSManagedRulesCommonRuleSet"
      # Exporters send without User-Agent, too.
      count_only = ["SizeRestrictions_BODY", "EC2MetaDataSSRF_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "CrossSiteScripting_BODY", "NoUserAgent_HEADER"]
    }
  }

  rate_rules = {
    admin = { priority = 0, limit = var.firewall.admin_requests_max, path = "/v1/admin/" }
    all   = { priority = 10, limit = var.firewall.requests_max, path = "" }
  }
}

resource "aws_wafv2_web_acl" "this" {
  name        = "${var.context.prefix}-api"
  description = "Before every stage of the regional API."
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  dynamic "rule" {
    for_each = local.rate_rules

    content {
      name     = "rate-${rule.key}"
      priority = rule.value.priority

      action {
        block {
          custom_response {
            response_code = 429
          }
        }
      }

      statement {
        rate_based_statement {
          limit                 = rule.value.limit
          evaluation_window_sec = 300
          aggregate_key_type    = "IP"

          dynamic "scope_down_statement" {
            for_each = rule.value.path == "" ? {} : { this = rule.value.path }

            content {
              byte_match_statement {
                search_string         = scope_down_statement.value
                positional_constraint = "CONTAINS"

                field_to_match {
                  uri_path {}
                }

                text_transformation {
                  priority = 0
                  type     = "URL_DECODE"
                }

                text_transformation {
                  priority = 1
                  type     = "LOWERCASE"
                }
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.context.prefix}-api-rate-${rule.key}"
        sampled_requests_enabled   = false # samples hold headers, keys among them
      }
    }
  }

  dynamic "rule" {
    for_each = local.managed_rules

    content {
      name     = rule.key
      priority = rule.value.priority

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.value.name

          dynamic "rule_action_override" {
            for_each = rule.value.count_only

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.context.prefix}-api-${rule.key}"
        sampled_requests_enabled   = false
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "${var.context.prefix}-api"
    sampled_requests_enabled   = false
  }

  tags = { Name = "${var.context.prefix}-api", Service = "api" }
}

resource "aws_wafv2_web_acl_association" "stage" {
  for_each = var.shards

  resource_arn = aws_api_gateway_stage.shard[each.key].arn
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}

# WAF wants this beginning of the name. Source: AWS WAF developer guide, "Sending web ACL traffic logs to CloudWatch Logs".
resource "aws_cloudwatch_log_group" "firewall" {
  name              = "aws-waf-logs-${var.context.prefix}-api"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key_arn

  tags = { Service = "api" }
}

# What was refused or counted; the access log has the rest.
resource "aws_wafv2_web_acl_logging_configuration" "this" {
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.firewall.arn]

  redacted_fields {
    single_header {
      name = "authorization"
    }
  }

  redacted_fields {
    single_header {
      name = "x-api-key"
    }
  }

  logging_filter {
    default_behavior = "DROP"

    filter {
      behavior    = "KEEP"
      requirement = "MEETS_ANY"

      condition {
        action_condition {
          action = "BLOCK"
        }
      }

      condition {
        action_condition {
          action = "COUNT"
        }
      }
    }
  }
}
