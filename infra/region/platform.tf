# What Prism is stands in platform/, once. This stack reads it and adds where and how large.

locals {
  platform_dir = "${path.module}/../../platform"

  functions = jsondecode(file("${local.platform_dir}/functions.json"))
  lifecycle = jsondecode(file("${local.platform_dir}/lifecycle.json"))
  network   = jsondecode(file("${local.platform_dir}/network.json"))
  alarms    = jsondecode(file("${local.platform_dir}/alarms.json"))
  workflows = jsondecode(file("${local.platform_dir}/workflows.json"))

  contract_file = "${local.platform_dir}/api.openapi.json"
  workflow_dir  = "${local.platform_dir}/workflows"
}
