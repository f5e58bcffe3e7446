# Analytics for Athena and whoever reads Glue's catalog (Spark, Trino). Partitions are projected from the query, not registered: files lie at
# <tenant>/<dataset>/date=YYYY-MM-DD/ (docs/design/storage.md), and a query names its tenant.
locals {
  # Columns that OTLP ingest writes (docs/design/ingest.md) in the types of docs/design/schema.md. Attributes become columns of their own with dots in
  # their names and differ by tenant: they are read with Prism's SQL, or with a table that a tenant makes for itself.
  columns = {
    logs = [
      ["time", "timestamp"], ["time_unix_nano", "bigint"], ["observed_time_unix_nano", "bigint"], ["severity_number", "bigint"], ["severity_text", "string"],
      ["body", "string"], ["trace_id", "string"], ["span_id", "string"], ["flags", "bigint"], ["event_name", "string"], ["dropped_attributes_count", "bigint"],
      ["_other", "string"],
    ]
    traces = [
      ["time", "timestamp"], ["start_time_unix_nano", "bigint"], ["end_time_unix_nano", "bigint"], ["duration_ns", "bigint"], ["trace_id", "string"],
      ["span_id", "string"], ["parent_span_id", "string"], ["trace_state", "string"], ["name", "string"], ["kind", "string"], ["status_code", "string"],
      ["status_message", "string"], ["flags", "bigint"], ["events", "string"], ["links", "string"], ["dropped_attributes_count", "bigint"],
      ["dropped_events_count", "bigint"], ["dropped_links_count", "bigint"], ["_other", "string"],
    ]
    metrics = [
      ["time", "timestamp"], ["time_unix_nano", "bigint"], ["start_time_unix_nano", "bigint"], ["metric_name", "string"], ["description", "string"],
      ["unit", "string"], ["type", "string"], ["value", "double"], ["value_int", "bigint"], ["is_monotonic", "boolean"], ["aggregation_temporality", "string"],
      ["count", "bigint"], ["sum", "double"], ["min", "double"], ["max", "double"], ["bucket_counts", "string"], ["explicit_bounds", "string"],
      ["scale", "bigint"], ["zero_count", "bigint"], ["zero_threshold", "double"], ["positive", "string"], ["negative", "string"],
      ["quantile_values", "string"], ["exemplars", "string"], ["flags", "bigint"], ["_other", "string"],
    ]
  }

  # As far back as a dataset's class keeps data: first match, as the storage service finds it.
  dataset_retention_days = { for dataset in keys(local.columns) : dataset =>
    try([for class in var.lifecycle_spec.classes : class.retention_days if contains(class.datasets, dataset)][0], 365)
  }
}

resource "aws_glue_catalog_database" "analytics" {
  name        = replace(var.context.prefix, "-", "_")
  description = "Analytics of ${var.context.prefix}"

  tags = local.tags
}

resource "aws_glue_catalog_table" "analytics" {
  for_each = local.columns

  name          = each.key
  description   = "OpenTelemetry ${each.key}; name a tenant in WHERE"
  database_name = aws_glue_catalog_database.analytics.name
  table_type    = "EXTERNAL_TABLE"

  # https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html: injected takes the value from the query.
  parameters = {
    "EXTERNAL"                      = "TRUE"
    "classification"                = "parquet"
    "projection.enabled"            = "true"
    "projection.tenant.type"        = "injected"
    "projection.date.type"          = "date"
    "projection.date.format"        = "yyyy-MM-dd"
    "projection.date.range"         = "NOW-${local.dataset_retention_days[each.key] + 1}DAYS,NOW+2DAYS"
    "projection.date.interval"      = "1"
    "projection.date.interval.unit" = "DAYS"
    "storage.location.template"     = "s3://${local.bucket_names["analytics"]}/$${tenant}/${each.key}/date=$${date}/"
  }

  partition_keys {
    name = "tenant"
    type = "string"
  }
  partition_keys {
    name = "date"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${local.bucket_names["analytics"]}/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = each.value
      content {
        name = columns.value[0]
        type = columns.value[1]
      }
    }
  }
}

resource "aws_athena_workgroup" "analytics" {
  name          = var.context.prefix
  description   = "Analytics of ${var.context.prefix}"
  force_destroy = local.disposable

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.athena_scan_bytes_max

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }
    result_configuration {
      output_location       = "s3://${aws_s3_bucket.this["athena"].bucket}/results/"
      expected_bucket_owner = var.context.account_id
      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.keys.data
      }
    }
  }

  tags = local.tags
}
