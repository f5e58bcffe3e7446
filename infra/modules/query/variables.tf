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
