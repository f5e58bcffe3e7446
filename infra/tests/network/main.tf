# A region's network on its own, for `terraform test` with the real provider: against the emulator of tests/infra, or in an account.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.34.0, < 7.0.0"
    }
  }
}

variable "region" {
  description = "Where to try it."
  type        = string
  default     = "eu-west-1"
}

variable "proxy" {
  description = "Whether a proxy stands before the database."
  type        = bool
  default     = true
}

provider "aws" {
  region = var.region

  default_tags {
    tags = module.naming.tags
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_availability_zones" "this" {
  state = "available"
}

module "naming" {
  source = "../../modules/naming"

  project     = "prism"
  environment = "dev"
  region      = var.region
  stack       = "region"
  account_id  = data.aws_caller_identity.this.account_id
  partition   = data.aws_partition.this.partition
  dns_suffix  = data.aws_partition.this.dns_suffix
  owner       = "tests"
  cost_center = "tests"
}

resource "aws_kms_key" "logs" {
  description             = "${module.naming.context.prefix} logs"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

module "network" {
  source = "../../modules/network"

  context            = module.naming.context
  network            = jsondecode(file("${path.module}/../../../platform/network.json"))
  cidr               = "10.200.0.0/16"
  azs                = slice(data.aws_availability_zones.this.names, 0, 3)
  proxy              = var.proxy
  logs_key_arn       = aws_kms_key.logs.arn
  log_retention_days = 14
}

# What AWS says of what was made, asked anew.
data "aws_vpc" "made" {
  id = module.network.vpc_id
}

data "aws_subnets" "made" {
  filter {
    name   = "vpc-id"
    values = [module.network.vpc_id]
  }

  depends_on = [module.network]
}

data "aws_security_groups" "made" {
  filter {
    name   = "vpc-id"
    values = [module.network.vpc_id]
  }

  depends_on = [module.network]
}

output "vpc_cidr" {
  description = "Range of the VPC as AWS has it."
  value       = data.aws_vpc.made.cidr_block
}

output "subnets" {
  description = "How many subnets AWS has."
  value       = length(data.aws_subnets.made.ids)
}

output "groups" {
  description = "How many security groups AWS has, its default one included."
  value       = length(data.aws_security_groups.made.ids)
}

output "network" {
  description = "Outputs of the module."
  value       = module.network
}
