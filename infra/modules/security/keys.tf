# One key per kind of data, so that reading logs, data, secrets and database are four rights. A key policy that names the account hands the decision
# to IAM: a role uses a key only if its own policy says so as well, and only through the services listed here.
locals {
  # Everything but use: who administrates keys can neither read with them nor, without a trail, let others.
  administration = [
    "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey", "kms:DisableKeyRotation", "kms:EnableKey",
    "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations",
    "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource",
    "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
  ]

  keys = {
    data = {
      description = "Tenants' data: objects, hot files, queues, backups, environments of functions."
      via         = ["athena", "backup", "dynamodb", "elasticfilesystem", "glue", "lambda", "s3", "scheduler", "sns", "sqs", "states", "xray"]
      statements  = [local.alerts]
    }
    logs = {
      description = "Log groups."
      via         = ["logs"]
      statements  = [local.log_service]
    }
    secrets = {
      description = "Secrets and parameters."
      via         = ["secretsmanager", "ssm"]
      statements  = []
    }
    database = {
      description = "The catalog's database, its backups and its insights."
      via         = ["backup", "rds"]
      statements  = []
    }
  }

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html. Groups that bear Prism's names, and those whose names AWS prescribes.
  log_groups = [
    "${var.context.path}/*",
    "/aws/*/${var.context.prefix}-*",
    "/aws/*${var.context.path}/*",
    "aws-waf-logs-${var.context.prefix}*",
    "API-Gateway-Execution-Logs_*",
  ]
  log_service = {
    Sid       = "LogGroups"
    Effect    = "Allow"
    Principal = { Service = "logs.${var.context.region}.${var.context.dns_suffix}" }
    Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
    Resource  = "*"
    Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = [for name in local.log_groups : "${local.aws}:logs:${local.here}:log-group:${name}"] } }
  }

  # Services that put messages into encrypted topics and queues: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html,
  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
  alerts = {
    Sid       = "Alerts"
    Effect    = "Allow"
    Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com", "s3.amazonaws.com", "sns.amazonaws.com"] }
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = "*"
    Condition = { StringEquals = { "aws:SourceAccount" = var.context.account_id } }
  }

  key_policies = { for name, key in local.keys : name => {
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "Administration"
          Effect    = "Allow"
          Principal = { AWS = local.account }
          Action    = local.administration
          Resource  = "*"
        },
        {
          Sid       = "UseThroughServices"
          Effect    = "Allow"
          Principal = { AWS = local.account }
          Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
          Resource  = "*"
          Condition = { StringEquals = {
            "kms:CallerAccount" = var.context.account_id
            "kms:ViaService"    = [for service in key.via : "${service}.${var.context.region}.${var.context.dns_suffix}"]
          } }
        },
        {
          # EFS, RDS, Lambda, Backup go on with a grant when nobody is calling.
          Sid       = "GrantsOfServices"
          Effect    = "Allow"
          Principal = { AWS = local.account }
          Action    = ["kms:CreateGrant"]
          Resource  = "*"
          Condition = {
            Bool = { "kms:GrantIsForAWSResource" = "true" }
            StringEquals = {
              "kms:CallerAccount" = var.context.account_id
              "kms:ViaService"    = [for service in key.via : "${service}.${var.context.region}.${var.context.dns_suffix}"]
            }
          }
        },
      ],
      # Lambda and Scheduler decrypt with the function's or schedule's role and by context, not by a call that came through them.
      name != "data" ? [] : [{
        Sid       = "EnvironmentsAndSchedules"
        Effect    = "Allow"
        Principal = { AWS = local.account }
        Action    = ["kms:Decrypt"]
        Resource  = "*"
        Condition = {
          ArnLike = { "aws:PrincipalArn" = "${local.aws}:iam::${var.context.account_id}:role/${var.context.prefix}-*" }
          "ForAnyValue:StringEquals" = {
            "kms:EncryptionContextKeys" = ["aws:lambda:FunctionArn", "aws:scheduler:schedule:arn", "aws:states:stateMachineArn"]
          }
        }
      }],
      key.statements,
    )
  } }
}

resource "aws_kms_key" "this" {
  for_each = local.keys

  description             = "${var.context.prefix} ${each.key}: ${each.value.description}"
  policy                  = jsonencode(local.key_policies[each.key])
  enable_key_rotation     = true # every year
  deletion_window_in_days = var.key_deletion_days

  tags = merge(local.tags, { Name = "${var.context.prefix}-${each.key}" })
}

resource "aws_kms_alias" "this" {
  for_each = local.keys

  name          = "alias/${var.context.prefix}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}
