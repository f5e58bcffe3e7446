# The most that a role of a function, a schedule or a state machine can ever do, whatever its own policies say: this project's things in this region.
# Tables are global, but each region uses its own replica, so they need no exception.
locals {
  in_region = "${local.aws}:%s:${local.here}:%s"

  # Functions that the catalogue lets call others in other regions: these alone leave the region, by this one action and to the deployment's own functions.
  leavers  = [for name, f in var.platform.functions : local.role_patterns[name] if length(try(f.elsewhere, [])) > 0]
  may_call = length(local.leavers) > 0 && length(var.elsewhere) > 0
  abroad = [for statement in [
    {
      Sid      = "CallsElsewhere"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [for region in sort(keys(var.elsewhere)) : "${local.aws}:lambda:${region}:${var.context.account_id}:function:${var.elsewhere[region]}-*"]
    },
    {
      Sid      = "NobodyElseElsewhere"
      Effect   = "Deny"
      Action   = ["lambda:InvokeFunction"]
      Resource = ["*"]
      Condition = {
        StringNotEquals = { "aws:RequestedRegion" = var.context.region }
        ArnNotLike      = { "aws:PrincipalArn" = sort(local.leavers) }
      }
    },
  ] : statement if local.may_call]

  # Likewise those that may read stores there: objects of the deployment's buckets, opened by keys through S3 of that region.
  readers  = sort([for name, f in var.platform.functions : local.role_patterns[name] if length(try(f.stores_elsewhere, {})) > 0])
  may_read = length(local.readers) > 0 && length(var.elsewhere) > 0
  reading = [for statement in [
    {
      Sid      = "ReadsElsewhere"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "s3:GetObject"]
      Resource = flatten([for region in sort(keys(var.elsewhere)) : ["${local.aws}:kms:${region}:${var.context.account_id}:key/*", "${local.aws}:s3:::${var.elsewhere[region]}-*/*"]])
    },
    {
      Sid      = "NobodyElseReadsElsewhere"
      Effect   = "Deny"
      Action   = ["kms:Decrypt", "s3:GetObject"]
      Resource = ["*"]
      Condition = {
        StringNotEquals = { "aws:RequestedRegion" = var.context.region }
        ArnNotLike      = { "aws:PrincipalArn" = local.readers }
      }
    },
  ] : statement if local.may_read]

  boundary = {
    Version = "2012-10-17"
    Statement = concat(local.abroad, local.reading, [
      {
        Sid    = "Data"
        Effect = "Allow"
        Action = [
          "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem",
          "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem",
          "elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "elasticfilesystem:CreateAccessPoint", "elasticfilesystem:DeleteAccessPoint",
          "elasticfilesystem:DescribeAccessPoints", "elasticfilesystem:TagResource",
          "rds-db:connect",
          "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:GetObjectTagging", "s3:ListBucket", "s3:ListBucketMultipartUploads",
          "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging",
          "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
          "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath",
        ]
        Resource = [
          format(local.in_region, "dynamodb", "table/${var.context.project}-${var.context.environment}-*"),
          format(local.in_region, "elasticfilesystem", "access-point/*"),
          format(local.in_region, "elasticfilesystem", "file-system/*"),
          format(local.in_region, "rds-db", "dbuser:*/${var.context.project}_*"),
          "${local.aws}:s3:::${var.context.prefix}-*",
          format(local.in_region, "secretsmanager", "secret:${var.context.project}/${var.context.environment}/*"),
          format(local.in_region, "secretsmanager", "secret:rds!cluster-*"),
          format(local.in_region, "ssm", "parameter${var.context.path}/*"),
        ]
      },
      {
        Sid    = "Calls"
        Effect = "Allow"
        Action = [
          "events:DescribeRule", "events:PutEvents", "events:PutRule", "events:PutTargets", "lambda:InvokeFunction", "sns:Publish", "sqs:SendMessage",
          "states:DescribeExecution", "states:GetExecutionHistory", "states:ListExecutions", "states:RedriveExecution", "states:SendTaskFailure", "states:SendTaskSuccess",
          "states:StartExecution", "states:StartSyncExecution", "states:StopExecution",
          "apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST",
        ]
        Resource = [
          "${local.aws}:apigateway:${var.context.region}::/apikeys",
          "${local.aws}:apigateway:${var.context.region}::/apikeys/*",
          "${local.aws}:apigateway:${var.context.region}::/usageplans/*/keys",
          "${local.aws}:apigateway:${var.context.region}::/usageplans/*/keys/*",
          format(local.in_region, "events", "event-bus/${var.context.prefix}-*"),
          format(local.in_region, "events", "rule/StepFunctions*"), # how Step Functions waits for what it started
          format(local.in_region, "lambda", "function:${var.context.prefix}-*"),
          format(local.in_region, "sns", "${var.context.prefix}-*"),
          format(local.in_region, "sqs", "${var.context.prefix}-*"),
          format(local.in_region, "states", "execution:${var.context.prefix}-*"),
          format(local.in_region, "states", "express:${var.context.prefix}-*"),
          format(local.in_region, "states", "stateMachine:${var.context.prefix}-*"),
        ]
      },
      {
        Sid      = "Keys"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        Resource = [format(local.in_region, "kms", "key/*")]
      },
      {
        Sid      = "BecomeTenant"
        Effect   = "Allow"
        Action   = ["sts:AssumeRole", "sts:TagSession"]
        Resource = ["${local.aws}:iam::${var.context.account_id}:role/${local.tenant_role_name}"]
      },
      {
        Sid      = "OwnLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [format(local.in_region, "logs", "log-group:${var.context.path}/*")]
      },
      {
        Sid      = "Interfaces"
        Effect   = "Allow"
        Action   = ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
        Resource = [format(local.in_region, "ec2", "*/*")]
      },
      {
        # None of these has resource-level permissions: infra/wildcards.json. Deliveries of logs are what Step Functions asks of a state machine's role.
        Sid    = "WithoutResources"
        Effect = "Allow"
        Action = [
          "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
          "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
          "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
          "xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutSpans", "xray:PutSpansForIndexing", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
        ]
        Resource = ["*"]
      },
      {
        Sid      = "NeverRights"
        Effect   = "Deny"
        Action   = ["account:*", "iam:*", "organizations:*"]
        Resource = ["*"]
      },
      {
        # What is global by nature has no region to be held to.
        Sid       = "NeverAnotherRegion"
        Effect    = "Deny"
        NotAction = concat(["iam:*"], local.may_read ? ["kms:Decrypt"] : [], local.may_call ? ["lambda:InvokeFunction"] : [], local.may_read ? ["s3:GetObject"] : [], ["sts:*"])
        Resource  = ["*"]
        Condition = { StringNotEquals = { "aws:RequestedRegion" = var.context.region } }
      },
    ])
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "${var.context.prefix}-boundary"
  description = "The most that roles of functions, schedules and state machines can do."
  policy      = jsonencode(local.boundary)
  tags        = local.tags

  lifecycle {
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html; IAM does not count blanks, jsonencode writes none.
    precondition {
      condition     = length(jsonencode(local.boundary)) <= 6144
      error_message = "The permissions boundary has ${length(jsonencode(local.boundary))} characters; a managed policy takes 6144. Shorten the project's name."
    }
  }
}
