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

variable "contract_file" {
  description = "Path of platform/api.openapi.json, which is the body of the REST API."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(file(var.contract_file)).openapi)
    error_message = "contract_file must be an OpenAPI document in JSON: give the path of platform/api.openapi.json."
  }
}

variable "shards" {
  description = "Cells of the region by name. Each is a stage of the API; the first in order of names also answers at the empty base path."
  type        = map(object({}))
  nullable    = false

  validation {
    condition     = length(var.shards) >= 1 && length(var.shards) <= 10
    error_message = "shards must be 1 to 10: each is a stage, and API Gateway allows 10 stages to an API. Put more tenants on a shard, or ask AWS for more stages."
  }
  validation {
    condition     = alltrue([for name in keys(var.shards) : can(regex("^[a-z0-9][a-z0-9-]{0,62}$", name))])
    error_message = "names of shards become stages, base paths and parts of function names: lower-case letters, digits and hyphens, at most 63."
  }
}

variable "functions" {
  description = "Functions by catalogue name, those with a hot mount by `<name>-<shard>`; outputs of module function. Whatever the contract addresses must be here."
  type = map(object({
    name       = string
    alias_arn  = string
    alias_name = string
  }))
  nullable = false
}

variable "domain" {
  description = "Public domain of the environment. The API answers at <code>.api.<domain>."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a domain name in lower case without a dot at its end, for example dev.prism.example.com."
  }
}

variable "zone_id" {
  description = "Public Route 53 zone of the domain: the certificate is validated and the API is named there."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Z0-9]{1,32}$", var.zone_id))
    error_message = "zone_id must be the id of the public zone, such as Z0123456789ABCDEFGHIJ, not its name."
  }
}

variable "logs_key_arn" {
  description = "KMS key of log groups."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:", var.logs_key_arn))
    error_message = "logs_key_arn must be the ARN of a KMS key."
  }
}

variable "data_key_arn" {
  description = "KMS key of what executions are started with."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:", var.data_key_arn))
    error_message = "data_key_arn must be the ARN of a KMS key."
  }
}

variable "boundary_arn" {
  description = "Permissions boundary of the role that starts state machines."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "How long access, execution and firewall logs are kept."
  type        = number
  nullable    = false

  validation {
    condition     = contains([14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows and at least 14: 14, 30, 60, 90, 120, 150, 180, 365, 400, ..."
  }
}

variable "logging_level" {
  description = "What API Gateway's execution log holds. Bodies are never in it."
  type        = string
  default     = "ERROR"
  nullable    = false

  validation {
    condition     = contains(["ERROR", "INFO"], var.logging_level)
    error_message = "logging_level must be ERROR or INFO; an API without execution log cannot be explained afterwards."
  }
}

variable "firewall" {
  description = <<-EOT
    Requests of one address within five minutes, above which the firewall refuses it.
      requests_max        all routes; collectors of one site share an address
      admin_requests_max  administrative routes, where keys could be guessed
  EOT
  type = object({
    requests_max       = optional(number, 120000)
    admin_requests_max = optional(number, 600)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.firewall.requests_max >= 100 && var.firewall.admin_requests_max >= 10 && var.firewall.admin_requests_max <= var.firewall.requests_max
    error_message = "firewall.requests_max must be at least 100, and admin_requests_max 10 to requests_max: WAF counts no lower."
  }
}
