resource "aws_xray_group" "this" {
  for_each = var.alarms.tracing.groups

  group_name        = "${var.context.prefix}-${each.key}"
  filter_expression = "${each.value.filter} AND http.url CONTAINS \"${var.api.domain_name}\""

  insights_configuration {
    insights_enabled      = each.value.insights
    notifications_enabled = each.value.insights
  }

  tags = { Name = "${var.context.prefix}-${each.key}", Service = "observability" }
}

# How many requests are traced; the first match in order of priority counts.
resource "aws_xray_sampling_rule" "this" {
  for_each = var.alarms.tracing.sampling

  rule_name      = "${var.context.prefix}-${each.key}"
  priority       = each.value.priority
  version        = 1
  reservoir_size = each.value.reservoir
  fixed_rate     = each.value.rate
  http_method    = each.value.method
  url_path       = each.value.path
  host           = var.api.domain_name
  service_name   = "*"
  service_type   = "*"
  resource_arn   = "*" # no permission: which resources' requests the rule is about

  tags = { Name = "${var.context.prefix}-${each.key}", Service = "observability" }

  lifecycle {
    precondition {
      condition     = length("${var.context.prefix}-${each.key}") <= 32
      error_message = "X-Ray takes 32 characters as name of a sampling rule; ${var.context.prefix}-${each.key} has more. Shorten its name in platform/alarms.json or the project's."
    }
  }
}

resource "aws_xray_encryption_config" "this" {
  for_each = var.trace_encryption ? { this = var.keys.data } : {}

  type   = "KMS"
  key_id = each.value
}
