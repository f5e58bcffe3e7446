# Readers come and go with connections and CPU. Those of `instances` stay; the ones that autoscaling adds are its own and in no state. From no reader at
# all nothing scales, because both metrics are those of readers.
locals {
  readers_scale = var.database.readers_min >= 1 && var.database.readers_max > var.database.readers_min

  # What an instance takes at its largest: 2 GiB of memory per ACU and about 9531392 bytes per connection, at most 5000, or 2000 where the minimum is
  # 0.5 ACU or less. https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html, "max_connections".
  connections_max = min(var.database.capacity_min <= 0.5 ? 2000 : 5000, floor(var.database.capacity_max * 2 * 1073741824 / 9531392))

  reader_targets = {
    cpu         = { metric = "RDSReaderAverageCPUUtilization", value = 60 }
    connections = { metric = "RDSReaderAverageDatabaseConnections", value = floor(0.6 * local.connections_max) }
  }
}

resource "aws_appautoscaling_target" "readers" {
  for_each = local.readers_scale ? local.this : toset([])

  service_namespace  = "rds"
  scalable_dimension = "rds:cluster:ReadReplicaCount"
  resource_id        = "cluster:${aws_rds_cluster.catalog.id}"
  min_capacity       = var.database.readers_min
  max_capacity       = var.database.readers_max
  tags               = local.tags

  depends_on = [aws_rds_cluster_instance.catalog]
}

resource "aws_appautoscaling_policy" "readers" {
  for_each = local.readers_scale ? local.reader_targets : {}

  name               = "${local.name}-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.readers["this"].service_namespace
  scalable_dimension = aws_appautoscaling_target.readers["this"].scalable_dimension
  resource_id        = aws_appautoscaling_target.readers["this"].resource_id

  # A reader takes minutes to come.
  target_tracking_scaling_policy_configuration {
    target_value       = each.value.value
    scale_out_cooldown = 300
    scale_in_cooldown  = 900

    predefined_metric_specification {
      predefined_metric_type = each.value.metric
    }
  }
}
