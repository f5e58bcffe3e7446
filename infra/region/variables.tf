# Where.

variable "project" {
  description = "Name of the installation; first part of every name. At most 12 characters, so that the longest derived name fits."
  type        = string
  default     = "prism"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.project))
    error_message = "project must be 2 to 12 lower-case letters and digits and start with a letter."
  }
}

variable "environment" {
  description = "Which environment this region belongs to."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "region" {
  description = "The AWS region of this stack, for example eu-west-1. Module naming refuses one that it has no code for."
  type        = string
  nullable    = false
}

variable "replica_region" {
  description = "Another region, which receives copies of the buckets (and of the file system where hot.replicate says so). Empty: no copies, allowed in dev only."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.replica_region != var.region
    error_message = "replica_region must be another region than region: a copy in the same region survives no loss of it."
  }
  validation {
    condition     = var.replica_region != "" || var.environment == "dev"
    error_message = "replica_region is needed in staging and prod: name the region that receives copies of the buckets."
  }
}

variable "owner" {
  description = "Team that answers for this installation; tag Owner."
  type        = string
  default     = "platform"
  nullable    = false
}

variable "cost_center" {
  description = "Where its cost is booked; tag CostCenter."
  type        = string
  default     = "platform"
  nullable    = false
}

# Network.

variable "cidr" {
  description = "Address range of the VPC, /16 to /20, from the private ranges of RFC 1918."
  type        = string
  nullable    = false
}

variable "peer_cidrs" {
  description = "Address ranges of the other regions' VPCs by region: a range that overlaps one of them is refused, so that regions can be connected later."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "peer_shards" {
  description = "Shards of the deployment's other regions by region, to which tenants of this one may move. A region that is not named here is out of this one's reach."
  type        = map(list(string))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for shards in values(var.peer_shards) : length(shards) > 0 && alltrue([for shard in shards : can(regex("^shard-[0-9]{1,3}$", shard))])])
    error_message = "peer_shards must name at least one shard of each region, as `shards` does there, for example [\"shard-0\"]."
  }
  validation {
    condition     = !contains(keys(var.peer_shards), var.region)
    error_message = "peer_shards is of other regions; this region's own are in shards."
  }
}

variable "availability_zones" {
  description = "Names of exactly three zones. Empty: the first three that the region offers."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = contains([0, 3], length(var.availability_zones)) && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones must name exactly three different zones, or none to take the first three of the region."
  }
}

# Size.

variable "shards" {
  description = "Cells of this region by name; a tenant lives in one. The first in order of names is the one that the bare domain reaches. API Gateway allows 10 stages, and each shard is one."
  type        = map(object({}))
  default     = { "shard-0" = {} }
  nullable    = false

  validation {
    condition     = length(var.shards) >= 1 && length(var.shards) <= 10
    error_message = "shards must be 1 to 10: each is a stage of the REST API, and API Gateway allows 10 stages."
  }
  validation {
    condition     = alltrue([for name in keys(var.shards) : can(regex("^shard-[0-9]{1,3}$", name))])
    error_message = "names of shards must be shard-<number>, for example shard-0: the registry places tenants on such names."
  }
}

variable "hot" {
  description = <<-EOT
    What the hot file system must carry, from which its provisioned throughput is computed (module storage).
      ingest_mib_per_s   frames written at peak, MiB/s, all shards
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
}

variable "database" {
  description = <<-EOT
    Aurora PostgreSQL Serverless v2.
      capacity_min, capacity_max  ACU, steps of 0.5; a minimum of 0 pauses when idle and then needs proxy = false
      readers_min, readers_max    readers besides the writer; the number follows connections and CPU
      proxy                       RDS Proxy in front
      backup_days                 point-in-time recovery window
      deletion_protection         refuse deletion, and keep a last snapshot
      pause_after_s               idle time before a pause, where capacity_min is 0
      engine_version              PostgreSQL 16 as Aurora numbers it
      backup_window, maintenance_window  UTC
  EOT
  type = object({
    capacity_min        = optional(number, 0.5)
    capacity_max        = optional(number, 16)
    readers_min         = optional(number, 1)
    readers_max         = optional(number, 4)
    proxy               = optional(bool, true)
    backup_days         = optional(number, 7)
    deletion_protection = optional(bool, true)
    pause_after_s       = optional(number, 900)
    engine_version      = optional(string, "16.8")
    backup_window       = optional(string, "02:00-03:00")
    maintenance_window  = optional(string, "sun:04:00-sun:05:00")
  })
  default  = {}
  nullable = false
}

variable "concurrency" {
  description = "Concurrency of functions in this environment by catalogue name, over what platform/functions.json says: provisioned minimum and maximum, reserved limit, and a timetable of minimum and maximum."
  type = map(object({
    provisioned_min = optional(number)
    provisioned_max = optional(number)
    reserved        = optional(number)
    schedule        = optional(map(object({ cron = string, min = number, max = number })), {})
  }))
  default  = {}
  nullable = false
}

variable "artifacts" {
  description = "What to run, by catalogue name and by digest: kind zip or image, sha256 in lower-case hex. ZIPs lie in the region's artifact bucket as functions/<name>/<sha256>.zip, images in ECR."
  type = map(object({
    kind   = string
    sha256 = string
  }))
  nullable = false

  validation {
    condition     = alltrue([for a in var.artifacts : contains(["zip", "image"], a.kind) && can(regex("^[0-9a-f]{64}$", a.sha256))])
    error_message = "each artifact needs kind zip or image and sha256, 64 lower-case hex digits; the build prints both."
  }
}

# Operation.

variable "log_retention_days" {
  description = "How long log groups keep events, one of the periods that CloudWatch Logs knows."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows and at least 14: 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, ..."
  }
}

variable "code_signing" {
  description = "Refuse function packages that are not signed with the global stack's profile. Off is for dev only."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.code_signing || var.environment == "dev"
    error_message = "code_signing may be false in dev only: staging and prod run signed packages."
  }
}

variable "alert_emails" {
  description = "Addresses that are told of alarms, by severity (platform/alarms.json). Each gets a mail to confirm."
  type        = map(set(string))
  default     = {}
  nullable    = false
}

variable "settings" {
  description = "Settings of functions over those of platform/functions.json: by function, by name as in its environment. A change is deployed."
  type        = map(map(string))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue(flatten([for settings in values(var.settings) : [for name in keys(settings) : can(regex("^PRISM_[A-Z0-9_]+$", name))]]))
    error_message = "settings: names are those of the environment, such as PRISM_QUERY_TIMEOUT_MS."
  }
}

variable "parameters" {
  description = "Settings of functions that follow within minutes, without a deploy: by name as in docs/design/functions.md, such as \"query/timeout_ms\"."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "metrics_tenants" {
  description = "Tenants that have metrics of their own in CloudWatch, at most 16: each is about ten more metrics to pay for. docs/design/observability.md."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.metrics_tenants) <= 16 && alltrue([for t in var.metrics_tenants : can(regex("^[a-z0-9_-]{1,64}$", t))])
    error_message = "metrics_tenants must be at most 16 names of tenants."
  }
}
