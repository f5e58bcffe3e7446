# Copies of the hot file system: a backup each night, in the replica region too where there is one, and a live copy where hot.replicate asks for it.
# EFS's own automatic backups stay off, since they would be the same again in a vault without a key of ours.
locals {
  backup_days = 35
}

resource "aws_backup_vault" "hot" {
  name          = "${var.context.prefix}-hot"
  kms_key_arn   = var.keys.data
  force_destroy = local.disposable

  tags = local.tags
}

resource "aws_backup_vault" "replica" {
  for_each = local.replica

  region        = var.replica_region
  name          = "${var.context.prefix}-hot-replica"
  kms_key_arn   = aws_kms_key.replica["this"].arn
  force_destroy = local.disposable

  tags = local.tags
}

resource "aws_backup_plan" "hot" {
  name = "${var.context.prefix}-hot"

  rule {
    rule_name         = "nightly"
    target_vault_name = aws_backup_vault.hot.name
    schedule          = "cron(0 3 * * ? *)"
    start_window      = 60
    completion_window = 360

    lifecycle {
      delete_after = local.backup_days
    }

    dynamic "copy_action" {
      for_each = aws_backup_vault.replica
      content {
        destination_vault_arn = copy_action.value.arn
        lifecycle {
          delete_after = local.backup_days
        }
      }
    }
  }

  tags = local.tags
}

locals {
  backup_assume_policy = {
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.context.account_id } }
    }]
  }

  # The part of AWS's AWSBackupServiceRolePolicyForBackup that a file system needs, on what there is.
  backup_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FileSystem"
        Effect   = "Allow"
        Action   = ["elasticfilesystem:Backup", "elasticfilesystem:DescribeTags"]
        Resource = [aws_efs_file_system.hot.arn]
      },
      {
        Sid    = "Vaults"
        Effect = "Allow"
        Action = ["backup:CopyFromBackupVault", "backup:CopyIntoBackupVault", "backup:DescribeBackupVault"]
        Resource = concat(
          [aws_backup_vault.hot.arn, "arn:${var.context.partition}:backup:${var.context.region}:${var.context.account_id}:recovery-point:*"],
          [for vault in aws_backup_vault.replica : vault.arn],
        )
      },
      {
        Sid      = "Keys"
        Effect   = "Allow"
        Action   = ["kms:DescribeKey"]
        Resource = concat([var.keys.data], [for key in aws_kms_key.replica : key.arn])
      },
      {
        Sid       = "KeyGrants"
        Effect    = "Allow"
        Action    = ["kms:CreateGrant"]
        Resource  = concat([var.keys.data], [for key in aws_kms_key.replica : key.arn])
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
    ]
  }
}

resource "aws_iam_role" "backup" {
  name                 = "${var.context.prefix}-backup"
  description          = "AWS Backup of the hot file system"
  permissions_boundary = "arn:${var.context.partition}:iam::${var.context.account_id}:policy/${var.context.project}-${var.context.environment}-services-boundary" # infra/global makes it
  assume_role_policy   = jsonencode(local.backup_assume_policy)

  tags = local.tags
}

resource "aws_iam_role_policy" "backup" {
  name   = "backup"
  role   = aws_iam_role.backup.id
  policy = jsonencode(local.backup_policy)
}

resource "aws_backup_selection" "hot" {
  name         = "hot"
  plan_id      = aws_backup_plan.hot.id
  iam_role_arn = aws_iam_role.backup.arn
  resources    = [aws_efs_file_system.hot.arn]

  depends_on = [aws_iam_role_policy.backup]
}

# A file system of our own as the target, because one that EFS makes for a replication outlives the replication and nobody owns it.
resource "aws_efs_file_system" "replica" {
  for_each = var.hot.replicate ? local.replica : {}

  region          = var.replica_region
  creation_token  = "${var.context.prefix}-hot-replica"
  encrypted       = true
  kms_key_id      = aws_kms_key.replica["this"].arn
  throughput_mode = "elastic"

  lifecycle_policy {
    transition_to_ia = "AFTER_30_DAYS"
  }

  protection {
    replication_overwrite = "DISABLED"
  }

  tags = merge(local.tags, { Name = "${var.context.prefix}-hot-replica" })

  lifecycle {
    ignore_changes = [protection] # REPLICATING as long as it is a target
  }
}

resource "aws_efs_replication_configuration" "hot" {
  for_each = aws_efs_file_system.replica

  source_file_system_id = aws_efs_file_system.hot.id

  destination {
    region         = var.replica_region
    file_system_id = each.value.id
  }
}
