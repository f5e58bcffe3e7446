locals {
  schedules = merge([
    for name, machine in var.workflows.machines : {
      for schedule, s in machine.schedules : "${name}-${schedule}" => merge(s, { machine = name })
    }
  ]...)
  scheduled = toset(distinct([for s in local.schedules : s.machine]))
}

resource "aws_scheduler_schedule_group" "this" {
  name = "${var.context.prefix}-workflows"

  tags = { Name = "${var.context.prefix}-workflows", Service = "workflows" }
}

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    # The group, not a schedule. Source: EventBridge Scheduler user guide, "Confused deputy prevention".
    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = ["${local.arn}:scheduler:${var.context.region}:${var.context.account_id}:schedule-group/${var.context.prefix}-workflows"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.context.account_id]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  for_each = local.scheduled

  statement {
    sid       = "Start"
    actions   = ["states:StartExecution"]
    resources = [aws_sfn_state_machine.this[each.key].arn]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "states:StateMachineQualifier"
      values   = local.by_alias["ForAnyValue:StringEquals"]["states:StateMachineQualifier"]
    }
  }

  statement {
    sid       = "DeadLetter"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.unstarted.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.keys.data]
  }
}

resource "aws_iam_role" "scheduler" {
  for_each = local.scheduled

  name                 = "${local.names[each.key]}-schedule"
  description          = "Starts ${each.key} on its schedules."
  assume_role_policy   = data.aws_iam_policy_document.scheduler_trust.json
  permissions_boundary = var.boundary_arn

  tags = { Name = "${local.names[each.key]}-schedule", Service = "workflows" }
}

resource "aws_iam_role_policy" "scheduler" {
  for_each = local.scheduled

  name   = "may"
  role   = aws_iam_role.scheduler[each.key].id
  policy = data.aws_iam_policy_document.scheduler[each.key].json
}

resource "aws_scheduler_schedule" "this" {
  for_each = local.schedules

  name                         = "${var.context.prefix}-${each.key}"
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = each.value.expression
  schedule_expression_timezone = "UTC"
  kms_key_arn                  = var.keys.data

  flexible_time_window {
    mode                      = each.value.window_min > 0 ? "FLEXIBLE" : "OFF"
    maximum_window_in_minutes = each.value.window_min > 0 ? each.value.window_min : null
  }

  target {
    arn      = aws_sfn_alias.live[each.value.machine].arn
    role_arn = aws_iam_role.scheduler[each.value.machine].arn
    input    = jsonencode(each.value.input)

    retry_policy {
      maximum_event_age_in_seconds = 1800
      maximum_retry_attempts       = 5
    }

    dead_letter_config {
      arn = aws_sqs_queue.unstarted.arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}
