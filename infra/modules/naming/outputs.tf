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
    tags        = local.tags
  }
}

output "tags" {
  description = "context.tags alone, for a provider's default_tags: context knows the account, which the provider must be asked for first."
  value       = local.tags
}

output "codes" {
  description = "Code of every known region."
  value       = local.codes
}

output "regional_prefix" {
  description = "Prefix of names in every known region, for whoever must know a name there without reading the other stack."
  value       = local.regional_prefix
}
