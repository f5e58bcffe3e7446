module "service" {
  source = "../service"

  service   = "sharding"
  context   = var.context
  platform  = var.platform
  runtime   = var.runtime
  artifacts = var.artifacts
  shards    = var.shards
}
