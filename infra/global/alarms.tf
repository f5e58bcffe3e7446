# What spans regions is watched here, by the same channel as the budgets. Route 53's and CloudFront's metrics exist in us-east-1 only.
resource "aws_sns_topic" "alarms" {
  name              = "${local.context.prefix}-alarms"
  kms_master_key_id = aws_kms_key.this["logs"].arn

  tags = { Service = "edge" }
}

data "aws_iam_policy_document" "alarms" {
  statement {
    sid       = "AlarmsPublish"
    actions   = ["sns:Publish"]
    resources = [local.alarms_topic_arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.context.account_id]
    }
  }

  statement {
    sid       = "NeverInTheClear"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [local.alarms_topic_arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.notification_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

locals {
  edge_alarms = {
    region-down = { for region in keys(local.active_regions) : local.codes[region] => {
      description = "Region ${region} answers no health checks: the router and the latency records leave it out."
      namespace   = "AWS/Route53", metric = "HealthCheckStatus", statistic = "Minimum", comparison = "LessThanThreshold", threshold = 1, missing = "breaching"
      dimensions  = { HealthCheckId = aws_route53_health_check.region[region].id }
    } }
    edge-errors = { for key in keys(local.distribution) : key => {
      description = "More than 1 % of all answers are 5xx."
      namespace   = "AWS/CloudFront", metric = "5xxErrorRate", statistic = "Average", comparison = "GreaterThanThreshold", threshold = 1, missing = "notBreaching"
      dimensions  = { DistributionId = aws_cloudfront_distribution.this[key].id, Region = "Global" }
    } }
    router-errors = { for key in keys(local.distribution) : key => {
      description = "The edge router throws or returns what CloudFront does not take."
      namespace   = "AWS/Lambda", metric = "Errors", statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
      dimensions  = { FunctionName = "us-east-1.${aws_lambda_function.router[key].function_name}" }
    } }
    router-throttles = { for key in keys(local.distribution) : key => {
      description = "The edge router is throttled: raise Lambda's concurrency quota where it runs."
      namespace   = "AWS/Lambda", metric = "Throttles", statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching"
      dimensions  = { FunctionName = "us-east-1.${aws_lambda_function.router[key].function_name}" }
    } }
  }

  # region-down-euw1, edge-errors, ...
  alarms = merge([for name, instances in local.edge_alarms : { for key, alarm in instances : key == "this" ? name : "${name}-${key}" => alarm }]...)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.context.prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  dimensions          = each.value.dimensions
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  tags = { Service = "edge" }
}
