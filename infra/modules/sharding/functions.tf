module "service" {
  source = "../service"

  service   = "sharding"
  context   = var.context
  platform  = var.platform
  runtime   = var.runtime
  artifacts = var.artifacts
  shards    = var.shards

  # Where the registry places tenants: docs/design/sharding.md.
  extra = length(var.shards) == 0 ? {} : { tenants = { environment = { PRISM_SHARDS = join(",", sort(keys(var.shards))) } } }
}
