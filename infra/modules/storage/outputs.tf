output "hot" {
  description = "The hot store as functions see it; offered when it can be mounted."
  value = {
    url               = "efs:///mnt/hot/tenants" # below the shard's root: a tenant's folder is then what its own access point opens
    mount_path        = "/mnt/hot"
    file_system_id    = aws_efs_file_system.hot.id
    file_system_arn   = aws_efs_file_system.hot.arn
    access_point_arns = { for shard, point in aws_efs_access_point.shard : shard => point.arn }
  }

  depends_on = [aws_efs_mount_target.hot, aws_efs_file_system_policy.hot]
}

output "file_system" {
  description = "The hot file system for alarms on throughput and capacity."
  value = {
    id                               = aws_efs_file_system.hot.id
    arn                              = aws_efs_file_system.hot.arn
    provisioned_throughput_mib_per_s = local.hot_provisioned_mib_per_s
    throughput_use_max               = local.throughput_use_max
  }
}

output "segments" {
  description = "The bucket of segments; offered when it is closed and encrypted."
  value = {
    url    = "s3://${aws_s3_bucket.this["segments"].bucket}"
    bucket = aws_s3_bucket.this["segments"].bucket
    arn    = aws_s3_bucket.this["segments"].arn
  }

  depends_on = [aws_s3_bucket_policy.this, aws_s3_bucket_server_side_encryption_configuration.this, aws_s3_bucket_versioning.this]
}

output "analytics" {
  description = "The bucket of Parquet that others read too; offered when it is closed and encrypted."
  value = {
    url    = "s3://${aws_s3_bucket.this["analytics"].bucket}"
    bucket = aws_s3_bucket.this["analytics"].bucket
    arn    = aws_s3_bucket.this["analytics"].arn
  }

  depends_on = [aws_s3_bucket_policy.this, aws_s3_bucket_server_side_encryption_configuration.this, aws_s3_bucket_versioning.this]
}

output "functions" {
  description = "Output `functions` of module service: by catalogue name and shard."
  value       = module.service.functions
}

output "buckets_for_alarms" {
  description = "Buckets by name, with the filter of their request metrics and, where they are copied, replica and rule."
  value = { for name in keys(local.data_buckets) : name => {
    bucket           = aws_s3_bucket.this[name].bucket
    metrics_filter   = aws_s3_bucket_metric.this[name].name
    replica_bucket   = try(aws_s3_bucket.this["${name}-replica"].bucket, null)
    replica_region   = length(local.replica) > 0 ? var.replica_region : null
    replication_rule = length(local.replica) > 0 ? "all" : null
  } }
}

output "access_log_bucket" {
  description = "Where buckets of this region write their access logs, each under a prefix of its own; takes them from every bucket whose name begins with context.prefix."
  value       = aws_s3_bucket.this["access-logs"].bucket
}

output "athena_workgroup" {
  description = "Workgroup for queries over analytics."
  value       = aws_athena_workgroup.analytics.name
}

output "glue_database" {
  description = "Database with the tables logs, traces, metrics."
  value       = aws_glue_catalog_database.analytics.name
}
