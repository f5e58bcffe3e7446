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
  description = "The shards of this region; needed when a function of this service mounts the hot store."
  type        = map(object({}))
  default     = {}
  nullable    = false
}

variable "elsewhere" {
  description = "The deployment's other regions whose functions may be called and whose stores may be read from here, by the functions that the catalogue lets do so: prefix of names there."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "signing_profile_arn" {
  description = "ARN of the version of the signing profile that zips are signed with; \"\" where signing is off."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.signing_profile_arn == "" || can(regex("^arn:[a-z-]+:signer:[a-z0-9-]+:[0-9]{12}:/signing-profiles/[A-Za-z0-9_]+/[A-Za-z0-9]+$", var.signing_profile_arn))
    error_message = "signing_profile_arn must be \"\" or the ARN of a version of a signing profile (arn:aws:signer:<region>:<account>:/signing-profiles/<name>/<version>)."
  }

  validation {
    condition     = var.signing_profile_arn != "" || var.context.environment == "dev"
    error_message = "Code may be unsigned in dev only: give signing_profile_arn, which the global stack publishes."
  }
}

variable "key_deletion_days" {
  description = "How long a key can be had back after it was deleted."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.key_deletion_days >= 7 && var.key_deletion_days <= 30
    error_message = "key_deletion_days must be 7 to 30, the limits of KMS."
  }
}

variable "secrets" {
  description = "`recovery_days`: how long a deleted secret can be had back (0: not at all). `generation`: by secret, one more makes a new value. `administrators`: ARNs or patterns of roles besides the functions that may read or write values."
  type = object({
    recovery_days  = optional(number, 30)
    generation     = optional(map(number), {})
    administrators = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.secrets.recovery_days == 0 || (var.secrets.recovery_days >= 7 && var.secrets.recovery_days <= 30)
    error_message = "secrets.recovery_days must be 0 or 7 to 30, as Secrets Manager takes it."
  }

  validation {
    condition     = var.secrets.recovery_days > 0 || var.context.environment != "prod"
    error_message = "In production a deleted secret must be recoverable: secrets.recovery_days 7 to 30."
  }

  validation {
    condition     = length(setsubtract(keys(var.secrets.generation), keys(local.secrets))) == 0
    error_message = "secrets.generation names secrets that do not exist: ${join(", ", setsubtract(keys(var.secrets.generation), keys(local.secrets)))}. There are: ${join(", ", keys(local.secrets))}."
  }

  validation {
    condition     = alltrue([for arn in var.secrets.administrators : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9]{12}:.+$", arn))])
    error_message = "secrets.administrators must be ARNs of roles of an account, or patterns of them."
  }
}

variable "rotation" {
  description = "Which secrets are rotated, how often, and by what. `function_arn` null: by the catalogue's function `rotation`. `shared`: in the home region, ARNs of the secrets that all regions share, by name. `primary`: in the others, the home region's name."
  type = object({
    function_arn = optional(string)
    days         = optional(number, 90)
    secrets      = optional(set(string), ["token-signing-key"])
    shared       = optional(map(string), {})
    primary      = optional(string, "")
  })
  default  = {}
  nullable = false

  # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
  validation {
    condition     = var.rotation.days >= 1 && var.rotation.days <= 1000
    error_message = "rotation.days must be 1 to 1000, the limits of Secrets Manager."
  }

  validation {
    condition     = length(setsubtract(var.rotation.secrets, keys(local.secrets))) == 0
    error_message = "rotation.secrets names secrets that do not exist: ${join(", ", setsubtract(var.rotation.secrets, keys(local.secrets)))}. There are: ${join(", ", keys(local.secrets))}."
  }

  validation {
    condition     = length(var.rotation.shared) == 0 || var.rotation.primary == ""
    error_message = "rotation.shared is for the home region, rotation.primary for the others: a secret with replicas rotates in one place."
  }
}

variable "parameters" {
  description = "Settings that are no secrets, by the rest of their names under \"<path>/config/\"."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, value in var.parameters : can(regex("^[a-z0-9][a-z0-9/_.-]{0,127}$", name)) && length(value) >= 1 && length(value) <= 4096])
    error_message = "parameters: a name must be of lower-case letters, digits and / _ . -, a value of 1 to 4096 characters (SSM's standard tier)."
  }
}
