output "functions" {
  description = "Output `function` of module function by name, and for what exists once per shard by name and shard."
  value = merge(
    { for name in keys(local.single) : name => module.function[name].function },
    { for name in keys(local.sharded) : name => { for shard in keys(var.shards) : shard => module.function["${name}-${shard}"].function } },
  )
}
