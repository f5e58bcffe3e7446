# Copies are encrypted with a key of their own region, so that they can be read when this one is gone.
locals {
  replica = { for name in ["this"] : name => true if var.replica_region != "" }

  # As the keys of module security: the account administrates, its roles use the key where their policies say so, through these services only.
  # In a key's own policy "*" is that key.
  replica_key_account  = "arn:${var.context.partition}:iam::${var.context.account_id}:root"
  replica_key_services = [for service in ["backup", "elasticfilesystem", "s3"] : "${service}.${var.replica_region}.${var.context.dns_suffix}"]
  replica_key_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Administration"
        Effect    = "Allow"
        Principal = { AWS = local.replica_key_account }
        Action = [
          "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey", "kms:DisableKeyRotation", "kms:EnableKey",
          "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations",
          "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource",
          "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
        ]
        Resource = "*"
      },
      {
        Sid       = "UseThroughServices"
        Effect    = "Allow"
        Principal = { AWS = local.replica_key_account }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        Resource  = "*"
        Condition = { StringEquals = { "kms:CallerAccount" = var.context.account_id, "kms:ViaService" = local.replica_key_services } }
      },
      {
        # EFS and Backup go on with a grant when nobody is calling.
        Sid       = "GrantsOfServices"
        Effect    = "Allow"
        Principal = { AWS = local.replica_key_account }
        Action    = ["kms:CreateGrant"]
        Resource  = "*"
        Condition = {
          Bool         = { "kms:GrantIsForAWSResource" = "true" }
          StringEquals = { "kms:CallerAccount" = var.context.account_id, "kms:ViaService" = local.replica_key_services }
        }
      },
    ]
  }
}

resource "aws_kms_key" "replica" {
  for_each = local.replica

  region                  = var.replica_region
  description             = "Copies of ${var.context.prefix}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode(local.replica_key_policy)

  tags = merge(local.tags, { Name = "${var.context.prefix}-replica" })
}

resource "aws_kms_alias" "replica" {
  for_each = local.replica

  region        = var.replica_region
  name          = "alias/${var.context.prefix}-replica"
  target_key_id = aws_kms_key.replica[each.key].key_id
}
