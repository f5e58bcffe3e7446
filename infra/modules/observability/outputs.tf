output "topics" {
  description = "Topics by severity."
  value       = { for severity, topic in aws_sns_topic.severity : severity => topic.arn }

  depends_on = [aws_sns_topic_policy.severity]
}

output "queues" {
  description = "Queues of alerts by severity."
  value       = { for severity, queue in aws_sqs_queue.severity : severity => { arn = queue.arn, name = queue.name } }
}

output "dashboards" {
  description = "Dashboards by name."
  value       = { for name, dashboard in aws_cloudwatch_dashboard.this : name => dashboard.dashboard_name }
}

output "alarm_names" {
  description = "All alarms, sorted: of metrics, composite, escalated. A rollout watches them."
  value = sort(concat(
    [for alarm in aws_cloudwatch_metric_alarm.simple : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.math : alarm.alarm_name],
    [for alarm in aws_cloudwatch_composite_alarm.this : alarm.alarm_name],
    [for alarm in aws_cloudwatch_composite_alarm.escalated : alarm.alarm_name],
  ))
}
