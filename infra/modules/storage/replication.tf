# segments and analytics are copied to the replica region within minutes, deletions included: a copy that keeps what was deleted would be no copy of
# a tenant's data. Objects from before replication was switched on need S3 Batch Replication once.
locals {
  replicated = length(local.replica) > 0 ? local.data_buckets : {}

  replication_assume_policy = {
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  }

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html and
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html; with bucket keys the encryption context is the bucket.
  replication_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Sources"
        Effect   = "Allow"
        Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
        Resource = [for name in keys(local.replicated) : local.bucket_arns[name]]
      },
      {
        Sid      = "SourceObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
        Resource = [for name in keys(local.replicated) : "${local.bucket_arns[name]}/*"]
      },
      {
        Sid      = "Copies"
        Effect   = "Allow"
        Action   = ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"]
        Resource = [for name in keys(local.replicated) : "${local.bucket_arns["${name}-replica"]}/*"]
      },
      {
        Sid      = "OpenSources"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.keys.data]
        Condition = {
          StringEquals = { "kms:ViaService" = "s3.${var.context.region}.${var.context.dns_suffix}" }
          StringLike   = { "kms:EncryptionContext:aws:s3:arn" = flatten([for name in keys(local.replicated) : [local.bucket_arns[name], "${local.bucket_arns[name]}/*"]]) }
        }
      },
      {
        Sid      = "SealCopies"
        Effect   = "Allow"
        Action   = ["kms:Encrypt", "kms:GenerateDataKey"]
        Resource = [for key in aws_kms_key.replica : key.arn]
        Condition = {
          StringEquals = { "kms:ViaService" = "s3.${var.replica_region}.${var.context.dns_suffix}" }
          StringLike   = { "kms:EncryptionContext:aws:s3:arn" = flatten([for name in keys(local.replicated) : [local.bucket_arns["${name}-replica"], "${local.bucket_arns["${name}-replica"]}/*"]]) }
        }
      },
    ]
  }
}

resource "aws_iam_role" "replication" {
  for_each = local.replica

  name                 = "${var.context.prefix}-replication"
  description          = "S3 replication of segments and analytics"
  permissions_boundary = "arn:${var.context.partition}:iam::${var.context.account_id}:policy/${var.context.project}-${var.context.environment}-services-boundary" # infra/global makes it
  assume_role_policy   = jsonencode(local.replication_assume_policy)

  tags = local.tags
}

resource "aws_iam_role_policy" "replication" {
  for_each = local.replica

  name   = "replication"
  role   = aws_iam_role.replication[each.key].id
  policy = jsonencode(local.replication_policy)
}

resource "aws_s3_bucket_replication_configuration" "this" {
  for_each = local.replicated

  bucket = aws_s3_bucket.this[each.key].id
  role   = aws_iam_role.replication["this"].arn

  rule {
    id       = "all"
    priority = 1
    status   = "Enabled"
    filter {}

    delete_marker_replication {
      status = "Enabled"
    }
    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }
    destination {
      bucket        = aws_s3_bucket.this["${each.key}-replica"].arn
      storage_class = "STANDARD"
      encryption_configuration {
        replica_kms_key_id = aws_kms_key.replica["this"].arn
      }
      # Bounded to 15 minutes, measured and with an event when it takes longer.
      replication_time {
        status = "Enabled"
        time {
          minutes = 15
        }
      }
      metrics {
        status = "Enabled"
        event_threshold {
          minutes = 15
        }
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this, aws_iam_role_policy.replication]
}
