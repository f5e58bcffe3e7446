resource "aws_sns_topic" "severity" {
  for_each = var.alarms.severities

  name              = "${var.context.prefix}-alerts-${each.key}"
  display_name      = "Prism ${var.context.environment} ${each.key}"
  kms_master_key_id = var.keys.data

  tags = { Name = "${var.context.prefix}-alerts-${each.key}", Service = "observability", Severity = each.key }
}

data "aws_iam_policy_document" "topic" {
  for_each = var.alarms.severities

  statement {
    sid       = "AlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.severity[each.key].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.context.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${var.context.partition}:cloudwatch:${var.context.region}:${var.context.account_id}:alarm:${var.context.prefix}-*"]
    }
  }

  statement {
    sid       = "NeverInTheClear"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.severity[each.key].arn]

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

resource "aws_sns_topic_policy" "severity" {
  for_each = var.alarms.severities

  arn    = aws_sns_topic.severity[each.key].arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

locals {
  queued = { for name, severity in var.alarms.severities : name => severity if severity.queue }
  emails = merge([for severity, addresses in var.alert_emails : { for address in addresses : "${severity}/${address}" => { severity = severity, address = address } }]...)
}

# Alerts stay for programs that come and go: a pager's bridge, `prism`, a chat.
resource "aws_sqs_queue" "severity" {
  for_each = local.queued

  name                              = "${var.context.prefix}-alerts-${each.key}"
  message_retention_seconds         = 1209600
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = var.keys.data
  kms_data_key_reuse_period_seconds = 300

  tags = { Name = "${var.context.prefix}-alerts-${each.key}", Service = "observability", Severity = each.key }
}

data "aws_iam_policy_document" "queue" {
  for_each = local.queued

  statement {
    sid       = "ItsTopic"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.severity[each.key].arn]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_sns_topic.severity[each.key].arn]
    }
  }

  statement {
    sid       = "NeverInTheClear"
    effect    = "Deny"
    actions   = ["sqs:ReceiveMessage", "sqs:SendMessage"]
    resources = [aws_sqs_queue.severity[each.key].arn]

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

resource "aws_sqs_queue_policy" "severity" {
  for_each = local.queued

  queue_url = aws_sqs_queue.severity[each.key].id
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

resource "aws_sns_topic_subscription" "queue" {
  for_each = local.queued

  topic_arn            = aws_sns_topic.severity[each.key].arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.severity[each.key].arn
  raw_message_delivery = true

  depends_on = [aws_sqs_queue_policy.severity]
}

resource "aws_sns_topic_subscription" "email" {
  for_each = local.emails

  topic_arn = aws_sns_topic.severity[each.value.severity].arn
  protocol  = "email"
  endpoint  = each.value.address
}
