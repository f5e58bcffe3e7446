# Like every other service; the functions get the stores above by way of the regional stack.
module "service" {
  source = "../service"

  service   = "storage"
  context   = var.context
  platform  = var.platform
  runtime   = var.runtime
  artifacts = var.artifacts
  shards    = var.shards
  extra     = local.reads_elsewhere
}
