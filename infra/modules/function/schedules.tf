locals {
  schedule_group_arn = "${local.aws}:scheduler:${local.here}:schedule-group/${local.full}"
}

resource "aws_scheduler_schedule_group" "function" {
  for_each = local.has_schedules ? local.this : toset([])

  name = local.full
  tags = local.tags
}

resource "aws_iam_role" "scheduler" {
  for_each = local.has_schedules ? local.this : toset([])

  name                 = "${var.context.prefix}-schedule-${local.short}"
  description          = "Calls function ${local.full} on its schedules."
  permissions_boundary = var.runtime.boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      # The group, not a schedule: https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
      Condition = { StringEquals = {
        "aws:SourceAccount" = var.context.account_id
        "aws:SourceArn"     = local.schedule_group_arn
      } }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  for_each = local.has_schedules ? local.this : toset([])

  name = "schedule"
  role = aws_iam_role.scheduler[each.key].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Call"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = ["${local.function_arn}:live"]
      },
      {
        Sid      = "DeadLetter"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [local.queue_arn]
      },
      {
        Sid       = "DeadLetterKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [var.runtime.keys.data]
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${var.context.region}.${var.context.dns_suffix}" } }
      },
      {
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
        Sid       = "OwnInput"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [var.runtime.keys.data]
        Condition = { ArnLike = { "kms:EncryptionContext:aws:scheduler:schedule:arn" = "${local.aws}:scheduler:${local.here}:schedule/${local.full}/*" } }
      },
    ]
  })
}

resource "aws_scheduler_schedule" "function" {
  for_each = local.schedules

  name                = each.key
  group_name          = aws_scheduler_schedule_group.function["this"].name
  description         = "${local.short}: ${each.key}"
  schedule_expression = each.value.rate_s == 60 ? "rate(1 minute)" : "rate(${each.value.rate_s / 60} minutes)"
  kms_key_arn         = var.runtime.keys.data

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live.arn
    role_arn = aws_iam_role.scheduler["this"].arn
    input    = jsonencode(each.value.input)

    dead_letter_config {
      arn = aws_sqs_queue.dead_letter["this"].arn
    }

    # Retries of the hand-over to Lambda; those of the call are Lambda's. A turn that is older than its rate has been overtaken by the next one.
    retry_policy {
      maximum_retry_attempts       = 10
      maximum_event_age_in_seconds = min(86400, each.value.rate_s)
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}
