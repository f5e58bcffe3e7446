locals {
  dashboards = { for d in var.alarms.dashboards : d.name => {
    widgets = [
      for position, id in d.widgets : {
        type   = "metric"
        x      = position % 2 * 12
        y      = floor(position / 2) * 6
        width  = 12
        height = 6
        properties = {
          title  = var.alarms.widgets[id].title
          region = var.context.region
          view   = "timeSeries"
          stat   = var.alarms.widgets[id].statistic
          period = 60
          metrics = [
            for key, thing in local.things[var.alarms.widgets[id].scope] : concat(
              [replace(var.alarms.widgets[id].namespace, "{prefix}", var.context.prefix), var.alarms.widgets[id].metric],
              flatten([for dimension, value in var.alarms.widgets[id].dimensions : [
                dimension,
                join("", [for part in regexall("\\{[a-z_]+\\}|[^{]+|\\{", value) : try(coalesce(thing[trim(part, "{}")]), part)]),
              ]]),
            )
            if alltrue([for field, value in try(var.alarms.widgets[id].only, {}) : try(thing[field], null) == value]) && (!can(d.service) || try(thing.service == d.service, true))
          ]
        }
      }
    ]
  } }
}

resource "aws_cloudwatch_dashboard" "this" {
  for_each = local.dashboards

  dashboard_name = "${var.context.prefix}-${each.key}"
  dashboard_body = jsonencode({
    widgets = [for w in each.value.widgets : w if length(w.properties.metrics) > 0]
  })
}

resource "aws_cloudwatch_query_definition" "this" {
  for_each = { for q in var.alarms.queries : q.name => q }

  name         = "${var.context.prefix}/${each.key}"
  query_string = each.value.query

  # Logs Insights asks at most 50 groups at once.
  log_group_names = slice(
    sort(distinct(flatten([for pattern in each.value.log_groups : [for group, name in local.log_groups : name if can(regex("^${replace(pattern, "*", ".*")}$", group))]]))),
    0,
    min(50, length(distinct(flatten([for pattern in each.value.log_groups : [for group in keys(local.log_groups) : group if can(regex("^${replace(pattern, "*", ".*")}$", group))]])))),
  )
}
