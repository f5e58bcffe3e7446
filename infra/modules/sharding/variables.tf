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
  description = "The shards of this region, on which the registry places tenants."
  type        = map(object({}))
  default     = {}
  nullable    = false
}

variable "elsewhere" {
  description = "The deployment's other regions that tenants may move to: prefix of names and shards there. Functions whose catalogue entry has `elsewhere` may call those there, and no others."
  type = map(object({
    prefix = string
    shards = list(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = !contains(keys(var.elsewhere), var.context.region)
    error_message = "elsewhere names this region itself; functions of one region are called by their machines."
  }
  validation {
    condition     = alltrue([for place in values(var.elsewhere) : length(place.shards) > 0])
    error_message = "A region of elsewhere has no shards: name those that tenants may move to, or leave the region out."
  }
}
