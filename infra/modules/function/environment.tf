# The environment, in the order in which a later one wins: defaults, the catalogue's own settings, those of the environment (dev, staging,
# prod), those of the service module. Identity and stores are not to be overridden.
locals {
  identity = merge(
    {
      PRISM_FUNCTION    = var.name
      PRISM_SERVICE     = var.spec.service
      PRISM_ENVIRONMENT = var.context.environment
      PRISM_REGION      = var.context.region

      # The namespace that alarms look at.
      PRISM_METRICS_NAMESPACE = "Prism/${var.context.prefix}"
    },
    var.shard == null ? {} : { PRISM_SHARD = var.shard },
    local.touches_tenant_data ? { PRISM_TENANT_ROLE_ARN = var.runtime.tenant_access_role_arn } : {},
  )

  # The database's owner has an URL of its own, from the module that makes the database.
  url_uses = [for use in local.known_uses : use if use.kind != "metadata" || use.word != "own"]

  store_urls = { for use in local.url_uses : var.catalogue.stores[use.store].env => replace(var.stores[use.store].url, "{function}", local.database_name)... }

  # A reader may lag behind, so it is beside the primary and a function chooses by what it asks.
  reader_urls = {
    for use in local.url_uses : replace(var.catalogue.stores[use.store].env, "/_URL$/", "_READER_URL") => replace(var.stores.meta.reader_url, "{function}", local.database_name)
    if use.kind == "metadata"
  }

  environment = merge(
    {
      PRISM_LOG_LEVEL = coalesce(var.spec.log_level, var.catalogue.defaults.log_level)
      PRISM_TMP       = "/tmp" # the only folder that Lambda lets a function write to
    },
    coalesce(var.spec.tracing, var.catalogue.defaults.tracing) == "active" ? { PRISM_TRACES_URL = "xray" } : {},
    var.spec.environment,
    var.runtime.environment,
    var.extra.environment,
    local.identity,
    { for name, urls in local.store_urls : name => urls[0] },
    local.reader_urls,
  )

  wrong_names = [for name in keys(local.environment) : name if !can(regex("^PRISM_[A-Z0-9_]+$", name))]

  # Lambda counts names and values; as JSON they are never shorter than what it counts.
  environment_bytes = length(jsonencode(local.environment))
}
