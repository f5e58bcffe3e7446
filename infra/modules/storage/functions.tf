# The functions of this service: one for each shard where the catalogue says that it mounts the hot store.
locals {
  functions = { for name, spec in var.platform.functions : name => spec if spec.service == "storage" }
  instances = merge([for name, spec in local.functions :
    try(spec.hot_mount, false) ? { for shard in keys(var.shards) : "${name}/${shard}" => { name = name, shard = shard } } : { (name) = { name = name, shard = null } }
  ]...)
}

module "function" {
  source   = "../function"
  for_each = local.instances

  context   = var.context
  name      = each.value.name
  shard     = each.value.shard
  spec      = local.functions[each.value.name]
  catalogue = { defaults = var.platform.defaults, stores = var.platform.stores }
  stores    = var.runtime.stores
  runtime   = var.runtime
  artifact  = var.artifacts[each.value.name]
}
