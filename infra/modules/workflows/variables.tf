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

variable "workflows" {
  description = "platform/workflows.json, decoded."
  type = object({
    tables = map(object({ key = string, description = string }))
    queues = map(object({ retention_s = number, description = string }))
    machines = map(object({
      description = string
      type        = string
      log_level   = string
      schedules   = optional(map(object({ expression = string, window_min = optional(number, 0), input = optional(map(string), {}) })), {})
      may = object({
        invoke        = optional(list(string), [])
        tables        = optional(list(string), [])
        publish       = optional(list(string), [])
        send          = optional(list(string), [])
        start         = optional(list(string), [])
        buckets       = optional(list(string), [])
        access_points = optional(list(string), [])
        usage_keys    = optional(list(string), [])
      })
    }))
  })
  nullable = false

  validation {
    condition     = alltrue([for m in var.workflows.machines : contains(["STANDARD", "EXPRESS"], m.type)])
    error_message = "type of a machine must be STANDARD or EXPRESS."
  }
  validation {
    condition     = alltrue([for m in var.workflows.machines : contains(["ALL", "ERROR", "FATAL"], m.log_level)])
    error_message = "log_level of a machine must be ALL, ERROR or FATAL: a machine without log cannot be explained afterwards."
  }
  validation {
    condition = alltrue(flatten([for m in var.workflows.machines : [
      [for t in m.may.tables : contains(keys(var.workflows.tables), t)],
      [for q in m.may.send : contains(keys(var.workflows.queues), q)],
      [for started in m.may.start : contains(keys(var.workflows.machines), started)],
    ]]))
    error_message = "A machine names a table, queue or machine that workflows.json does not describe: add it there under tables, queues or machines."
  }
  validation {
    condition     = alltrue(flatten([for m in var.workflows.machines : [for b in m.may.buckets : contains(keys(var.buckets), b)]]))
    error_message = "buckets take segments and analytics, the region's two of data."
  }
  validation {
    condition = alltrue(flatten([for m in var.workflows.machines : [
      [for a in m.may.access_points : contains(["create", "describe", "delete"], a)],
      [for a in m.may.usage_keys : contains(["create", "describe", "delete", "plan"], a)],
    ]]))
    error_message = "access_points take create, describe, delete; usage_keys also plan."
  }
  validation {
    condition     = alltrue([for q in var.workflows.queues : q.retention_s >= 60 && q.retention_s <= 1209600])
    error_message = "retention_s of a queue must be 60 to 1209600 seconds, the SQS limits."
  }
}

variable "workflow_dir" {
  description = "Folder with <name>.asl.json for each machine: platform/workflows."
  type        = string
  nullable    = false
}

variable "shards" {
  description = "Cells of the region by name."
  type        = map(object({}))
  nullable    = false

  validation {
    condition     = length(var.shards) >= 1
    error_message = "shards must name at least one shard."
  }
  validation {
    condition     = alltrue([for name in keys(var.shards) : can(regex("-[0-9]+$", name))])
    error_message = "names of shards must end in -<number>, for example shard-0: onboarding computes the shard's group id from the number."
  }
}

variable "functions" {
  description = "Functions that machines call, under any key; outputs of module function. One for each shard where the function is there once a shard."
  type = map(object({
    name      = string
    alias_arn = string
  }))
  nullable = false
}

variable "buckets" {
  description = "ARNs of the buckets of data by short name: segments, analytics."
  type        = map(string)
  nullable    = false
}

variable "hot" {
  description = "File system of hot storage, in which tenants get access points."
  type = object({
    file_system_id  = string
    file_system_arn = string
  })
  nullable = false
}

variable "posix" {
  description = "First numbers of POSIX ids: group of shard-0 (shard-N has N more), and the number below the first tenant's."
  type = object({
    shard_gid_first  = optional(number, 10000)
    tenant_uid_first = optional(number, 100000)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.posix.shard_gid_first >= 1000 && var.posix.tenant_uid_first >= var.posix.shard_gid_first + 1000 && var.posix.tenant_uid_first < 2000000000
    error_message = "posix.shard_gid_first must be at least 1000, and tenant_uid_first 1000 more than it: the numbers between are the shards'."
  }
}

variable "usage_plan_ids" {
  description = "Usage plans by tier; output of module api."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(setsubtract(["pooled", "dedicated"], keys(var.usage_plan_ids))) == 0
    error_message = "usage_plan_ids must have the tiers pooled and dedicated, to which onboarding assigns tenants."
  }
}

variable "keys" {
  description = "KMS keys by purpose; output of module security."
  type = object({
    data = string
    logs = string
  })
  nullable = false
}

variable "boundary_arn" {
  description = "Permissions boundary of every role."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the machines' logs are kept."
  type        = number
  nullable    = false

  validation {
    condition     = contains([14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows and at least 14: 14, 30, 60, 90, 120, 150, 180, 365, 400, ..."
  }
}

variable "deletion_protection" {
  description = "Refuse deletion of the tables. On wherever tenants are real: the numbers of their POSIX ids stand there."
  type        = bool
  default     = false
  nullable    = false
}
