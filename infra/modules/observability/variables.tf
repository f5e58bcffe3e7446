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

variable "alarms" {
  description = "platform/alarms.json, decoded. README.md explains the fields."
  type        = any
  nullable    = false

  validation {
    condition     = try(var.alarms.version, 0) == 1
    error_message = "alarms must be platform/alarms.json, decoded, of version 1."
  }
  validation {
    condition     = length(distinct([for a in var.alarms.alarms : a.id])) == length(var.alarms.alarms)
    error_message = "Ids of alarms must differ; twice there: ${join(", ", distinct([for a in var.alarms.alarms : a.id if length([for b in var.alarms.alarms : b.id if b.id == a.id]) > 1]))}."
  }
  validation {
    condition = alltrue([
      for item in concat([for a in var.alarms.alarms : a.scope], [for w in values(var.alarms.widgets) : w.scope]) :
      contains(["function", "dead_letter", "api", "cluster", "proxy", "file_system", "bucket", "table", "machine", "metric"], item)
    ])
    error_message = "scope of an alarm or widget must be function, dead_letter, api, cluster, proxy, file_system, bucket, table, machine or metric."
  }
  validation {
    condition     = alltrue([for s in concat([for a in var.alarms.alarms : a.severity], [for c in var.alarms.composites : c.severity]) : contains(keys(var.alarms.severities), s)])
    error_message = "An alarm or composite has a severity that alarms.json does not describe; known are ${join(", ", keys(var.alarms.severities))}."
  }
  validation {
    condition     = alltrue([for name, s in var.alarms.severities : try(s.escalate_to, null) == null ? true : contains(keys(var.alarms.severities), s.escalate_to) && s.escalate_to != name && s.escalate_after_s >= 60])
    error_message = "A severity escalates to another one that is described, after at least 60 s."
  }
  validation {
    condition = alltrue([
      for a in var.alarms.alarms : a.datapoints <= a.periods && a.period_s * a.periods <= 86400 && contains([10, 20, 30], a.period_s) == false && a.period_s % 60 == 0
    ])
    error_message = "An alarm needs datapoints up to periods, a period of whole minutes, and may look back a day at most (CloudWatch's limit)."
  }
  validation {
    condition     = alltrue([for a in var.alarms.alarms : length([for way in [can(a.threshold), can(a.threshold_of), can(a.band)] : way if way]) == 1])
    error_message = "An alarm has exactly one of threshold, threshold_of (with threshold_factor) and band."
  }
  validation {
    condition     = alltrue(flatten([for c in var.alarms.composites : [for id in c.any : contains([for a in var.alarms.alarms : a.id], id)]]))
    error_message = "A composite names an alarm that is not there."
  }
  validation {
    condition     = alltrue(flatten([for d in var.alarms.dashboards : [for w in d.widgets : contains(keys(var.alarms.widgets), w)]]))
    error_message = "A dashboard names a widget that is not there."
  }
  validation {
    condition     = anytrue([for a in var.alarms.alarms : a.scope == "function" && !can(a.only) && try(a.metric, "") == "Errors"])
    error_message = "Functions would be without alarms: alarms.json needs one of scope function on Errors, without `only`, so that it holds for each."
  }
  validation {
    condition = alltrue([
      for a in var.alarms.alarms : a.scope != "metric" ? true : contains([for m in var.alarms.metrics : m.name], a.metric)
    ])
    error_message = "An alarm of scope metric watches a metric that alarms.json does not make; describe it under metrics."
  }
}

variable "platform" {
  description = "The catalogue: platform/functions.json, decoded."
  type = object({
    functions = map(object({
      service     = string
      concurrency = object({ class = string, max = number })
    }))
  })
  nullable = false
}

variable "functions" {
  description = "Functions to watch, under any key; outputs of module function."
  type = map(object({
    name                   = string
    log_group_name         = string
    dead_letter_queue_name = optional(string)
    concurrency_class      = string
    timeout_s              = number
  }))
  nullable = false

  validation {
    condition     = length(var.functions) > 0
    error_message = "functions must name what to watch: pass the outputs of all services' functions."
  }
  validation {
    condition = alltrue([
      for f in var.functions : anytrue([
        for name in keys(var.platform.functions) : trimprefix(f.name, "${var.context.prefix}-") == name || startswith(trimprefix(f.name, "${var.context.prefix}-"), "${name}-shard-")
      ])
    ])
    error_message = "functions has one that is not in the catalogue; its service and limits are unknown."
  }
}

variable "concurrency" {
  description = "Reserved concurrency by catalogue name where the environment overrides the catalogue."
  type        = map(object({ reserved = optional(number) }))
  default     = {}
  nullable    = false
}

variable "api" {
  description = "The REST API: name, stages by shard, domain, and log groups; outputs of module api."
  type = object({
    name            = string
    stages          = map(object({ name = string }))
    domain_name     = string
    log_group_names = object({ access = string })
  })
  nullable = false
}

variable "database" {
  description = "Catalog's cluster. proxy_name null: there is none. connections_max null: no alarm on connections."
  type = object({
    cluster_identifier = string
    proxy_name         = optional(string)
    capacity_max       = number
    connections_max    = optional(number)
  })
  nullable = false
}

variable "file_system" {
  description = "Hot storage; output `file_system` of module storage."
  type = object({
    id                               = string
    provisioned_throughput_mib_per_s = number
    throughput_use_max               = optional(number, 0.8)
  })
  nullable = false
}

variable "buckets" {
  description = "Buckets to watch; output `buckets_for_alarms` of module storage."
  type = map(object({
    bucket           = string
    metrics_filter   = string
    replica_bucket   = optional(string)
    replication_rule = optional(string)
  }))
  nullable = false
}

variable "tables" {
  description = "Tables to watch by short name. Ceilings are request units a second, null where there are none; receiving_region of a global table is where its items go."
  type = map(object({
    name             = string
    read_ceiling     = optional(number)
    write_ceiling    = optional(number)
    receiving_region = optional(string)
  }))
  nullable = false
}

variable "machines" {
  description = "State machines; output `machines` of module workflows."
  type = map(object({
    arn            = string
    name           = string
    log_group_name = string
  }))
  nullable = false
}

variable "queues" {
  description = "Further queues in which a message means work for somebody; output `queues` of module workflows."
  type        = map(object({ name = string }))
  default     = {}
  nullable    = false
}

variable "keys" {
  description = "KMS keys by purpose; output of module security."
  type        = object({ data = string })
  nullable    = false
}

variable "alert_emails" {
  description = "Addresses that are told of alarms, by severity. Each gets a mail to confirm."
  type        = map(set(string))
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.alert_emails), keys(var.alarms.severities))) == 0
    error_message = "alert_emails has a severity that alarms.json does not describe; known are ${join(", ", keys(var.alarms.severities))}."
  }
  validation {
    condition     = alltrue(flatten([for addresses in var.alert_emails : [for address in addresses : can(regex("^[^@\\s]+@[^@\\s]+$", address))]]))
    error_message = "alert_emails must be mail addresses."
  }
}

variable "trace_encryption" {
  description = "Set the key of X-Ray's traces. It is one setting for an account and region; off where another installation in it does that."
  type        = bool
  default     = true
  nullable    = false
}
