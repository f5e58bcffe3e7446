# What matters to somebody is seldom one metric. A composite is in alarm while any of its alarms is, and tells its severity's
# topic. If nobody acknowledges it, the next severity is told after a while: CloudWatch holds back an alarm's actions until
# its suppressor goes off, at most for the wait period, and the suppressor here is the acknowledgement.
# Source: CloudWatch user guide, "Suppressing composite alarm actions".

locals {
  composites = { for c in var.alarms.composites : c.id => merge(c, {
    alarms = sort(concat(
      [for name, i in local.simple : aws_cloudwatch_metric_alarm.simple[name].alarm_name if contains(c.any, i.alarm.id)],
      [for name, i in local.maths : aws_cloudwatch_metric_alarm.math[name].alarm_name if contains(c.any, i.alarm.id)],
    ))
  }) }

  # Whether a composite has anything to watch is known without the alarms' names.
  composite_ids = toset([for c in var.alarms.composites : c.id if anytrue([for i in local.instances : contains(c.any, i.alarm.id)])])

  escalations = { for id in local.composite_ids : id => var.alarms.severities[local.composite_severity[id]]
  if try(var.alarms.severities[local.composite_severity[id]].escalate_to, null) != null }
  composite_severity = { for c in var.alarms.composites : c.id => c.severity }
}

resource "aws_cloudwatch_composite_alarm" "this" {
  for_each = local.composite_ids

  alarm_name        = "${var.context.prefix}-${each.key}"
  alarm_description = local.composites[each.key].summary
  alarm_rule        = join(" OR ", [for name in local.composites[each.key].alarms : "ALARM(\"${name}\")"])

  alarm_actions = [aws_sns_topic.severity[local.composites[each.key].severity].arn]
  ok_actions    = [aws_sns_topic.severity[local.composites[each.key].severity].arn]

  tags = { Service = "observability", Severity = local.composites[each.key].severity }

  lifecycle {
    # Source: CloudWatch API reference, PutCompositeAlarm.
    precondition {
      condition     = length(local.composites[each.key].alarms) <= 100 && length(join(" OR ", [for name in local.composites[each.key].alarms : "ALARM(\"${name}\")"])) <= 10240
      error_message = "Composite ${each.key} would watch ${length(local.composites[each.key].alarms)} alarms; CloudWatch takes 100, in 10240 characters. Split it in platform/alarms.json."
    }
  }
}

# In alarm for an hour after somebody sent the metric `acknowledged` for the composite.
resource "aws_cloudwatch_metric_alarm" "acknowledged" {
  for_each = local.escalations

  alarm_name        = "${var.context.prefix}-${each.key}-acknowledged"
  alarm_description = "Somebody looks after ${each.key}. Put the metric acknowledged = 1 with dimension Composite to say so."

  namespace           = "Prism/${var.context.prefix}"
  metric_name         = "acknowledged"
  dimensions          = { Composite = each.key }
  statistic           = "Maximum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"

  tags = { Service = "observability" }
}

resource "aws_cloudwatch_composite_alarm" "escalated" {
  for_each = local.escalations

  alarm_name        = "${var.context.prefix}-${each.key}-escalated"
  alarm_description = "${local.composites[each.key].summary}, and nobody acknowledged it for ${each.value.escalate_after_s} s."
  alarm_rule        = "ALARM(\"${aws_cloudwatch_composite_alarm.this[each.key].alarm_name}\")"

  actions_suppressor {
    alarm            = aws_cloudwatch_metric_alarm.acknowledged[each.key].alarm_name
    wait_period      = each.value.escalate_after_s
    extension_period = 60
  }

  alarm_actions = [aws_sns_topic.severity[each.value.escalate_to].arn]

  tags = { Service = "observability", Severity = each.value.escalate_to }
}
