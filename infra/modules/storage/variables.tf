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

variable "network" {
  description = "Outputs of module network."
  type = object({
    subnet_ids         = object({ data = list(string) })
    security_group_ids = object({ efs = string })
    private_zone_id    = string
    private_zone_name  = string
  })
  nullable = false

  validation {
    condition     = length(var.network.subnet_ids.data) == 3
    error_message = "network.subnet_ids.data must be three subnets, one in each zone: each gets a mount target."
  }
}

# Not read from `runtime`: that holds the outputs of this module, and a key that came by it would make a circle.
variable "keys" {
  description = "KMS keys of the region by purpose; output `keys` of module security."
  type        = object({ data = string })
  nullable    = false
}

variable "log_retention_days" {
  description = "How long access logs of the buckets are kept."
  type        = number
  nullable    = false

  validation {
    condition     = var.log_retention_days >= 1 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "log_retention_days must be a whole number of days."
  }
}

variable "shards" {
  description = "Cells of the region by name. The number at the end of a name gives the shard its POSIX ids, so a name is never given to another shard."
  type        = map(object({}))
  nullable    = false

  validation {
    condition     = length(var.shards) >= 1
    error_message = "shards must name at least one shard."
  }
  validation {
    condition     = alltrue([for shard in keys(var.shards) : can(regex("^[a-z][a-z-]{0,11}(0|[1-9][0-9]{0,2})$", shard))])
    error_message = "Names of shards must be lower-case letters and dashes with a number from 0 to 999 at the end, such as shard-0."
  }
  validation {
    condition     = length(distinct([for shard in keys(var.shards) : try(regex("[0-9]+$", shard), shard)])) == length(var.shards)
    error_message = "Two shards have the same number: it gives them their user and group, which must differ."
  }
}

variable "hot" {
  description = <<-EOT
    What the hot file system must carry, from which its provisioned throughput is computed (throughput.tf).
      ingest_mib_per_s   frames written at peak, MiB/s, all shards; about a tenth of the JSON text that is sent (docs/design/storage.md, Figures)
      query_mib_per_s    frames read by queries at peak, MiB/s, all shards
      replicate          copy the file system to replica_region
  EOT
  type = object({
    ingest_mib_per_s = optional(number, 4)
    query_mib_per_s  = optional(number, 16)
    replicate        = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.hot.ingest_mib_per_s > 0
    error_message = "hot.ingest_mib_per_s must be over 0: say how many MiB of frames are written each second at peak. A file system without throughput takes no data."
  }
  validation {
    condition     = var.hot.query_mib_per_s >= 0
    error_message = "hot.query_mib_per_s must not be negative; 0 if nobody queries fresh data."
  }
  validation {
    condition     = !var.hot.replicate || var.replica_region != ""
    error_message = "hot.replicate needs replica_region: name the region that receives the copy."
  }
}

variable "replica_region" {
  description = "Another region, which receives copies of the buckets, of backups, and of the file system where hot.replicate says so. Empty: no copies."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.replica_region != var.context.region
    error_message = "replica_region must be another region than ${var.context.region}: a copy in the same region survives no loss of it."
  }
  validation {
    condition     = var.replica_region == "" || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.replica_region))
    error_message = "replica_region must be the name of a region, such as eu-central-1, or empty."
  }
}

variable "lifecycle_spec" {
  description = "Classes of data and their ages: platform/lifecycle.json, decoded. (`lifecycle` is a word that Terraform keeps for itself.)"
  type = object({
    version = number
    upkeep  = object({ export_days = number })
    classes = list(object({
      name           = string
      datasets       = list(string)
      retention_days = number
      transitions = list(object({
        after_days    = number
        storage_class = string
      }))
    }))
  })
  nullable = false

  validation {
    condition     = var.lifecycle_spec.version == 1
    error_message = "This module reads version 1 of platform/lifecycle.json."
  }
  validation {
    condition     = var.lifecycle_spec.upkeep.export_days >= 1 && floor(var.lifecycle_spec.upkeep.export_days) == var.lifecycle_spec.upkeep.export_days
    error_message = "upkeep.export_days in lifecycle.json must be a whole number of days, 1 or more."
  }
  validation {
    condition     = length(distinct([for class in var.lifecycle_spec.classes : class.name])) == length(var.lifecycle_spec.classes)
    error_message = "Two classes in lifecycle.json have the same name: the name is the value of the objects' tag."
  }
  validation {
    condition     = alltrue(flatten([for class in var.lifecycle_spec.classes : [for step in class.transitions : contains(["STANDARD_IA", "ONEZONE_IA", "GLACIER_IR"], step.storage_class)]]))
    error_message = "Storage classes in lifecycle.json must be STANDARD_IA, ONEZONE_IA or GLACIER_IR: what is queried must be readable at once."
  }
  validation {
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
    condition     = alltrue(flatten([for class in var.lifecycle_spec.classes : [for step in class.transitions : step.after_days >= 30 if endswith(step.storage_class, "_IA")]]))
    error_message = "S3 takes no transition to Standard-IA or One Zone-IA before day 30; raise after_days in lifecycle.json."
  }
  validation {
    condition = alltrue(flatten([for class in var.lifecycle_spec.classes : [
      for place, step in class.transitions : place == 0 || step.after_days >= class.transitions[max(place - 1, 0)].after_days + (endswith(class.transitions[max(place - 1, 0)].storage_class, "_IA") ? 30 : 90)
    ]]))
    error_message = "A transition in lifecycle.json leaves a storage class before the days that it is billed for (Infrequent Access 30, Glacier Instant Retrieval 90), or the steps are not in order of age."
  }
  validation {
    condition = alltrue([for class in var.lifecycle_spec.classes :
      length(class.transitions) == 0 ? class.retention_days >= 1 : try(class.retention_days >= class.transitions[length(class.transitions) - 1].after_days + (endswith(class.transitions[length(class.transitions) - 1].storage_class, "_IA") ? 30 : 90), false)
    ])
    error_message = "retention_days in lifecycle.json deletes data before the days that its last storage class is billed for (Infrequent Access 30, Glacier Instant Retrieval 90)."
  }
}

variable "athena_scan_bytes_max" {
  description = "What one Athena query may read before it is cancelled, bytes."
  type        = number
  default     = 107374182400
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html
    condition     = var.athena_scan_bytes_max >= 10000000
    error_message = "athena_scan_bytes_max must be at least 10000000, the least that Athena takes."
  }
}

variable "peers" {
  description = "The deployment's other regions that tenants may come from: prefix of names there. Functions whose catalogue entry has `stores_elsewhere` may read those stores there, and no others."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.peers), var.context.region)
    error_message = "peers names this region itself; its own stores are in runtime."
  }
}

# The types of these three stand in module service, which is where they are read.
variable "platform" {
  description = "The catalogue of functions: platform/functions.json, decoded."
  type        = any
  nullable    = false
}

variable "runtime" {
  description = "What the regional stack gives to every function (docs/design/infra.md)."
  type        = any
  nullable    = false
}

variable "artifacts" {
  description = "What to run, by catalogue name: kind (zip or image) and sha256."
  type        = map(object({ sha256 = string, kind = string }))
  nullable    = false
}
