# One role a machine, from what workflows.json says it may touch. Names are computed, so that nothing here waits for topics.

locals {
  efs_actions = { create = "elasticfilesystem:CreateAccessPoint", describe = "elasticfilesystem:DescribeAccessPoints", delete = "elasticfilesystem:DeleteAccessPoint" }
  any_point   = "${local.arn}:elasticfilesystem:${var.context.region}:${var.context.account_id}:access-point/*"
  gateway     = "${local.arn}:apigateway:${var.context.region}:"

  statements = { for name, machine in var.workflows.machines : name => concat(
    length(machine.may.invoke) == 0 ? [] : [{
      Sid       = "Functions"
      Effect    = "Allow"
      Action    = ["lambda:InvokeFunction"]
      Resource  = sort(flatten(values(local.callees[name])))
      Condition = {}
    }],
    length(machine.may.tables) == 0 ? [] : [{
      Sid       = "Tables"
      Effect    = "Allow"
      Action    = ["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
      Resource  = [for table in machine.may.tables : aws_dynamodb_table.this[table].arn]
      Condition = {}
    }],
    length(machine.may.publish) == 0 ? [] : [{
      Sid       = "Alerts"
      Effect    = "Allow"
      Action    = ["sns:Publish"]
      Resource  = [for severity in machine.may.publish : "${local.arn}:sns:${var.context.region}:${var.context.account_id}:${var.context.prefix}-alerts-${severity}"]
      Condition = {}
    }],
    length(machine.may.send) == 0 ? [] : [{
      Sid       = "Questions"
      Effect    = "Allow"
      Action    = ["sqs:SendMessage"]
      Resource  = [for queue in machine.may.send : aws_sqs_queue.this[queue].arn]
      Condition = {}
    }],
    # Under the data key, as all that a machine touches: statement Key.
    length(machine.may.buckets) == 0 ? [] : [
      { Sid = "Objects", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = [for bucket in machine.may.buckets : "${var.buckets[bucket]}/*"], Condition = {} },
      { Sid = "Buckets", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [for bucket in machine.may.buckets : var.buckets[bucket]], Condition = {} },
    ],
    # To wait for what it started, Step Functions asks for a rule of EventBridge of this name. Source: Step Functions developer guide, "Start
    # a new AWS Step Functions state machine from a running execution".
    length(machine.may.start) == 0 ? [] : [
      { Sid = "StartMachines", Effect = "Allow", Action = ["states:StartExecution"], Resource = [for started in machine.may.start : local.machine_arn[started]], Condition = local.by_alias },
      { Sid = "FollowExecutions", Effect = "Allow", Action = ["states:DescribeExecution", "states:StopExecution"], Resource = [for started in machine.may.start : "${replace(local.machine_arn[started], ":stateMachine:", ":execution:")}:*"], Condition = {} },
      { Sid = "HearOfEnds", Effect = "Allow", Action = ["events:DescribeRule", "events:PutRule", "events:PutTargets"], Resource = ["${local.arn}:events:${var.context.region}:${var.context.account_id}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"], Condition = {} },
    ],
    contains(machine.may.access_points, "create") ? [
      { Sid = "MakeAccessPoints", Effect = "Allow", Action = [local.efs_actions.create], Resource = [var.hot.file_system_arn], Condition = {} },
      { Sid = "TagAccessPoints", Effect = "Allow", Action = ["elasticfilesystem:TagResource"], Resource = [local.any_point], Condition = { StringEquals = { "elasticfilesystem:CreateAction" = ["CreateAccessPoint"] } } },
    ] : [],
    contains(machine.may.access_points, "describe") ? [
      { Sid = "FindAccessPoints", Effect = "Allow", Action = [local.efs_actions.describe], Resource = [var.hot.file_system_arn, local.any_point], Condition = {} },
    ] : [],
    # Only those that onboarding made: a shard's own point has no such tag.
    contains(machine.may.access_points, "delete") ? [
      { Sid = "DropAccessPoints", Effect = "Allow", Action = [local.efs_actions.delete], Resource = [local.any_point], Condition = { StringEquals = { "aws:ResourceTag/ManagedBy" = ["tenant-onboarding"] } } },
    ] : [],
    contains(machine.may.usage_keys, "create") ? [
      { Sid = "MakeUsageKeys", Effect = "Allow", Action = ["apigateway:POST"], Resource = ["${local.gateway}:/apikeys"], Condition = {} },
    ] : [],
    contains(machine.may.usage_keys, "describe") ? [
      { Sid = "FindUsageKeys", Effect = "Allow", Action = ["apigateway:GET"], Resource = ["${local.gateway}:/apikeys"], Condition = {} },
    ] : [],
    contains(machine.may.usage_keys, "delete") ? [
      { Sid = "DropUsageKeys", Effect = "Allow", Action = ["apigateway:DELETE"], Resource = ["${local.gateway}:/apikeys/*"], Condition = {} },
    ] : [],
    contains(machine.may.usage_keys, "plan") ? [
      { Sid = "JoinPlans", Effect = "Allow", Action = ["apigateway:POST"], Resource = [for id in values(var.usage_plan_ids) : "${local.gateway}:/usageplans/${id}/keys"], Condition = {} },
      { Sid = "LeavePlans", Effect = "Allow", Action = ["apigateway:DELETE"], Resource = [for id in values(var.usage_plan_ids) : "${local.gateway}:/usageplans/${id}/keys/*"], Condition = {} },
    ] : [],
    [
      {
        Sid       = "Key"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [var.keys.data]
        Condition = {}
      },
      {
        # None of these takes a resource: service authorization reference, CloudWatch Logs and X-Ray.
        Sid    = "LogsAndTraces"
        Effect = "Allow"
        Action = [
          "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
          "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
          "xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
        ]
        Resource  = ["*"]
        Condition = {}
      },
    ],
  ) }
}

data "aws_iam_policy_document" "trust" {
  for_each = var.workflows.machines

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.context.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.machine_arn[each.key], "${local.machine_arn[each.key]}:*"]
    }
  }
}

data "aws_iam_policy_document" "machine" {
  for_each = var.workflows.machines

  dynamic "statement" {
    for_each = local.statements[each.key]

    content {
      sid       = statement.value.Sid
      actions   = statement.value.Action
      resources = statement.value.Resource

      dynamic "condition" {
        for_each = merge([for test, tested in statement.value.Condition : { for variable, values in tested : variable => { test = test, values = values } }]...)

        content {
          test     = condition.value.test
          variable = condition.key
          values   = condition.value.values
        }
      }
    }
  }
}

resource "aws_iam_role" "machine" {
  for_each = var.workflows.machines

  name                 = "${local.names[each.key]}-workflow"
  description          = each.value.description
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  permissions_boundary = var.boundary_arn

  tags = { Name = "${local.names[each.key]}-workflow", Service = "workflows" }
}

resource "aws_iam_role_policy" "machine" {
  for_each = var.workflows.machines

  name   = "may"
  role   = aws_iam_role.machine[each.key].id
  policy = data.aws_iam_policy_document.machine[each.key].json
}
