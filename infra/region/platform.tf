# What Prism is stands in platform/, once. This stack reads it and adds where and how large.

locals {
  platform_dir = "${path.module}/../../platform"

  # With what this environment says over a function's own settings.
  catalogue = jsondecode(file("${local.platform_dir}/functions.json"))
  functions = merge(local.catalogue, {
    functions = { for name, spec in local.catalogue.functions : name => merge(spec, {
      environment = merge(try(spec.environment, {}), lookup(var.settings, name, {}))
    }) }
  })
  lifecycle = jsondecode(file("${local.platform_dir}/lifecycle.json"))
  network   = jsondecode(file("${local.platform_dir}/network.json"))
  alarms    = jsondecode(file("${local.platform_dir}/alarms.json"))
  workflows = jsondecode(file("${local.platform_dir}/workflows.json"))

  contract_file = "${local.platform_dir}/api.openapi.json"
  workflow_dir  = "${local.platform_dir}/workflows"
}
