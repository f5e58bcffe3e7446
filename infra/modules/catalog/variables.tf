variable "context" {
  description = "Where and what this is part of; output `context` of module naming."
  type = object({
    project     = string
    environment = string
    region      = string
    code        = string
    partition   = string
    dns_suffix  = string
    account_id  = string
    prefix      = string
    path        = string
    tags        = map(string)
  })
  nullable = false
}

variable "platform" {
  description = "The catalogue: platform/functions.json, decoded. Module function has the type of an entry."
  type        = object({ defaults = any, stores = any, functions = any })
  nullable    = false
}

variable "runtime" {
  description = "What the regional stack gives to every function; docs/design/infra.md."
  type = object({
    stores = object({
      hot        = object({ url = string, mount_path = string, file_system_arn = string, access_point_arns = map(string) })
      segments   = object({ url = string, arn = string })
      analytics  = object({ url = string, arn = string })
      tables     = object({ url = string, arns = map(string), key_arns = optional(list(string), []) })
      meta       = object({ url = string, reader_url = string, connect_arns = list(string) })
      secrets    = object({ url = string, arns = map(string), key_arns = optional(list(string), []) })
      parameters = object({ url = string, arns = list(string) })
    })
    network                 = object({ subnet_ids = list(string), security_group_ids = list(string) })
    keys                    = object({ data = string, logs = string, secrets = string, database = string })
    boundary_arn            = string
    tenant_access_role_arn  = string
    code_signing_config_arn = string
    artifact_bucket         = string
    image_registry          = string
    log_retention_days      = number
    concurrency = map(object({
      provisioned_min = optional(number)
      provisioned_max = optional(number)
      reserved        = optional(number)
      schedule        = optional(map(object({ cron = string, min = number, max = number })), {})
    }))
    environment = map(string)
  })
  nullable = false
}

variable "artifacts" {
  description = "What to run, by the function's name in the catalogue."
  type        = map(object({ sha256 = string, kind = string }))
  nullable    = false
}

variable "shards" {
  description = "The shards of this region; the key is part of names and state addresses."
  type        = map(object({}))
  nullable    = false
}

variable "keys" {
  description = "Keys of the region, output `keys` of module security. Beside `runtime`, because `runtime` holds what this module makes."
  type        = object({ logs = string, secrets = string, database = string })
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the logs of cluster and proxy are kept."
  type        = number
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the numbers that CloudWatch Logs takes: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "network" {
  description = "Where cluster, proxy and who owns the database stand, and what they are called; outputs of module network."
  type = object({
    azs                = list(string)
    subnet_ids         = object({ data = list(string) })
    security_group_ids = object({ proxy = string, cluster = string, schema = string })
    private_zone_id    = string
    private_zone_name  = string
  })
  nullable = false

  validation {
    condition     = length(var.network.azs) == 3 && length(var.network.subnet_ids.data) == 3
    error_message = "network must have three zones and a data subnet in each: the database outlives the loss of one."
  }
}

variable "database" {
  description = <<-EOT
    Aurora PostgreSQL Serverless v2.
      capacity_min, capacity_max  ACU, steps of 0.5; a minimum of 0 pauses when idle and then needs proxy = false
      pause_after_s               idle time before a pause, where capacity_min is 0
      readers_min, readers_max    readers besides the writer; the number follows connections and CPU
      proxy                       RDS Proxy in front
      backup_days                 how far back point-in-time recovery reaches
      deletion_protection         refuse deletion, and keep a last snapshot
      engine_version              PostgreSQL 16 as Aurora numbers it
      backup_window, maintenance_window  UTC
  EOT
  type = object({
    capacity_min        = optional(number, 0.5)
    capacity_max        = optional(number, 16)
    pause_after_s       = optional(number, 900)
    readers_min         = optional(number, 1)
    readers_max         = optional(number, 4)
    proxy               = optional(bool, true)
    backup_days         = optional(number, 7)
    deletion_protection = optional(bool, true)
    engine_version      = optional(string, "16.8")
    backup_window       = optional(string, "02:00-03:00")
    maintenance_window  = optional(string, "sun:04:00-sun:05:00")
  })
  default  = {}
  nullable = false

  # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ServerlessV2ScalingConfiguration.html
  validation {
    condition     = var.database.capacity_min >= 0 && var.database.capacity_min <= var.database.capacity_max && floor(var.database.capacity_min * 2) == var.database.capacity_min * 2
    error_message = "database.capacity_min must be 0 to capacity_max, in steps of 0.5 ACU."
  }

  validation {
    condition     = var.database.capacity_max >= 1 && var.database.capacity_max <= 256 && floor(var.database.capacity_max * 2) == var.database.capacity_max * 2
    error_message = "database.capacity_max must be 1 to 256, in steps of 0.5 ACU."
  }

  # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
  validation {
    condition     = !(var.database.proxy && var.database.capacity_min == 0)
    error_message = "A cluster with a proxy never pauses: the proxy keeps connections to it open. Set database.proxy = false, or database.capacity_min to 0.5 or more."
  }

  validation {
    condition     = var.database.pause_after_s >= 300 && var.database.pause_after_s <= 86400
    error_message = "database.pause_after_s must be 300 to 86400, the limits of Aurora."
  }

  validation {
    condition     = var.database.readers_min >= 0 && var.database.readers_min <= var.database.readers_max && var.database.readers_max <= 15
    error_message = "database.readers_min must be 0 to readers_max, and readers_max at most 15, the limit of Aurora."
  }

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days must be 1 to 35, the limits of Aurora."
  }

  # Scaling to 0 needs 16.3; the parameter group is that of family 16.
  validation {
    condition     = can(regex("^16\\.([3-9]|[1-9][0-9])$", var.database.engine_version))
    error_message = "database.engine_version must be a version of PostgreSQL 16 from 16.3 on. Another major version is a change of this module, with a parameter group of its family."
  }

  validation {
    condition     = var.context.environment != "prod" || (var.database.proxy && var.database.capacity_min >= 0.5 && var.database.readers_min >= 1)
    error_message = "Production needs database.proxy = true, capacity_min of 0.5 or more, and readers_min of 1 or more, or the loss of a zone is an outage."
  }

  validation {
    condition     = var.context.environment != "prod" || (var.database.deletion_protection && var.database.backup_days >= 7)
    error_message = "Production needs database.deletion_protection = true and backup_days of 7 or more."
  }
}
