# What the contract has API Gateway start by itself, without a function: a role that may start those machines by their alias and nothing else.
# Machines are named by the contract's own request templates; module workflows makes them, later, under these names.

locals {
  started = sort(distinct(flatten([
    for item in local.contract.paths : [
      for operation in item : [
        for template in values(try(operation["x-amazon-apigateway-integration"].requestTemplates, {})) :
        [for found in regexall("\"stateMachineArn\":\"(arn:[^\"$#]+):live\"", template) : found[0]]
      ] if try(operation["x-amazon-apigateway-integration"].type, "") == "aws"
    ]
  ])))
}

data "aws_iam_policy_document" "start_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }

    # Not for an API of somebody else's. Source: IAM user guide, "The confused deputy problem".
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.context.account_id]
    }
  }
}

data "aws_iam_policy_document" "start" {
  # Step Functions asks for a permission on the machine's own ARN, and says by this key what was named behind it: see module workflows.
  statement {
    sid       = "Start"
    actions   = ["states:StartExecution"]
    resources = local.started

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "states:StateMachineQualifier"
      values   = ["live"]
    }
  }

  # Inputs of executions are under the data key.
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.data_key_arn]
  }
}

resource "aws_iam_role" "start" {
  name                 = "${var.context.prefix}-api-start" # as the contract has it in `credentials`
  description          = "API Gateway starts state machines with this role."
  permissions_boundary = var.boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.start_trust.json

  tags = { Name = "${var.context.prefix}-api-start", Service = "api" }
}

resource "aws_iam_role_policy" "start" {
  name   = "start"
  role   = aws_iam_role.start.id
  policy = data.aws_iam_policy_document.start.json
}
