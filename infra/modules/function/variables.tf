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

variable "name" {
  description = "Name in the catalogue; the function is called \"<prefix>-<name>\", or \"<prefix>-<name>-<shard>\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.name))
    error_message = "name must be the function's name in platform/functions.json: lower-case letters, digits and dashes, at most 31."
  }

  # The longest of the names that are made from it; Lambda, IAM and Scheduler take 64 characters each.
  validation {
    condition     = length(join("-", compact([var.context.prefix, "schedule", var.name, var.shard]))) <= 64
    error_message = "Names of function ${var.name} get too long: ${join("-", compact([var.context.prefix, "schedule", var.name, var.shard]))} has ${length(join("-", compact([var.context.prefix, "schedule", var.name, var.shard])))} characters, 64 fit. Shorten the project, the function's name or the shard."
  }
}

variable "shard" {
  description = "The shard that this one serves; null for a function that serves all of them."
  type        = string
  default     = null

  validation {
    condition     = var.shard == null || can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.shard))
    error_message = "shard must be null or 2 to 16 lower-case letters, digits and dashes that begin with a letter, such as shard-0: it is part of names of functions, stages and access points."
  }
}

# This type is the one place in HCL that says what an entry of the catalogue looks like; docs/design/functions.md explains the fields.
variable "spec" {
  description = "The function's entry in platform/functions.json."
  type = object({
    service      = string
    description  = string
    package      = string
    architecture = optional(string)
    runtime      = optional(string)
    handler      = optional(string)
    log_level    = optional(string)
    tracing      = optional(string)
    memory_mb    = number
    ephemeral_mb = optional(number, 512)
    timeout_s    = number
    concurrency = object({
      class = string
      min   = number
      max   = number
    })
    vpc              = optional(bool, false)
    hot_mount        = optional(bool, false)
    elsewhere        = optional(list(string), [])
    stores_elsewhere = optional(map(string), {})
    starts           = optional(string)
    operates         = optional(list(string), [])
    stores           = optional(map(string), {})
    environment      = optional(map(string), {})
    schedules        = optional(any, [])
    asynchronous = optional(object({
      retries     = optional(number, 2)
      max_age_s   = optional(number, 21600)
      dead_letter = optional(bool, true)
    }))
  })
  nullable = false

  validation {
    condition     = contains(["zip", "image"], var.spec.package)
    error_message = "package must be zip or image."
  }

  # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
  validation {
    condition     = length(var.spec.description) >= 1 && length(var.spec.description) <= 256
    error_message = "description must be one sentence of at most 256 characters, the limit of Lambda."
  }

  validation {
    condition     = var.spec.memory_mb >= 128 && var.spec.memory_mb <= 10240 && floor(var.spec.memory_mb) == var.spec.memory_mb
    error_message = "memory_mb must be a whole number from 128 to 10240, the limits of Lambda."
  }

  validation {
    condition     = var.spec.ephemeral_mb >= 512 && var.spec.ephemeral_mb <= 10240 && floor(var.spec.ephemeral_mb) == var.spec.ephemeral_mb
    error_message = "ephemeral_mb must be a whole number from 512 to 10240, the limits of Lambda."
  }

  validation {
    condition     = var.spec.timeout_s >= 1 && var.spec.timeout_s <= 900 && floor(var.spec.timeout_s) == var.spec.timeout_s
    error_message = "timeout_s must be a whole number from 1 to 900, the limits of Lambda; split longer work or give it to a state machine."
  }

  validation {
    condition     = contains(["warm", "from-zero"], var.spec.concurrency.class)
    error_message = "concurrency.class must be warm or from-zero."
  }

  validation {
    condition = (
      var.spec.concurrency.max >= 1 && var.spec.concurrency.max <= 1000 &&
      var.spec.concurrency.min >= 0 && var.spec.concurrency.min <= var.spec.concurrency.max
    )
    error_message = "concurrency.max must be 1 to 1000 and concurrency.min 0 to max."
  }

  validation {
    condition     = var.spec.concurrency.class == "warm" || var.spec.concurrency.min == 0
    error_message = "concurrency.min must be 0 in class from-zero; instances that are kept need class warm."
  }

  validation {
    condition     = !var.spec.hot_mount || var.spec.vpc
    error_message = "hot_mount needs vpc: a function reaches the file system through the VPC only."
  }

  validation {
    condition = alltrue([for s in var.spec.schedules :
      can(regex("^[a-z][a-z0-9-]{0,30}$", s.name)) && can(keys(s.input)) && try(s.rate_s >= 60 && s.rate_s % 60 == 0, false)
    ])
    error_message = "Each of schedules needs a name (lower-case letters, digits and dashes), an input that is an object, and a rate_s that is a multiple of 60: EventBridge Scheduler counts minutes."
  }

  validation {
    condition     = length(distinct([for s in var.spec.schedules : try(s.name, "")])) == length(var.spec.schedules)
    error_message = "Two schedules have the same name."
  }

  # https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
  validation {
    condition = var.spec.asynchronous == null || try(
      var.spec.asynchronous.retries >= 0 && var.spec.asynchronous.retries <= 2 &&
      var.spec.asynchronous.max_age_s >= 60 && var.spec.asynchronous.max_age_s <= 21600,
    false)
    error_message = "asynchronous.retries must be 0 to 2 and asynchronous.max_age_s 60 to 21600, the limits of Lambda."
  }
}

