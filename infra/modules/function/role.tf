# The role template: what every function needs, then what the catalogue says of this one. Written out as JSON, so that tests and `prism verify`
# can read it in a plan.
locals {
  base_statements = concat(
    [
      {
        sid       = "OwnLogGroup"
        effect    = "Allow"
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = ["${local.aws}:logs:${local.here}:log-group:${local.log_group}:*"]
        condition = {}
      },
      {
        # X-Ray has no resources to name: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
        sid       = "Trace"
        effect    = "Allow"
        actions   = ["xray:PutSpans", "xray:PutSpansForIndexing", "xray:PutTelemetryRecords", "xray:PutTraceSegments"]
        resources = ["*"]
        condition = {}
      },
      {
        sid       = "OwnEnvironment"
        effect    = "Allow"
        actions   = ["kms:Decrypt"]
        resources = [var.runtime.keys.data]
        condition = { StringEquals = { "kms:EncryptionContext:aws:lambda:FunctionArn" = [local.function_arn] } }
      },
    ],
    !var.spec.vpc ? [] : [
      {
        # Neither of them has resource-level permissions: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
        sid       = "SeeNetwork"
        effect    = "Allow"
        actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
        resources = ["*"]
        condition = {}
      },
      {
        sid     = "MakeInterface"
        effect  = "Allow"
        actions = ["ec2:CreateNetworkInterface"]
        resources = concat(
          ["${local.aws}:ec2:${local.here}:network-interface/*"],
          [for id in var.runtime.network.subnet_ids : "${local.aws}:ec2:${local.here}:subnet/${id}"],
          [for id in local.security_group_ids : "${local.aws}:ec2:${local.here}:security-group/${id}"],
        )
        condition = {}
      },
      {
        # Lambda asks whether the role may delete any resource there, not whether it may delete an interface:
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html, "Required IAM permissions".
        sid       = "KeepInterface"
        effect    = "Allow"
        actions   = ["ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
        resources = ["${local.aws}:ec2:${local.here}:*/*"]
        condition = {}
      },
      {
        # The interfaces are the service's business; code that runs in the function has none there (same page).
        sid       = "InterfacesAreNotForCode"
        effect    = "Deny"
        actions   = ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"]
        resources = ["*"]
        condition = { ArnEquals = { "lambda:SourceFunctionArn" = [local.function_arn] } }
      },
    ],
    !local.has_queue ? [] : [
      {
        sid       = "DeadLetter"
        effect    = "Allow"
        actions   = ["sqs:SendMessage"]
        resources = [local.queue_arn]
        condition = {}
      },
      {
        sid       = "DeadLetterKey"
        effect    = "Allow"
        actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
        resources = [var.runtime.keys.data]
        condition = { StringEquals = { "kms:ViaService" = ["sqs.${var.context.region}.${var.context.dns_suffix}"] } }
      },
    ],
    !local.touches_tenant_data ? [] : [
      {
        sid       = "BecomeTenant"
        effect    = "Allow"
        actions   = ["sts:AssumeRole", "sts:TagSession"]
        resources = [var.runtime.tenant_access_role_arn]
        condition = {}
      },
    ],
  )

  extra_statements = [for s in var.extra.statements : merge(s, { effect = "Allow" })]

  policy = {
    Version = "2012-10-17"
    Statement = [for s in concat(local.base_statements, local.store_statements, local.extra_statements) : {
      for key, value in { Sid = s.sid, Effect = s.effect, Action = s.actions, Resource = s.resources, Condition = s.condition } :
      key => value if key != "Condition" || length(value) > 0
    }]
  }
}

resource "aws_iam_role" "function" {
  name                 = "${var.context.prefix}-fn-${local.short}"
  description          = "Execution role of function ${local.full}."
  permissions_boundary = var.runtime.boundary_arn
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = aws_iam_role.function.name
  policy = jsonencode(local.policy)
}
