# What Prism is stands in platform/, once; here is what this stack takes from it, and the regions in the shapes that the other files need.
locals {
  functions = jsondecode(file("${path.module}/../../platform/functions.json"))

  table_names  = local.functions.stores.tables.tables
  image_names  = toset([for name, function in local.functions.functions : name if function.package == "image"])
  edge_tables  = ["keys", "tenants"] # what the router reads
  edge_handler = "router.handler"

  context = module.naming.context

  # The home region holds the stack itself, whether or not it serves tenants.
  regions        = setunion(keys(var.regions), [var.home_region])
  remote_regions = setsubtract(local.regions, [var.home_region])
  codes          = { for region in local.regions : region => module.naming.codes[region] }

  deletion_protection = coalesce(var.tables.deletion_protection, var.environment == "prod")

  api_domains = { for region in keys(var.regions) : region => "${module.naming.codes[region]}.api.${var.domain}" }
}