variable "catalogue" {
  description = "`defaults` and `stores` of platform/functions.json."
  type = object({
    defaults = object({
      architecture = string
      runtime      = string
      handler      = string
      log_level    = string
      tracing      = string
    })
    stores = map(object({
      env    = string
      kind   = string
      tables = optional(list(string), [])
    }))
  })
  nullable = false
}

variable "stores" {
  description = "Where the stores are in this region; `stores` of runtime."
  type = object({
    hot        = object({ url = string, mount_path = string, file_system_arn = string, access_point_arns = map(string) })
    segments   = object({ url = string, arn = string })
    analytics  = object({ url = string, arn = string })
    tables     = object({ url = string, arns = map(string), key_arns = optional(list(string), []) })
    meta       = object({ url = string, reader_url = string, connect_arns = list(string) })
    secrets    = object({ url = string, arns = map(string), key_arns = optional(list(string), []) })
    parameters = object({ url = string, arns = list(string) })
  })
  nullable = false

  # https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html
  validation {
    condition     = can(regex("^/mnt/[a-zA-Z0-9-_.]+$", var.stores.hot.mount_path))
    error_message = "stores.hot.mount_path must be one folder under /mnt, the only place where Lambda mounts a file system."
  }
}

variable "runtime" {
  description = "What the regional stack gives to every function. `stores` is read from the variable of that name."
  type = object({
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

  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.runtime.log_retention_days)
    error_message = "log_retention_days must be one of the numbers that CloudWatch Logs takes: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "artifact" {
  description = "What to run: hex digest of the zip, or of the image's manifest."
  type = object({
    sha256 = string
    kind   = string
  })
  nullable = false

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.artifact.sha256))
    error_message = "artifact.sha256 must be 64 lower-case hex digits, without \"sha256:\" before them."
  }

  validation {
    condition     = contains(["zip", "image"], var.artifact.kind)
    error_message = "artifact.kind must be zip or image."
  }
}

variable "extra" {
  description = "What a service module adds for its own resources: statements of the role, settings of the environment, and where it stands in the network."
  type = object({
    statements = optional(list(object({
      sid       = string
      actions   = list(string)
      resources = list(string)
      condition = optional(map(map(list(string))), {})
    })), [])
    environment        = optional(map(string), {})
    security_group_ids = optional(list(string)) # in place of the usual ones
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue(flatten([for s in var.extra.statements : [
      [for action in s.actions : !strcontains(action, "*")],
      [for resource in s.resources : resource != "*"],
    ]]))
    error_message = "extra.statements must name their actions and resources; \"*\" is for what AWS has no resource-level permission for, and that stands in access.tf."
  }
}
