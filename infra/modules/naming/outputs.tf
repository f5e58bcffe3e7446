output "context" {
  description = "Where and what a module's resources are part of; every module takes it."
  value = {
    project     = var.project
    environment = var.environment
    region      = var.region
    code        = local.code
    partition   = var.partition
    dns_suffix  = var.dns_suffix
    account_id  = var.account_id
    prefix      = local.prefix
    path        = local.path
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
}

output "codes" {
  description = "Code of every known region."
  value       = local.codes
}

output "regional_prefix" {
  description = "Prefix of names in every known region, for whoever must know a name there without reading the other stack."
  value       = local.regional_prefix
}
