# The region, in the order in which its parts need each other. That order is never written as depends_on of a
# module: what must exist first is said where it is offered, in the outputs of network, storage and catalog.

module "naming" {
  source = "../modules/naming"

  project     = var.project
  environment = var.environment
  region      = var.region
  stack       = "region"
  account_id  = data.aws_caller_identity.this.account_id
  partition   = data.aws_partition.this.partition
  dns_suffix  = data.aws_partition.this.dns_suffix
  owner       = var.owner
  cost_center = var.cost_center

  # The longest of each kind, measured in the plan rather than by AWS in the middle of an apply.
  suffixes = {
    function = [for shard in keys(var.shards) : "ingest-${shard}"]
    role     = concat(["tenant-offboarding"], [for shard in keys(var.shards) : "schedule-storage-${shard}"])
    bucket   = ["access-logs", "analytics-replica"]
  }
}

locals {
  context = module.naming.context

  # Where tenants of this region may move to. That the global stack knows those regions, it says itself: global.tf.
  elsewhere = { for region, shards in var.peer_shards : region => { prefix = module.naming.regional_prefix[region], shards = shards } }

  stands_in_for = [for region in sort(keys(local.global.regions)) : region if try(local.global.regions[region].standby, "") == var.region]

  # Answers from here on are the same for every function; what differs stands in the catalogue.
  runtime = {
    stores = {
      hot       = module.storage.hot
      segments  = module.storage.segments
      analytics = module.storage.analytics
      tables = {
        url      = "dynamodb://${var.project}-${var.environment}"
        arns     = { for name, table in local.global.tables : name => table.arn }
        key_arns = [local.global.tables_key_arn]
      }
      meta = module.catalog.meta
      # What all regions share is the global stack's; a function finds it in its own region.
      secrets = {
        url      = "secretsmanager://${var.project}/${var.environment}/"
        arns     = merge({ for name, arn in local.global.secrets : replace(name, "-", "_") => arn }, module.security.secret_arns)
        key_arns = [local.global.secrets_key_arn]
      }

      parameters = module.security.parameters
    }
    network = {
      subnet_ids         = module.network.subnet_ids.function
      security_group_ids = [module.network.security_group_ids.function]
    }
    keys                    = module.security.keys
    boundary_arn            = module.security.boundary_arn
    tenant_access_role_arn  = module.security.tenant_access_role_arn
    code_signing_config_arn = module.security.code_signing_config_arn
    artifact_bucket         = local.global.artifact_bucket
    image_registry          = local.global.image_registry
    log_retention_days      = var.log_retention_days
    concurrency             = var.concurrency
    environment = merge(
      length(var.metrics_tenants) == 0 ? {} : { PRISM_METRICS_TENANTS = join(",", sort(var.metrics_tenants)) },

      # Whose tenants come here while their home is down; others are sent home.
      length(local.stands_in_for) == 0 ? {} : { PRISM_STANDS_IN_FOR = join(",", local.stands_in_for) },
    )
  }
}

module "network" {
  source = "../modules/network"

  context            = local.context
  network            = local.network
  cidr               = var.cidr
  peer_cidrs         = var.peer_cidrs
  peers              = { for region, place in local.elsewhere : region => place.prefix }
  azs                = local.azs
  proxy              = var.database.proxy
  logs_key_arn       = module.security.keys.logs
  log_retention_days = var.log_retention_days
}

module "security" {
  source = "../modules/security"

  context             = local.context
  platform            = local.functions
  runtime             = local.runtime
  artifacts           = var.artifacts
  elsewhere           = { for region, place in local.elsewhere : region => place.prefix }
  signing_profile_arn = var.code_signing ? local.global.signing_profile_version_arn : ""
  secrets             = { recovery_days = var.environment == "dev" ? 0 : 30 }
  parameters          = var.parameters

  rotation = {
    shared  = local.global.home_region == var.region ? local.global.secrets : {}
    primary = local.global.home_region == var.region ? "" : local.global.home_region
  }
}

module "storage" {
  source = "../modules/storage"

  context            = local.context
  platform           = local.functions
  lifecycle_spec     = local.lifecycle
  runtime            = local.runtime
  artifacts          = var.artifacts
  shards             = var.shards
  keys               = module.security.keys
  log_retention_days = var.log_retention_days
  replica_region     = var.replica_region
  hot                = var.hot
  peers              = { for region, place in local.elsewhere : region => place.prefix }

  network = {
    subnet_ids         = module.network.subnet_ids
    security_group_ids = module.network.security_group_ids
    private_zone_id    = module.network.private_zone_id
    private_zone_name  = module.network.private_zone_name
  }
}

