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

variable "service" {
  description = "The service whose functions these are; `service` in the catalogue."
  type        = string
  nullable    = false
}

variable "platform" {
  description = "The catalogue: platform/functions.json, decoded. Module function has the type of an entry."
  type        = object({ defaults = any, stores = any, functions = any })
  nullable    = false

  validation {
    condition     = can(keys(var.platform.functions)) && can(keys(var.platform.stores)) && can(keys(var.platform.defaults))
    error_message = "platform must be platform/functions.json, decoded: an object with defaults, stores and functions."
  }

  validation {
    condition     = alltrue([for f in try(values(var.platform.functions), []) : can(f.service)])
    error_message = "Functions of the catalogue that name no service: ${join(", ", [for name, f in try(var.platform.functions, {}) : name if !can(f.service)])}."
  }
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

  validation {
    condition     = length(setsubtract(keys(local.catalogue), keys(var.artifacts))) == 0
    error_message = "No artifact for these functions of service ${var.service}: ${join(", ", setsubtract(keys(local.catalogue), keys(var.artifacts)))}. Package them, then plan with the digests."
  }
}

variable "shards" {
  description = "The shards of this region; the key is part of names and state addresses."
  type        = map(object({}))
  nullable    = false

  validation {
    condition     = length(var.shards) > 0 || length(local.sharded) == 0
    error_message = "shards is empty, but these functions exist once per shard: ${join(", ", keys(local.sharded))}. Name at least one shard."
  }
}

variable "extra" {
  description = "By the function's name, what the service adds for its own resources; variable `extra` of module function."
  type = map(object({
    statements = optional(list(object({
      sid       = string
      actions   = list(string)
      resources = list(string)
      condition = optional(map(map(list(string))), {})
    })), [])
    environment        = optional(map(string), {})
    security_group_ids = optional(list(string))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.extra), keys(local.catalogue))) == 0
    error_message = "extra names functions that service ${var.service} does not have: ${join(", ", setsubtract(keys(var.extra), keys(local.catalogue)))}."
  }
}
