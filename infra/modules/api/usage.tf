# One plan for each tier, one key in it for each tenant: API Gateway counts by key, over all stages of the plan. Keys
# are data: the workflow tenant-onboarding makes them under the authorizer's usageIdentifierKey. AWS counts on a
# best-effort basis; the functions hold the hard limits.

resource "aws_api_gateway_usage_plan" "tier" {
  for_each = local.throttling.tiers

  name        = "${var.context.prefix}-${each.key}"
  description = "Tenants of tier ${each.key}"

  dynamic "api_stages" {
    for_each = var.shards

    content {
      api_id = aws_api_gateway_rest_api.this.id
      stage  = aws_api_gateway_stage.shard[api_stages.key].stage_name
    }
  }

  throttle_settings {
    rate_limit  = each.value.rate
    burst_limit = each.value.burst
  }

  quota_settings {
    limit  = each.value.quota_per_day
    period = "DAY"
  }

  tags = { Name = "${var.context.prefix}-${each.key}", Service = "api" }
}
