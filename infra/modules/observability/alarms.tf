locals {
  # Every alarm on everything in its scope. `only` narrows by what a thing is; a threshold of a figure that a thing does
  # not have is no alarm.
  instances = merge([
    for alarm in var.alarms.alarms : {
      for key, thing in local.things[alarm.scope] : key == "this" ? alarm.id : "${alarm.id}-${key}" => { alarm = alarm, thing = thing, key = key }
      if alltrue([for field, value in try(alarm.only, {}) : try(thing[field], null) == value]) && (!can(alarm.threshold_of) || try(thing[alarm.threshold_of], null) != null)
    }
  ]...)

  # {name} is the thing's figure of that name; braces that name none stay, as in "/v1/datasets/{dataset}".
  texts = { for name, i in local.instances : name => {
    for field, text in merge(
      { for dimension, value in try(i.alarm.dimensions, {}) : "dimension/${dimension}" => value },
      merge([for id, m in try(i.alarm.metrics, {}) : { for dimension, value in m.dimensions : "metric/${id}/${dimension}" => value }]...),
      { namespace = try(i.alarm.namespace, ""), summary = i.alarm.summary, expression = try(i.alarm.expression, "") },
    ) :
    field => join("", [for part in regexall("\\{[a-z_]+\\}|[^{]+|\\{", text) : try(coalesce(i.thing[trim(part, "{}")]), part)])
  } }

  simple = { for name, i in local.instances : name => i if can(i.alarm.metric) }
  maths  = { for name, i in local.instances : name => i if can(i.alarm.metrics) }
}

resource "aws_cloudwatch_metric_alarm" "simple" {
  for_each = local.simple

  alarm_name        = "${var.context.prefix}-${each.key}"
  alarm_description = "${local.texts[each.key].summary}. ${each.value.alarm.runbook}"

  namespace          = local.texts[each.key].namespace
  metric_name        = each.value.alarm.metric
  statistic          = startswith(each.value.alarm.statistic, "p") ? null : each.value.alarm.statistic
  extended_statistic = startswith(each.value.alarm.statistic, "p") ? each.value.alarm.statistic : null
  dimensions         = { for dimension in keys(each.value.alarm.dimensions) : dimension => local.texts[each.key]["dimension/${dimension}"] }

  period              = each.value.alarm.period_s
  evaluation_periods  = each.value.alarm.periods
  datapoints_to_alarm = each.value.alarm.datapoints
  comparison_operator = each.value.alarm.comparison
  threshold           = can(each.value.alarm.threshold) ? each.value.alarm.threshold : tonumber(each.value.thing[each.value.alarm.threshold_of]) * each.value.alarm.threshold_factor
  treat_missing_data  = each.value.alarm.missing

  alarm_actions = [aws_sns_topic.severity[each.value.alarm.severity].arn]
  ok_actions    = [aws_sns_topic.severity[each.value.alarm.severity].arn]

  tags = { Service = "observability", Severity = each.value.alarm.severity, Alarm = each.value.alarm.id }
}

resource "aws_cloudwatch_metric_alarm" "math" {
  for_each = local.maths

  alarm_name        = "${var.context.prefix}-${each.key}"
  alarm_description = "${local.texts[each.key].summary}. ${each.value.alarm.runbook}"

  evaluation_periods  = each.value.alarm.periods
  datapoints_to_alarm = each.value.alarm.datapoints
  comparison_operator = each.value.alarm.comparison
  threshold = (
    can(each.value.alarm.band) ? null :
    can(each.value.alarm.threshold) ? each.value.alarm.threshold : tonumber(each.value.thing[each.value.alarm.threshold_of]) * each.value.alarm.threshold_factor
  )
  threshold_metric_id = can(each.value.alarm.band) ? "band" : null
  treat_missing_data  = each.value.alarm.missing

  dynamic "metric_query" {
    for_each = can(each.value.alarm.band) ? { band = "ANOMALY_DETECTION_BAND(${keys(each.value.alarm.metrics)[0]}, ${each.value.alarm.band})" } : { result = local.texts[each.key].expression }

    content {
      id          = metric_query.key
      expression  = metric_query.value
      label       = each.value.alarm.id
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = each.value.alarm.metrics

    content {
      id          = metric_query.key
      return_data = can(each.value.alarm.band) # a band needs the metric it is about

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric
        stat        = metric_query.value.statistic
        period      = each.value.alarm.period_s
        dimensions  = { for dimension in keys(metric_query.value.dimensions) : dimension => local.texts[each.key]["metric/${metric_query.key}/${dimension}"] }
      }
    }
  }

  alarm_actions = [aws_sns_topic.severity[each.value.alarm.severity].arn]
  ok_actions    = [aws_sns_topic.severity[each.value.alarm.severity].arn]

  tags = { Service = "observability", Severity = each.value.alarm.severity, Alarm = each.value.alarm.id }
}

# Metrics of Prism's own, out of log lines.
locals {
  filters = merge([
    for metric in var.alarms.metrics : merge([
      for pattern in try(metric.log_groups, []) : { # the others are printed by functions as metric lines
        for group, name in local.log_groups : "${metric.name}/${group}" => { metric = metric, log_group = name }
        if can(regex("^${replace(pattern, "*", ".*")}$", group))
      }
    ]...)
  ]...)
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.filters

  name           = "${var.context.prefix}-${each.value.metric.name}"
  log_group_name = each.value.log_group
  pattern        = each.value.metric.pattern

  metric_transformation {
    namespace     = "Prism/${var.context.prefix}"
    name          = each.value.metric.name
    value         = each.value.metric.value
    default_value = 0
    unit          = "Count"
  }
}
