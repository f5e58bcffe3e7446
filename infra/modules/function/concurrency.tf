# Reserved concurrency is the system's limit for a function. Provisioned concurrency keeps the warm class warm: it follows the load between its
# bounds, and a schedule may move the bounds. Class from-zero has none.
locals {
  override = lookup(var.runtime.concurrency, var.name, {
    provisioned_min = null
    provisioned_max = null
    reserved        = null
    schedule        = {}
  })

  reserved        = coalesce(local.override.reserved, var.spec.concurrency.max)
  provisioned_min = var.spec.concurrency.class == "warm" ? coalesce(local.override.provisioned_min, var.spec.concurrency.min) : 0
  provisioned_max = (
    local.provisioned_min == 0 ? 0 :
    local.override.provisioned_max != null ? local.override.provisioned_max :
    max(local.provisioned_min, min(var.spec.concurrency.max, local.reserved))
  )

  warm           = local.provisioned_min > 0 ? local.this : toset([])
  warm_schedules = local.provisioned_min > 0 ? local.override.schedule : {}
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  for_each = local.warm

  function_name                     = aws_lambda_function.function.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = local.provisioned_min

  lifecycle {
    ignore_changes = [provisioned_concurrent_executions] # autoscaling moves it
  }
}

# A schedule rewrites the target's bounds, so that the next plan would put them back in the middle of a day. The target does not follow its
# bounds therefore, and is made anew when they change here; what hangs on it in AWS goes with it, so it is made anew as well.
resource "terraform_data" "bounds" {
  for_each = local.warm

  input = {
    min      = local.provisioned_min
    max      = local.provisioned_max
    schedule = { for name, s in local.warm_schedules : name => "${s.cron} ${s.min} ${s.max}" }
  }
}

resource "aws_appautoscaling_target" "live" {
  for_each = aws_lambda_provisioned_concurrency_config.live

  service_namespace  = "lambda"
  scalable_dimension = "lambda:function:ProvisionedConcurrency"
  resource_id        = "function:${each.value.function_name}:${each.value.qualifier}"
  min_capacity       = local.provisioned_min
  max_capacity       = local.provisioned_max
  tags               = local.tags

  lifecycle {
    ignore_changes       = [min_capacity, max_capacity]
    replace_triggered_by = [terraform_data.bounds[each.key]]
  }
}

resource "aws_appautoscaling_policy" "live" {
  for_each = aws_appautoscaling_target.live

  name               = "${local.full}-utilization"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id

  target_tracking_scaling_policy_configuration {
    target_value = 0.7

    predefined_metric_specification {
      predefined_metric_type = "LambdaProvisionedConcurrencyUtilization"
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.bounds[each.key]]
  }
}

resource "aws_appautoscaling_scheduled_action" "live" {
  for_each = local.warm_schedules

  name               = "${local.full}-${each.key}"
  service_namespace  = aws_appautoscaling_target.live["this"].service_namespace
  scalable_dimension = aws_appautoscaling_target.live["this"].scalable_dimension
  resource_id        = aws_appautoscaling_target.live["this"].resource_id
  schedule           = startswith(each.value.cron, "cron(") ? each.value.cron : "cron(${each.value.cron})"
  timezone           = "UTC"

  scalable_target_action {
    min_capacity = each.value.min
    max_capacity = each.value.max
  }

  lifecycle {
    replace_triggered_by = [terraform_data.bounds["this"]]
  }
}
