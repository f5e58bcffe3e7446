# The firewall of the distribution.
#
# Telemetry bodies hold whatever a tenant's programs print: markup, paths, shell, exploit attempts that they logged, and many are large. A rule that judges
# bodies would refuse the very records that Prism is for, so such rules count and do not block; the functions parse bodies as data only.
# Names of rules: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
locals {
  rule_groups = {
    reputation = { priority = 10, name = "AWSManagedRulesAmazonIpReputationList", count = [] }
    common = { priority = 20, name = "AWSManagedRulesCommonRuleSet", count = [
      "SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "EC2MetaDataSSRF_BODY", "RestrictedExtensions_URIPATH",
      "NoUserAgent_HEADER", # small exporters send none
    ] }
    inputs = { priority = 30, name = "AWSManagedRulesKnownBadInputsRuleSet", count = [
      "JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY",
    ] }
  }
}

resource "aws_wafv2_web_acl" "edge" {
  name        = local.edge_name
  description = "Firewall of ${var.domain}"
  scope       = "CLOUDFRONT"

  default_action {
    allow {}
  }

  dynamic "rule" {
    for_each = local.rule_groups

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
            for_each = toset(rule.value.count)

            content {
              name = rule_action_override.key

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${local.edge_name}-${rule.key}"
        sampled_requests_enabled   = false # samples hold headers, and headers hold keys
      }
    }
  }

  rule {
    name     = "rate"
    priority = 40

    action {
      block {
        custom_response {
          response_code            = 429
          custom_response_body_key = "rate"
          response_header {
            name  = "retry-after"
            value = "60"
          }
        }
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.edge.requests_per_5_min
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${local.edge_name}-rate"
      sampled_requests_enabled   = false
    }
  }

  custom_response_body {
    key          = "rate"
    content_type = "APPLICATION_JSON"
    content      = jsonencode({ type = "about:blank", title = "Too Many Requests", status = 429, detail = "too many requests at once; repeat later" })
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = local.edge_name
    sampled_requests_enabled   = false
  }

  tags = { Service = "edge" }
}

resource "aws_cloudwatch_log_group" "waf" {
  name              = local.waf_log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this["logs"].arn

  tags = { Service = "edge" }
}

resource "aws_wafv2_web_acl_logging_configuration" "edge" {
  resource_arn            = aws_wafv2_web_acl.edge.arn
  log_destination_configs = [aws_cloudwatch_log_group.waf.arn]

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
  redacted_fields {
    single_header {
      name = "cookie"
    }
  }

  # What passed untouched stands in the access log.
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
      condition {
        action_condition {
          action = "EXCLUDED_AS_COUNT"
        }
      }
    }
  }

  depends_on = [aws_cloudwatch_log_resource_policy.writers]
}
