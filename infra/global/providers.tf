# One provider, in fact. What this stack holds in another region carries the `region` argument.
provider "aws" {
  region = var.home_region

  default_tags {
    tags = module.naming.tags
  }
}

# For values of secrets alone: they come from an ephemeral resource, which Terraform's mocked providers do not know, so tests mock the other one.
provider "aws" {
  alias  = "values"
  region = var.home_region
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

module "naming" {
  source = "../modules/naming"

  project     = var.project
  environment = var.environment
  region      = var.home_region
  stack       = "global"
  account_id  = data.aws_caller_identity.this.account_id
  partition   = data.aws_partition.this.partition
  dns_suffix  = data.aws_partition.this.dns_suffix
  owner       = var.owner
  cost_center = var.cost_center

  suffixes = {
    function = ["edge"]
    role     = ["artifact-replication"]
    bucket   = ["artifacts-apne1", "access-apne1"]
  }
}
