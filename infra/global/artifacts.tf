# Packages of the functions, under their digests: functions/<name>/<sha256>.zip. Lambda takes a ZIP only from a bucket of its own region, so each
# region has one; deliveries go to the home bucket and are copied. Beside each stands the bucket of its access log.
locals {
  artifact_buckets = { for region, code in local.codes : region => "${local.context.prefix}-artifacts-${code}-${local.context.account_id}" }
  logged_runs      = { for region in local.regions : region => [for bucket in values(local.runs_here) : { prefix = "${local.access_arns[region]}/${local.runs.name}/*", bucket = local.runs_arn } if region == var.home_region] }
  access_buckets   = { for region, code in local.codes : region => "${local.context.prefix}-access-${code}-${local.context.account_id}" }
}

# ---- artifacts ----

resource "aws_s3_bucket" "artifacts" {
  for_each = local.artifact_buckets

  region        = each.key
  bucket        = each.value
  force_destroy = var.disposable

  tags = { Name = each.value, Service = "delivery" }
}

resource "aws_s3_bucket_public_access_block" "artifacts" {
  for_each = local.artifact_buckets

  region                  = each.key
  bucket                  = aws_s3_bucket.artifacts[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "artifacts" {
  for_each = local.artifact_buckets

  region = each.key
  bucket = aws_s3_bucket.artifacts[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "artifacts" {
  for_each = local.artifact_buckets

  region = each.key
  bucket = aws_s3_bucket.artifacts[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "artifacts" {
  for_each = local.artifact_buckets

  region = each.key
  bucket = aws_s3_bucket.artifacts[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.key_arns[each.key].artifacts
    }
  }
}

data "aws_iam_policy_document" "artifacts" {
  for_each = local.artifact_buckets

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.artifact_arns[each.key], "${local.artifact_arns[each.key]}/*"]

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

  # A package is found by its digest; whoever could replace one under the same name could change what a reviewed plan deploys.
  statement {
    sid       = "NeverReplaced"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${local.artifact_arns[each.key]}/functions/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    # A conditional write passes: S3 itself refuses it where the object exists. Copies are s3:ReplicateObject and not concerned.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
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
}

resource "aws_s3_bucket_policy" "artifacts" {
  for_each = local.artifact_buckets

  region = each.key
  bucket = aws_s3_bucket.artifacts[each.key].id
  policy = data.aws_iam_policy_document.artifacts[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.artifacts]
}

resource "aws_s3_bucket_lifecycle_configuration" "artifacts" {
  for_each = local.artifact_buckets

  region = each.key
  bucket = aws_s3_bucket.artifacts[each.key].id

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

  # What AWS Signer wrote; the pipeline has put a copy under functions/ since.
  rule {
    id     = "signed"
    status = "Enabled"

    filter {
      prefix = "signed/"
    }

    expiration {
      days = 30
    }
  }

  depends_on = [aws_s3_bucket_versioning.artifacts]
}

resource "aws_s3_bucket_logging" "artifacts" {
  for_each = local.artifact_buckets

  region        = each.key
  bucket        = aws_s3_bucket.artifacts[each.key].id
  target_bucket = aws_s3_bucket.access[each.key].id
  target_prefix = "artifacts/"

  depends_on = [aws_s3_bucket_policy.access]
}

# ---- copies ----

data "aws_iam_policy_document" "replication_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.context.account_id]
    }
  }
}

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
data "aws_iam_policy_document" "replication" {
  statement {
    sid       = "ReadSource"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [local.artifact_arns[var.home_region]]
  }

  statement {
    sid       = "ReadObjects"
    actions   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
    resources = ["${local.artifact_arns[var.home_region]}/*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this["artifacts"].arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.home_region}.${local.context.dns_suffix}"]
    }
  }

  dynamic "statement" {
    for_each = length(local.remote_regions) > 0 ? { this = true } : {}

    content {
      sid       = "WriteCopies"
      actions   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
      resources = [for region in sort(local.remote_regions) : "${local.artifact_arns[region]}/*"]
    }
  }

  dynamic "statement" {
    for_each = length(local.remote_regions) > 0 ? { this = true } : {}

    content {
      sid       = "Encrypt"
      actions   = ["kms:Encrypt", "kms:GenerateDataKey"]
      resources = [for region in sort(local.remote_regions) : local.key_arns[region].artifacts]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for region in sort(local.remote_regions) : "s3.${region}.${local.context.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role" "replication" {
  name                 = "${local.context.prefix}-artifact-replication"
  description          = "S3 copies artifacts from the home region to the others"
  assume_role_policy   = data.aws_iam_policy_document.replication_trust.json
  permissions_boundary = aws_iam_policy.boundary["boundary"].arn

  tags = { Service = "delivery" }
}

resource "aws_iam_role_policy" "replication" {
  name   = "replication"
  role   = aws_iam_role.replication.id
  policy = data.aws_iam_policy_document.replication.json
}

resource "aws_s3_bucket_replication_configuration" "artifacts" {
  for_each = length(local.remote_regions) > 0 ? { this = true } : {}

  bucket = aws_s3_bucket.artifacts[var.home_region].id
  role   = aws_iam_role.replication.arn

  dynamic "rule" {
    for_each = { for index, region in sort(local.remote_regions) : region => index + 1 }

    content {
      id       = local.codes[rule.key]
      status   = "Enabled"
      priority = rule.value

      filter {}

      delete_marker_replication {
        status = "Disabled" # a deletion at home must not take a region's rollback away
      }

      source_selection_criteria {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }
      }

      destination {
        bucket        = aws_s3_bucket.artifacts[rule.key].arn
        storage_class = "STANDARD"

        encryption_configuration {
          replica_kms_key_id = local.key_arns[rule.key].artifacts
        }

        # A deployment waits for the copy, so its time is bounded and measured.
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
  }

  depends_on = [aws_s3_bucket_versioning.artifacts, aws_iam_role_policy.replication]
}

# ---- access logs ----

resource "aws_s3_bucket" "access" {
  for_each = local.access_buckets

  region        = each.key
  bucket        = each.value
  force_destroy = var.disposable

  tags = { Name = each.value, Service = "delivery" }
}

resource "aws_s3_bucket_public_access_block" "access" {
  for_each = local.access_buckets

  region                  = each.key
  bucket                  = aws_s3_bucket.access[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "access" {
  for_each = local.access_buckets

  region = each.key
  bucket = aws_s3_bucket.access[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "access" {
  for_each = local.access_buckets

  region = each.key
  bucket = aws_s3_bucket.access[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

# S3 delivers access logs only to buckets under its own keys. https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
resource "aws_s3_bucket_server_side_encryption_configuration" "access" {
  for_each = local.access_buckets

  region = each.key
  bucket = aws_s3_bucket.access[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

data "aws_iam_policy_document" "access" {
  for_each = local.access_buckets

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.access_arns[each.key], "${local.access_arns[each.key]}/*"]

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

  statement {
    sid       = "BucketLogs"
    actions   = ["s3:PutObject"]
    resources = concat(["${local.access_arns[each.key]}/artifacts/*"], local.logged_runs[each.key][*].prefix)

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = concat([local.artifact_arns[each.key]], local.logged_runs[each.key][*].bucket)
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.context.account_id]
    }
  }

  dynamic "statement" {
    for_each = each.key == var.home_region ? { this = true } : {}

    content {
      sid       = "EdgeLogs"
      actions   = ["s3:PutObject"]
      resources = ["${local.access_arns[each.key]}/edge/*"]

      principals {
        type        = "Service"
        identifiers = ["delivery.logs.amazonaws.com"]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = ["arn:${local.context.partition}:logs:${each.key}:${local.context.account_id}:delivery-source:${local.edge_name}"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.context.account_id]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "access" {
  for_each = local.access_buckets

  region = each.key
  bucket = aws_s3_bucket.access[each.key].id
  policy = data.aws_iam_policy_document.access[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.access]
}

resource "aws_s3_bucket_lifecycle_configuration" "access" {
  for_each = local.access_buckets

  region = each.key
  bucket = aws_s3_bucket.access[each.key].id

  rule {
    id     = "retention"
    status = "Enabled"

    filter {}

    expiration {
      days = var.log_retention_days
    }
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.access]
}
