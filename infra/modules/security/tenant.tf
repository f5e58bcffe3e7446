# One role for every tenant: a function takes it with the session tag `tenant`, and what it may reach follows from the tag. A bug in a function that
# works for one tenant then ends at that tenant's prefix and partition. The tag `access` = "read-write" is for functions that may write by the catalogue.
locals {
  tenant_role_name = "${var.context.prefix}-tenant"
  tenant_tag       = "$${aws:PrincipalTag/tenant}"

  tenant_buckets    = [var.runtime.stores.analytics.arn, var.runtime.stores.segments.arn]
  tenant_table_arns = [for table in local.tenant_tables : var.runtime.stores.tables.arns[table]]

  tenant_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "ListOwn"
          Effect    = "Allow"
          Action    = ["s3:ListBucket"]
          Resource  = local.tenant_buckets
          Condition = { StringLike = { "s3:prefix" = ["${local.tenant_tag}/*"], "aws:PrincipalTag/tenant" = "?*" } }
        },
        {
          Sid       = "ReadOwn"
          Effect    = "Allow"
          Action    = ["s3:GetObject"]
          Resource  = [for arn in local.tenant_buckets : "${arn}/${local.tenant_tag}/*"]
          Condition = { StringLike = { "aws:PrincipalTag/tenant" = "?*" } }
        },
        {
          Sid      = "WriteOwn"
          Effect   = "Allow"
          Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging"]
          Resource = [for arn in local.tenant_buckets : "${arn}/${local.tenant_tag}/*"]
          Condition = {
            StringLike   = { "aws:PrincipalTag/tenant" = "?*" }
            StringEquals = { "aws:PrincipalTag/access" = "read-write" }
          }
        },
        {
          Sid      = "ReadOwnItems"
          Effect   = "Allow"
          Action   = ["dynamodb:GetItem", "dynamodb:Query"]
          Resource = local.tenant_table_arns
          Condition = {
            "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = [local.tenant_tag] }
            Null                        = { "dynamodb:LeadingKeys" = "false" }
          }
        },
        {
          Sid      = "WriteOwnItems"
          Effect   = "Allow"
          Action   = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
          Resource = local.tenant_table_arns
          Condition = {
            "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = [local.tenant_tag] }
            Null                        = { "dynamodb:LeadingKeys" = "false" }
            StringEquals                = { "aws:PrincipalTag/access" = "read-write" }
          }
        },
        {
          Sid       = "DataKey"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = [aws_kms_key.this["data"].arn]
          Condition = { StringEquals = { "kms:ViaService" = "s3.${var.context.region}.${var.context.dns_suffix}" } }
        },
      ],
      length(var.runtime.stores.tables.key_arns) == 0 ? [] : [{
        Sid       = "TableKeys"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:DescribeKey"]
        Resource  = var.runtime.stores.tables.key_arns
        Condition = { StringEquals = { "kms:ViaService" = "dynamodb.${var.context.region}.${var.context.dns_suffix}" } }
      }],
    )
  }

  # The tag is asked for, and no other can be slipped in.
  tenant_trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Read"
        Effect    = "Allow"
        Principal = { AWS = local.account }
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Condition = {
          ArnLike                     = { "aws:PrincipalArn" = local.tenant_users }
          StringLike                  = { "aws:RequestTag/tenant" = "?*" }
          "ForAllValues:StringEquals" = { "aws:TagKeys" = ["tenant"] }
        }
      },
      {
        Sid       = "ReadAndWrite"
        Effect    = "Allow"
        Principal = { AWS = local.account }
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Condition = {
          ArnLike                     = { "aws:PrincipalArn" = local.tenant_writers }
          StringLike                  = { "aws:RequestTag/tenant" = "?*" }
          StringEquals                = { "aws:RequestTag/access" = "read-write" }
          "ForAllValues:StringEquals" = { "aws:TagKeys" = ["access", "tenant"] }
        }
      },
    ]
  }
}

resource "aws_iam_role" "tenant" {
  name                 = local.tenant_role_name
  description          = "One tenant's data, by session tag."
  assume_role_policy   = jsonencode(local.tenant_trust)
  permissions_boundary = aws_iam_policy.boundary.arn
  max_session_duration = 3600 # an hour is all that a role may have that another role assumes
  tags                 = local.tags
}

resource "aws_iam_role_policy" "tenant" {
  name   = "tenant"
  role   = aws_iam_role.tenant.name
  policy = jsonencode(local.tenant_policy)
}
