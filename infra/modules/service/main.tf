# A function that mounts the hot store exists once per shard, because a function mounts one access point; any other exists once.
locals {
  catalogue = { for name, f in var.platform.functions : name => f if f.service == var.service }
  sharded   = { for name, f in local.catalogue : name => f if try(f.hot_mount, false) }
  single    = { for name, f in local.catalogue : name => f if !try(f.hot_mount, false) }

  instances = merge(
    { for name in keys(local.single) : name => { name = name, shard = null } },
    merge([for name in keys(local.sharded) : { for shard in keys(var.shards) : "${name}-${shard}" => { name = name, shard = shard } }]...),
  )
}

module "function" {
  source   = "../function"
  for_each = local.instances

  context   = var.context
  name      = each.value.name
  shard     = each.value.shard
  spec      = local.catalogue[each.value.name]
  catalogue = { defaults = var.platform.defaults, stores = var.platform.stores }
  stores    = var.runtime.stores
  runtime   = var.runtime
  artifact  = var.artifacts[each.value.name]
  extra     = contains(keys(var.extra), each.value.name) ? var.extra[each.value.name] : null # try() would hide all of it while a part is unknown
}
