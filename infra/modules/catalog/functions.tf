module "service" {
  source = "../service"

  service   = "catalog"
  context   = var.context
  platform  = var.platform
  runtime   = var.runtime
  artifacts = var.artifacts
  shards    = var.shards
}
