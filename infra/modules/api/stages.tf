resource "aws_api_gateway_stage" "shard" {
  for_each = var.shards

  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = each.key
  description   = "Tenants of ${each.key}"

  variables            = { for name, text in local.names.variables : name => replace(text, "{shard}", each.key) }
  xray_tracing_enabled = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = jsonencode(local.access_log_fields)
  }

  tags = { Name = "${var.context.prefix}-api-${each.key}", Service = "api", Shard = each.key }

  # API Gateway would make the execution log group by itself, without key and retention.
  depends_on = [
    aws_api_gateway_account.this,
    aws_cloudwatch_log_group.execution,
  ]
}

# What the system can carry. It holds for a stage as a whole; tenants have their tier's share of it (usage.tf).
resource "aws_api_gateway_method_settings" "stage" {
  for_each = var.shards

  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.shard[each.key].stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = var.logging_level
    data_trace_enabled     = false # would write bodies, and with them tenants' data, into the log
    throttling_rate_limit  = local.throttling.system.rate
    throttling_burst_limit = local.throttling.system.burst
    caching_enabled        = false
  }
}

locals {
  # API Gateway names a method by its resource's path with ~1 for each slash, the first included. Source: provider
  # issue 9738, and the API reference of UpdateStage.
  route_limits = merge([
    for shard in local.shard_names : {
      for id, limit in local.throttling.routes : "${shard}/${id}" => {
        shard = shard
        path  = "${replace(try(local.operations[id].path, id), "/", "~1")}/${try(local.operations[id].method, "GET")}"
        rate  = limit.rate
        burst = limit.burst
      }
    }
  ]...)
}

# Settings of a method stand instead of the stage's, so all of them are repeated. After the stage's own, because
# writing "*/*" resets what stands for single methods.
resource "aws_api_gateway_method_settings" "route" {
  for_each = local.route_limits

  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_method_settings.stage[each.value.shard].stage_name
  method_path = each.value.path

  settings {
    metrics_enabled        = true
    logging_level          = var.logging_level
    data_trace_enabled     = false
    throttling_rate_limit  = each.value.rate
    throttling_burst_limit = each.value.burst
    caching_enabled        = false
  }
}
