# The tenant registry and the idempotency claims: global tables, eventually consistent between regions and strongly consistent within one.
# (Multi-region strong consistency knows no expiry and exactly three regions.) Tables and their names come from the catalogue.
#
# Items: pk = partition; sk = "#" and the sort key ("#" alone where there is none, because DynamoDB takes no empty key); document = JSON text;
# version = number; expires_at = epoch seconds, absent: never. README.md, Items.
locals {
  provisioned = var.tables.provisioned

  table_replicas = merge([for region in local.remote_regions : {
    for name in local.table_names : "${region}/${name}" => { region = region, name = name }
  }]...)

  # Read and write units of every provisioned table in every region, each with its own autoscaling.
  scaled = merge(flatten([for region in local.regions : [for name, units in local.provisioned : {
    for dimension in ["read", "write"] : "${region}/${name}/${dimension}" => merge(units[dimension], {
      region    = region
      name      = name
      dimension = title(dimension)
    })
  }]])...)
  scaled_home   = { for key, value in local.scaled : key => value if value.region == var.home_region }
  scaled_remote = { for key, value in local.scaled : key => value if value.region != var.home_region }

  # ARN by region and table.
  table_arns = { for region in local.regions : region => {
    for name in local.table_names : name => "arn:${local.context.partition}:dynamodb:${region}:${local.context.account_id}:table/${local.context.prefix}-${name}"
  } }
}

resource "aws_dynamodb_table" "this" {
  for_each = toset(local.table_names)

  name                        = "${local.context.prefix}-${each.key}"
  billing_mode                = contains(keys(local.provisioned), each.key) ? "PROVISIONED" : "PAY_PER_REQUEST"
  read_capacity               = try(local.provisioned[each.key].read.min, null)
  write_capacity              = try(local.provisioned[each.key].write.min, null)
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = local.deletion_protection
  stream_enabled              = true # what replication runs on
  stream_view_type            = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled                 = true
    recovery_period_in_days = var.tables.recovery_days
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.this["registry"].arn
  }

  dynamic "on_demand_throughput" {
    for_each = contains(keys(local.provisioned), each.key) ? {} : { this = var.tables.ceiling }

    content {
      max_read_request_units  = on_demand_throughput.value.read
      max_write_request_units = on_demand_throughput.value.write
    }
  }

  tags = { Name = "${local.context.prefix}-${each.key}", Service = "registry" }

  lifecycle {
    # Capacity is autoscaling's once a table is provisioned; replicas are resources of their own below.
    ignore_changes = [read_capacity, write_capacity, replica]
  }
}

# Replicas stand beside the table, not in it: a provisioned table must scale its writes before DynamoDB takes a replica.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_reqs_bestpractices.html
resource "aws_dynamodb_table_replica" "this" {
  for_each = local.table_replicas

  region                      = each.value.region
  global_table_arn            = aws_dynamodb_table.this[each.value.name].arn
  kms_key_arn                 = aws_kms_replica_key.this["${each.value.region}/registry"].arn
  point_in_time_recovery      = true
  deletion_protection_enabled = local.deletion_protection

  tags = { Name = "${local.context.prefix}-${each.value.name}", Service = "registry" }

  depends_on = [aws_appautoscaling_policy.home]
}

# The name as well as the resource: the target exists only once its table does.
resource "aws_appautoscaling_target" "home" {
  for_each = local.scaled_home

  service_namespace  = "dynamodb"
  resource_id        = "table/${aws_dynamodb_table.this[each.value.name].name}"
  scalable_dimension = "dynamodb:table:${each.value.dimension}CapacityUnits"
  min_capacity       = each.value.min
  max_capacity       = each.value.max

  tags = { Service = "registry" }
}

resource "aws_appautoscaling_policy" "home" {
  for_each = local.scaled_home

  name               = "utilization"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.home[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.home[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.home[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value = var.tables.utilization_target

    predefined_metric_specification {
      predefined_metric_type = "DynamoDB${each.value.dimension}CapacityUtilization"
    }
  }
}

resource "aws_appautoscaling_target" "replica" {
  for_each = local.scaled_remote

  region             = each.value.region
  service_namespace  = "dynamodb"
  resource_id        = "table/${aws_dynamodb_table.this[each.value.name].name}"
  scalable_dimension = "dynamodb:table:${each.value.dimension}CapacityUnits"
  min_capacity       = each.value.min
  max_capacity       = each.value.max

  tags = { Service = "registry" }

  depends_on = [aws_dynamodb_table_replica.this]
}

resource "aws_appautoscaling_policy" "replica" {
  for_each = local.scaled_remote

  region             = each.value.region
  name               = "utilization"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.replica[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.replica[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.replica[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value = var.tables.utilization_target

    predefined_metric_specification {
      predefined_metric_type = "DynamoDB${each.value.dimension}CapacityUtilization"
    }
  }
}