module "catalog" {
  source = "../modules/catalog"

  context            = local.context
  platform           = local.functions
  runtime            = local.runtime
  artifacts          = var.artifacts
  shards             = var.shards
  keys               = module.security.keys
  log_retention_days = var.log_retention_days
  database           = var.database

  network = {
    azs                = module.network.azs
    subnet_ids         = module.network.subnet_ids
    security_group_ids = module.network.security_group_ids
    private_zone_id    = module.network.private_zone_id
    private_zone_name  = module.network.private_zone_name
  }
}

module "ingest" {
  source = "../modules/ingest"

  context   = local.context
  platform  = local.functions
  runtime   = local.runtime
  artifacts = var.artifacts
  shards    = var.shards
}

module "query" {
  source = "../modules/query"

  context   = local.context
  platform  = local.functions
  runtime   = local.runtime
  artifacts = var.artifacts
  shards    = var.shards
}

module "sharding" {
  source = "../modules/sharding"

  context   = local.context
  platform  = local.functions
  runtime   = local.runtime
  artifacts = var.artifacts
  shards    = var.shards
  elsewhere = local.elsewhere
}

# The gateway comes after everything that answers behind it: it takes the functions' aliases, and a function is
# there only when its stores are.
locals {
  services = merge(
    module.security.functions,
    module.storage.functions,
    module.catalog.functions,
    module.ingest.functions,
    module.query.functions,
    module.sharding.functions,
  )

  # By name, and by "<name>-<shard>" what exists once for each shard.
  sharded = [for name, spec in local.functions.functions : name if try(spec.hot_mount, false)]
  instances = merge(
    { for name in setsubtract(keys(local.functions.functions), local.sharded) : name => local.services[name] },
    merge([for name in local.sharded : { for shard in keys(var.shards) : "${name}-${shard}" => local.services[name][shard] }]...),
  )
}

module "api" {
  source = "../modules/api"

  context            = local.context
  contract_file      = local.contract_file
  shards             = var.shards
  functions          = local.instances
  domain             = local.global.domain
  zone_id            = local.global.zone_id
  logs_key_arn       = module.security.keys.logs
  data_key_arn       = module.security.keys.data
  boundary_arn       = module.security.boundary_arn
  log_retention_days = var.log_retention_days
}

module "workflows" {
  source = "../modules/workflows"

  context             = local.context
  workflows           = local.workflows
  workflow_dir        = local.workflow_dir
  shards              = var.shards
  functions           = local.instances
  hot                 = module.storage.hot
  buckets             = { segments = module.storage.segments.arn, analytics = module.storage.analytics.arn }
  usage_plan_ids      = module.api.usage_plan_ids
  keys                = module.security.keys
  boundary_arn        = module.security.boundary_arn
  log_retention_days  = var.log_retention_days
  deletion_protection = var.environment == "prod"
}

module "observability" {
  source = "../modules/observability"

  context      = local.context
  alarms       = local.alarms
  platform     = { functions = local.functions.functions }
  functions    = local.instances
  concurrency  = var.concurrency
  machines     = module.workflows.machines
  queues       = module.workflows.queues
  file_system  = module.storage.file_system
  buckets      = module.storage.buckets_for_alarms
  keys         = module.security.keys
  alert_emails = var.alert_emails

  api = {
    name            = module.api.name
    stages          = module.api.stages
    domain_name     = module.api.domain_name
    log_group_names = module.api.log_group_names
  }

  database = {
    cluster_identifier = module.catalog.cluster_identifier
    proxy_name         = module.catalog.proxy_name
    capacity_max       = var.database.capacity_max

    # Follows the maximum capacity: 189 at 1 ACU, 823 at 4, 1669 at 8, 3360 at 16, at most 5000; with a minimum of 0 or 0.5 at most 2000.
    # Taken low, so that the alarm comes early rather than late.
    # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html#aurora-serverless-v2.max-connections
    connections_max = min(var.database.capacity_min <= 0.5 ? 2000 : 5000, floor(189 * var.database.capacity_max))
  }

  tables = merge(
    { for name, table in local.global.tables : name => {
      name             = table.name
      read_ceiling     = try(table.ceiling.read, null)
      write_ceiling    = try(table.ceiling.write, null)
      receiving_region = try([for region in sort(keys(local.global.regions)) : region if region != var.region][0], null)
    } },
    { for name, table in module.workflows.tables : name => { name = table.name } },
  )
}
