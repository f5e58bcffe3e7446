# Answers that are too large for a response: the query function writes one and answers with a presigned URL. They live for a day.
locals {
  results_bucket = "${var.context.prefix}-results-${var.context.account_id}"
  results_arn    = "arn:${var.context.partition}:s3:::${local.results_bucket}"
}

# Not versioned: an answer is written once and never changed, and one that is lost is asked for again. Versions would only keep tenants' data
# longer than the day that was promised. For the same reason nothing is lost with the bucket.
resource "aws_s3_bucket" "results" {
  bucket        = local.results_bucket
  force_destroy = true

  tags = {
    Service = "query"
    Name    = local.results_bucket
  }
}

resource "aws_s3_bucket_ownership_controls" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "results" {
  bucket                  = aws_s3_bucket.results.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.runtime.keys.data
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    id     = "a-day"
    status = "Enabled"

    filter {}

    expiration {
      days = 1
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "results" {
  bucket = aws_s3_bucket.results.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.results_arn, "${local.results_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "NoOldTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.results_arn, "${local.results_arn}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
      {
        # A URL that leaks is worth nothing after an hour, whatever its signer wrote into it (milliseconds).
        Sid       = "UrlsEndWithinTheHour"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:GetObject"
        Resource  = "${local.results_arn}/*"
        Condition = { NumericGreaterThan = { "s3:signatureAge" = "3600000" } }
      },
      {
        # An upload that names no key gets the bucket's.
        Sid       = "OwnKeyOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "${local.results_arn}/*"
        Condition = { StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.runtime.keys.data } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.results]
}
