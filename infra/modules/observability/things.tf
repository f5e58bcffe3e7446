# What there is to watch: for each scope, things by key, each with the figures and names that alarms.json refers to as
# {name}. All values are text; a null leaves out what refers to it.

locals {
  function_names = { for f in var.functions : trimprefix(f.name, "${var.context.prefix}-") => f }

  catalogue_name = { for key in keys(local.function_names) : key => one([
    for name in keys(var.platform.functions) : name if key == name || startswith(key, "${name}-shard-")
  ]) }

  functions = { for key, f in local.function_names : key => {
    function     = f.name
    catalogue    = local.catalogue_name[key]
    service      = var.platform.functions[local.catalogue_name[key]].service
    class        = f.concurrency_class
    timeout_ms   = tostring(f.timeout_s * 1000)
    reserved     = tostring(coalesce(try(var.concurrency[local.catalogue_name[key]].reserved, null), var.platform.functions[local.catalogue_name[key]].concurrency.max))
    asynchronous = tostring(f.dead_letter_queue_name != null)
  } }

  things = {
    function = local.functions

    # Known by whose queue it is, not by its name, which may come with the apply.
    dead_letter = merge(
      { for key, f in local.function_names : key => { queue = f.dead_letter_queue_name } if f.dead_letter_queue_name != null },
      { for key, queue in var.queues : key => { queue = queue.name } },
    )

    api = { for shard, stage in var.api.stages : shard => { api = var.api.name, stage = stage.name } }

    cluster = { this = {
      cluster         = var.database.cluster_identifier
      capacity_max    = tostring(var.database.capacity_max)
      connections_max = try(tostring(var.database.connections_max), null)
    } }

    proxy = { for key, name in { this = var.database.proxy_name } : key => { proxy = name } if name != null }

    file_system = { this = {
      file_system            = var.file_system.id
      throughput_bytes_per_s = tostring(var.file_system.provisioned_throughput_mib_per_s * 1048576)
      throughput_use_max     = tostring(var.file_system.throughput_use_max)
    } }

    bucket = { for key, b in var.buckets : key => {
      bucket           = b.bucket
      metrics_filter   = b.metrics_filter
      replica_bucket   = b.replica_bucket
      replication_rule = b.replication_rule
      replicated       = tostring(b.replication_rule != null)
    } }

    table = { for key, t in var.tables : key => {
      table            = t.name
      read_ceiling     = try(tostring(t.read_ceiling), null)
      write_ceiling    = try(tostring(t.write_ceiling), null)
      receiving_region = t.receiving_region
      replicated       = tostring(t.receiving_region != null)
    } }

    machine = { for key, m in var.machines : key => { machine = key, machine_arn = m.arn } }

    metric = { this = { prefix = var.context.prefix } }
  }

  # Log groups by the names that alarms.json uses.
  log_groups = merge(
    { for key, f in local.function_names : "function/${key}" => f.log_group_name },
    { for key, m in var.machines : "workflow/${key}" => m.log_group_name },
    { "api/access" = var.api.log_group_names.access },
  )
}
