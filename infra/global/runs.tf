# What the pipeline knows: journals of its runs, what stands where, rollouts. One pipeline serves all environments, so one of them has the bucket, the
# one that `store` of platform/pipeline.json names; the delivery roles of the others use it from there, from another account as well.
data "aws_iam_policy_document" "runs_key" {
  for_each = local.runs_here

  # In a key policy "*" is the key that the policy stands on. Without this statement nobody could administrate it.
  statement {
    sid       = "AccountDecidesThroughIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.context.partition}:iam::${local.context.account_id}:root"]
    }
  }

  # The roles that may use the bucket may use its key, for this bucket and through S3 only.
  statement {
    sid       = "ThroughS3"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:PrincipalArn"
      values   = local.runs_users
    }
    condition {
      test     = "StringEquals"
      variable = "kms:CallerAccount"
      values   = local.runs_accounts
    }
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.home_region}.${local.context.dns_suffix}"]
    }
    condition {
      test     = "StringEquals"
      variable = "kms:EncryptionContext:aws:s3:arn"
      values   = [local.runs_arn] # with a bucket key the context is the bucket, not the object
    }
  }
}

resource "aws_kms_key" "runs" {
  for_each = local.runs_here

  description             = "Runs of the pipeline"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.runs_key[each.key].json

  tags = { Name = "${local.context.prefix}-${local.runs.name}", Service = "delivery" }
}

resource "aws_kms_alias" "runs" {
  for_each = local.runs_here

  name          = "alias/${local.context.prefix}-${local.runs.name}"
  target_key_id = aws_kms_key.runs[each.key].key_id
}

resource "aws_s3_bucket" "runs" {
  for_each = local.runs_here

  bucket        = each.value
  force_destroy = var.disposable

  tags = { Name = each.value, Service = "delivery" }
}

resource "aws_s3_bucket_public_access_block" "runs" {
  for_each = local.runs_here

  bucket                  = aws_s3_bucket.runs[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "runs" {
  for_each = local.runs_here

  bucket = aws_s3_bucket.runs[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "runs" {
  for_each = local.runs_here

  bucket = aws_s3_bucket.runs[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "runs" {
  for_each = local.runs_here

  bucket = aws_s3_bucket.runs[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.runs[each.key].arn
    }
  }
}

data "aws_iam_policy_document" "runs" {
  for_each = local.runs_here

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.runs_arn, "${local.runs_arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # The journal is the audit log and the lock: an entry is written once, where none is.
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
  statement {
    sid       = "EntriesNeverReplaced"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${local.runs_arn}/${local.runs.prefix}/runs/??????/??????.json"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }
    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }
  }

  dynamic "statement" {
    for_each = var.disposable ? {} : { this = true }

    content {
      sid       = "RunsNeverDeleted"
      effect    = "Deny"
      actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
      resources = ["${local.runs_arn}/${local.runs.prefix}/runs/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }
    }
  }

  # Roles of this account have theirs from their own policies.
  dynamic "statement" {
    for_each = length(local.runs_accounts) > 1 ? { this = true } : {}

    content {
      sid       = "OtherAccounts"
      actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]
      resources = [local.runs_arn, "${local.runs_arn}/${local.runs.prefix}/*"]

      principals {
        type        = "AWS"
        identifiers = [for account in local.runs_accounts : "arn:${local.context.partition}:iam::${account}:root" if account != local.context.account_id]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:PrincipalArn"
        values   = local.runs_users
      }
    }
  }
}

resource "aws_s3_bucket_policy" "runs" {
  for_each = local.runs_here

  bucket = aws_s3_bucket.runs[each.key].id
  policy = data.aws_iam_policy_document.runs[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.runs]
}

# Runs stay: they are the audit log. What was overwritten (signs of life, heads) goes.
resource "aws_s3_bucket_lifecycle_configuration" "runs" {
  for_each = local.runs_here

  bucket = aws_s3_bucket.runs[each.key].id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.runs]
}

resource "aws_s3_bucket_logging" "runs" {
  for_each = local.runs_here

  bucket        = aws_s3_bucket.runs[each.key].id
  target_bucket = aws_s3_bucket.access[var.home_region].id
  target_prefix = "${local.runs.name}/"

  depends_on = [aws_s3_bucket_policy.access]
}
