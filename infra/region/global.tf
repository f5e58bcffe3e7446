# The global stack is known through what it published in this region, never through its state. Its interface and
# version: infra/global/README.md.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_ssm_parameter" "global" {
  name = "/${var.project}/${var.environment}/global"

  lifecycle {
    postcondition {
      condition     = try(jsondecode(self.insecure_value).version, 0) == 1
      error_message = "The global stack published another interface version than 1 in ${var.region}: apply infra/global of this release first."
    }
    postcondition {
      condition     = contains(keys(try(jsondecode(self.insecure_value).regions, {})), var.region)
      error_message = "The global stack does not know region ${var.region}: add it to `regions` of infra/global and apply that first."
    }
    postcondition {
      condition     = length(setsubtract(keys(var.peer_shards), keys(try(jsondecode(self.insecure_value).regions, {})))) == 0
      error_message = "peer_shards names ${join(", ", setsubtract(keys(var.peer_shards), keys(try(jsondecode(self.insecure_value).regions, {}))))}, which the global stack does not know: add the region to `regions` of infra/global and apply that first, or take it out."
    }
  }
}

data "aws_availability_zones" "this" {
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  lifecycle {
    postcondition {
      condition     = length(self.names) >= 3
      error_message = "Region ${var.region} offers fewer than three availability zones to this account; Prism needs three."
    }
  }
}

locals {
  global = jsondecode(data.aws_ssm_parameter.global.insecure_value)
  azs    = length(var.availability_zones) > 0 ? var.availability_zones : slice(data.aws_availability_zones.this.names, 0, 3)
}
