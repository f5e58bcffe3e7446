locals {
  base            = "${var.project}-${var.environment}"
  regional_prefix = { for region, code in local.codes : region => "${local.base}-${code}" }
  code            = lookup(local.codes, var.region, "")
  prefix          = var.stack == "global" ? local.base : "${local.base}-${local.code}"
  path            = var.stack == "global" ? "/${var.project}/${var.environment}" : "/${var.project}/${var.environment}/${local.code}"

  # Lambda's CreateFunction and IAM's CreateRole take 64 characters, S3 63; a bucket's name ends with "-" and the account besides.
  suffixed_characters_max = { function = 64, role = 64, bucket = 63 - 13 }

  tags = {
    Project     = var.project
    Environment = var.environment
    Region      = var.stack == "global" ? "global" : var.region
    Stack       = var.stack
    ManagedBy   = "terraform"
    CostCenter  = var.cost_center
    Owner       = var.owner
  }
}
