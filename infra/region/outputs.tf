output "api" {
  description = "Where the region answers: its domain, and the path of each shard below it."
  value = {
    domain_name = module.api.domain_name
    rest_api_id = module.api.rest_api_id
    stages      = module.api.stages
  }
}

output "functions" {
  description = "Functions by catalogue name, and by <name>-<shard> what exists once for each shard."
  value       = { for name, function in local.instances : name => { name = function.name, arn = function.arn, version = function.version } }
}

output "machines" {
  description = "State machines by name; start the alias."
  value       = module.workflows.machines
}

output "stores" {
  description = "Where data lies: URLs as functions get them."
  value = {
    hot       = local.runtime.stores.hot.url
    segments  = local.runtime.stores.segments.url
    analytics = local.runtime.stores.analytics.url
    tables    = local.runtime.stores.tables.url
    meta      = local.runtime.stores.meta.url
    secrets   = local.runtime.stores.secrets.url

    parameters = local.runtime.stores.parameters.url
  }
}

output "database_administrator_secret_arn" {
  description = "Secret that holds the administrator's password; RDS rotates it. For schema migrations."
  value       = module.catalog.administrator_secret_arn
}
