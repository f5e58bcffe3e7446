# Buckets. segments and analytics hold tenants' data and have a copy in the replica region; athena holds results of Athena for a few days;
# access-logs holds who read what, one in each region, because S3 writes such logs to a bucket beside.
locals {
  # A region of environment dev may be destroyed with what is in it; elsewhere a bucket or vault that is not empty stops the destruction.
  disposable = var.context.environment == "dev"

  data_buckets = {
    # Compaction removes a segment within hours; a week is there to find out that it was wrong to.
    segments  = { noncurrent_days = 7, expire_days = null, classes = false }
    analytics = { noncurrent_days = 30, expire_days = null, classes = true }
  }

  buckets = merge(
    { for name, bucket in local.data_buckets : name => merge(bucket, { region = var.context.region, key_arn = var.keys.data, log_to = "access-logs" }) },
    { athena = { noncurrent_days = 1, expire_days = 7, classes = false, region = var.context.region, key_arn = var.keys.data, log_to = "access-logs" } },
    { access-logs = { noncurrent_days = 1, expire_days = var.log_retention_days, classes = false, region = var.context.region, key_arn = null, log_to = null } },
    merge([for key in aws_kms_key.replica : merge(
      { for name, bucket in local.data_buckets : "${name}-replica" => merge(bucket, { region = var.replica_region, key_arn = key.arn, log_to = "access-logs-replica" }) },
      { access-logs-replica = { noncurrent_days = 1, expire_days = var.log_retention_days, classes = false, region = var.replica_region, key_arn = null, log_to = null } },
    )]...),
  )
  logged_buckets = { for name, bucket in local.buckets : name => bucket if bucket.log_to != null }

  bucket_names = { for name in keys(local.buckets) : name => "${var.context.prefix}-${name}-${var.context.account_id}" }
  bucket_arns  = { for name, bucket in local.bucket_names : name => "arn:${var.context.partition}:s3:::${bucket}" }
}

resource "aws_s3_bucket" "this" {
  for_each = local.buckets

  region        = each.value.region
  bucket        = local.bucket_names[each.key]
  force_destroy = local.disposable

  tags = merge(local.tags, { Name = local.bucket_names[each.key] })
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  region                  = each.value.region
  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  region = each.value.region
  bucket = aws_s3_bucket.this[each.key].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  region = each.value.region
  bucket = aws_s3_bucket.this[each.key].id
  versioning_configuration {
    status = "Enabled"
  }
}

# S3 delivers access logs to no bucket that encrypts with a KMS key by default, so those two have S3's own keys.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  region = each.value.region
  bucket = aws_s3_bucket.this[each.key].id
  rule {
    bucket_key_enabled = each.value.log_to != null
    apply_server_side_encryption_by_default {
      sse_algorithm     = each.value.log_to != null ? "aws:kms" : "AES256"
      kms_master_key_id = each.value.key_arn
    }
  }
}

resource "aws_s3_bucket_logging" "this" {
  for_each = local.logged_buckets

  region        = each.value.region
  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = aws_s3_bucket.this[each.value.log_to].id
  target_prefix = "${each.key}/"

  # Parted by day, so that one day can be read without listing all.
  target_object_key_format {
    partitioned_prefix {
      partition_date_source = "EventTime"
    }
  }

  depends_on = [aws_s3_bucket_policy.this]
}

locals {
  bucket_statements = { for name, bucket in local.buckets : name => concat(
    [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [local.bucket_arns[name], "${local.bucket_arns[name]}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Tls12"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [local.bucket_arns[name], "${local.bucket_arns[name]}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
      {
        Sid       = "OwnAccountOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [local.bucket_arns[name], "${local.bucket_arns[name]}/*"]
        Condition = { StringNotEquals = { "aws:PrincipalAccount" = var.context.account_id }, Bool = { "aws:PrincipalIsAWSService" = "false" } }
      },
    ],
    # A request that says nothing gets the bucket's key; one that says something must say that key.
    [for statement in [
      {
        Sid       = "KmsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:PutObject"
        Resource  = ["${local.bucket_arns[name]}/*"]
        Condition = { Null = { "s3:x-amz-server-side-encryption" = "false" }, StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" } }
      },
      {
        Sid       = "OwnKeyOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:PutObject"
        Resource  = ["${local.bucket_arns[name]}/*"]
        Condition = { Null = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }, StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = coalesce(bucket.key_arn, "none") } }
      },
      {
        Sid       = "NoCustomerKeys"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:PutObject"
        Resource  = ["${local.bucket_arns[name]}/*"]
        Condition = { Null = { "s3:x-amz-server-side-encryption-customer-algorithm" = "false" } }
      },
    ] : statement if bucket.log_to != null],
    [for statement in [
      {
        Sid       = "AccessLogs"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = ["${local.bucket_arns[name]}/*"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.context.account_id }
          ArnLike      = { "aws:SourceArn" = "arn:${var.context.partition}:s3:::${var.context.prefix}-*" }
        }
      },
    ] : statement if bucket.log_to == null],
  ) }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  region = each.value.region
  bucket = aws_s3_bucket.this[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.bucket_statements[each.key] })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

# For alarms on errors and latency; S3 counts requests only where it is told to.
resource "aws_s3_bucket_metric" "this" {
  for_each = local.data_buckets

  bucket = aws_s3_bucket.this[each.key].id
  name   = "EntireBucket"
}
