variable "project" {
  description = "First part of every name."
  type        = string
  default     = "prism"
  nullable    = false
}

variable "environment" {
  description = "dev, staging or prod; one state and one account (or at least one prefix) each."
  type        = string
  nullable    = false
}

variable "owner" {
  description = "Whom to ask; value of the tag Owner."
  type        = string
  nullable    = false
}

variable "cost_center" {
  description = "Who pays; value of the tag CostCenter."
  type        = string
  nullable    = false
}

variable "home_region" {
  description = "Where this stack's own resources live."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    # Each of the three binds: CloudFront takes certificates and web ACLs from there only, and Lambda@Edge functions are made there.
    condition     = var.home_region == "us-east-1"
    error_message = "home_region must be us-east-1: CloudFront takes certificates, web ACLs and Lambda@Edge functions from no other region. Regions that serve tenants are chosen in `regions`."
  }
}

variable "domain" {
  description = "The environment's own public domain, for example dev.prism.example; this stack holds its zone."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain)) && length(var.domain) <= 200
    error_message = "domain must be a lower-case DNS name of two labels or more without a dot at its end, at most 200 characters, such as dev.prism.example."
  }
  validation {
    # RFC 5280's upper bound on a common name; ACM refuses a longer first name, and the regions' names are longer still.
    condition     = length("apne1.api.${var.domain}") <= 64
    error_message = "domain is too long: a region's certificate is for <code>.api.<domain>, whose common name may have 64 characters. Use a domain of at most 54."
  }
}

variable "regions" {
  description = <<-EOT
    The regions that serve tenants, by AWS name.
      active     false takes a region out of the latency and failover records and out of the router; its replicas and artifacts stay
      primary    exactly one: where failover.<domain> points, and the router's last resort
      secondary  at most one: where failover.<domain> points while the primary is unhealthy
      standby    region that answers this region's tenants while it is down; null: the router answers 503, because a standby holds
                 no hot data of theirs until a migration or an evacuation has moved them
  EOT
  type = map(object({
    active    = optional(bool, true)
    primary   = optional(bool, false)
    secondary = optional(bool, false)
    standby   = optional(string)
  }))
  nullable = false

  validation {
    condition     = length(var.regions) >= 1 && length(var.regions) <= 20
    error_message = "regions must name 1 to 20 regions: what this stack publishes must fit into one 4 KB parameter."
  }
  validation {
    condition     = alltrue([for region in keys(var.regions) : contains(keys(module.naming.codes), region)])
    error_message = "Unknown region ${join(", ", [for region in keys(var.regions) : region if !contains(keys(module.naming.codes), region)])}. Use one of: ${join(", ", sort(keys(module.naming.codes)))}. A region that AWS has opened since is added to infra/modules/naming/regions.tf first."
  }
  validation {
    condition     = alltrue([for region in keys(var.regions) : !startswith(region, "cn-") && !startswith(region, "us-gov-")])
    error_message = "regions must all lie in one partition, the home region's: global tables, CloudFront and IAM do not reach into aws-cn or aws-us-gov. Apply this stack a second time with an account there."
  }
  validation {
    condition     = length([for region in values(var.regions) : region if region.primary]) == 1
    error_message = "Exactly one region must have primary = true."
  }
  validation {
    condition     = length([for region in values(var.regions) : region if region.secondary]) <= 1
    error_message = "At most one region may have secondary = true: Route 53 failover records come in pairs."
  }
  validation {
    condition     = alltrue([for region in values(var.regions) : region.active if region.primary || region.secondary])
    error_message = "The primary and the secondary region must be active; give the role to another region before you take one out."
  }
  validation {
    condition     = alltrue([for region in values(var.regions) : !(region.primary && region.secondary)])
    error_message = "A region is primary or secondary, not both."
  }
  validation {
    condition = alltrue([for name, region in var.regions :
      region.standby == null ? true : region.standby != name && try(var.regions[region.standby].active, false)
    ])
    error_message = "standby must be another active region of `regions`, or null."
  }
}

variable "tables" {
  description = <<-EOT
    Capacity and protection of the registry's global tables.
      deletion_protection  null: on in prod only
      recovery_days        how far back point-in-time recovery reaches
      ceiling              request units per second that an on-demand table may use, so that a runaway client costs no fortune
      provisioned          tables with a known baseline, by short name: provisioned with autoscaling between min and max units,
                           which is what reserved capacity applies to (README.md, Capacity); the others are on demand
      utilization_target   percent of the provisioned units in use that autoscaling aims at
  EOT
  type = object({
    deletion_protection = optional(bool)
    recovery_days       = optional(number, 35)
    ceiling = optional(object({
      read  = optional(number, 12000)
      write = optional(number, 4000)
    }), {})
    provisioned = optional(map(object({
      read  = object({ min = number, max = number })
      write = object({ min = number, max = number })
    })), {})
    utilization_target = optional(number, 70)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.tables.recovery_days >= 1 && var.tables.recovery_days <= 35
    error_message = "tables.recovery_days must be 1 to 35, which is what DynamoDB offers."
  }
  validation {
    condition     = var.tables.ceiling.read >= 1 && var.tables.ceiling.write >= 1
    error_message = "tables.ceiling.read and .write must be 1 or more request units per second."
  }
  validation {
    condition     = alltrue([for name in keys(var.tables.provisioned) : contains(local.table_names, name)])
    error_message = "tables.provisioned may name only tables of the catalogue: ${join(", ", local.table_names)}."
  }
  validation {
    condition = alltrue(flatten([for table in values(var.tables.provisioned) : [
      for units in [table.read, table.write] : units.min >= 1 && units.min <= units.max && units.max <= 40000
    ]]))
    error_message = "tables.provisioned: min must be 1 or more and at most max; max at most 40000, the default quota of a table."
  }
  validation {
    condition     = var.tables.utilization_target >= 20 && var.tables.utilization_target <= 90
    error_message = "tables.utilization_target must be 20 to 90, the range of Application Auto Scaling for DynamoDB."
  }
}

variable "secrets" {
  description = <<-EOT
    The secrets that all regions share.
      recovery_days   how long a deleted one can be had back; 0: not at all. null: 30, in dev 0
      generation      by secret, one more makes a new value in all regions
      administrators  ARNs or patterns of roles besides the functions that may read or write values
  EOT
  type = object({
    recovery_days  = optional(number)
    generation     = optional(map(number), {})
    administrators = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.secrets.recovery_days == null ? true : var.secrets.recovery_days == 0 || (var.secrets.recovery_days >= 7 && var.secrets.recovery_days <= 30)
    error_message = "secrets.recovery_days must be 0 or 7 to 30, as Secrets Manager takes it."
  }
  validation {
    condition     = var.environment != "prod" || var.secrets.recovery_days == null ? true : var.secrets.recovery_days > 0
    error_message = "In production a deleted secret must be recoverable: secrets.recovery_days 7 to 30. Without the pepper no API key opens anything any more."
  }
  validation {
    condition     = length(setsubtract(keys(var.secrets.generation), keys(local.secrets))) == 0
    error_message = "secrets.generation names secrets that do not exist; there are: ${join(", ", keys(local.secrets))}."
  }
  validation {
    condition     = alltrue([for arn in var.secrets.administrators : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9]{12}:.+$", arn))])
    error_message = "secrets.administrators must be ARNs of roles of an account, or patterns of them."
  }
}

variable "edge" {
  description = <<-EOT
    The edge: CloudFront, its router and its firewall.
      router_sha256       hex digest of the router's ZIP, which lies in the home artifact bucket as functions/edge/<digest>.zip.
                          null: no distribution yet (README.md, First apply)
      memory_mb           of the router
      observe_responses   the router sees the regions' answers too: learns of moved tenants and of failing regions at once, at the price of
                          a second invocation per request
      requests_per_5_min  ceiling for one client address
      price_class         which of CloudFront's locations serve
  EOT
  type = object({
    router_sha256      = optional(string)
    memory_mb          = optional(number, 256)
    observe_responses  = optional(bool, true)
    requests_per_5_min = optional(number, 100000)
    price_class        = optional(string, "PriceClass_All")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.edge.router_sha256 == null ? true : can(regex("^[0-9a-f]{64}$", var.edge.router_sha256))
    error_message = "edge.router_sha256 must be the 64 lower-case hex digits that `sha256sum` prints for the router's ZIP, or null before it is uploaded."
  }
  validation {
    condition     = var.edge.memory_mb >= 128 && var.edge.memory_mb <= 3008
    error_message = "edge.memory_mb must be 128 to 3008."
  }
  validation {
    condition     = var.edge.requests_per_5_min >= 10 && var.edge.requests_per_5_min <= 2000000000
    error_message = "edge.requests_per_5_min must be 10 to 2000000000, the range of a rate-based rule."
  }
  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.edge.price_class)
    error_message = "edge.price_class must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "dnssec" {
  description = "Sign the zone. The parent zone needs the DS record of output `zone` afterwards; until then resolvers ignore the signatures."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "How long log groups keep their events, and how long access logs stay in their buckets."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "delivery" {
  description = <<-EOT
    Roles that GitHub Actions assumes through OpenID Connect, without stored credentials; null: none.
      repository        owner/name
      state_bucket      bucket of the Terraform states
      plan_environment  GitHub environment whose jobs may plan (read only); the deploying one is named like this environment
      create_provider   false where the account has GitHub's OIDC provider already (another environment made it)
      runs_account      account of the environment that keeps the pipeline's runs (`store` of platform/pipeline.json); null: this one
      runs_users        in that environment: accounts of the others, whose delivery roles use its bucket
  EOT
  type = object({
    repository       = string
    state_bucket     = string
    plan_environment = optional(string)
    create_provider  = optional(bool, true)
    runs_account     = optional(string)
    runs_users       = optional(set(string), [])
  })
  default = null

  validation {
    condition     = var.delivery == null ? true : alltrue([for account in concat(compact([var.delivery.runs_account]), tolist(var.delivery.runs_users)) : can(regex("^[0-9]{12}$", account))])
    error_message = "delivery.runs_account and delivery.runs_users must be account numbers of 12 digits."
  }

  validation {
    condition     = var.delivery == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$", var.delivery.repository))
    error_message = "delivery.repository must be owner/name as GitHub spells it, without a host and without wildcards."
  }
  validation {
    condition     = var.delivery == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.delivery.state_bucket))
    error_message = "delivery.state_bucket must be a bucket's name."
  }
  validation {
    condition     = try(var.delivery.plan_environment, null) == null ? true : can(regex("^[A-Za-z0-9_-]{1,64}$", var.delivery.plan_environment)) && var.delivery.plan_environment != var.environment
    error_message = "delivery.plan_environment must be 1 to 64 letters, digits, - and _, and another GitHub environment than ${var.environment}, whose approvals guard the deploying role."
  }
}

variable "account_settings" {
  description = "Whether this environment owns what an account has once per region: replication and scanning of the image registry. False where two environments share an account and the other one does."
  type        = bool
  default     = true
  nullable    = false
}

variable "disposable" {
  description = "Whether a destroy may take buckets and repositories that are not empty; for environments that are made for a test."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !(var.disposable && var.environment == "prod")
    error_message = "prod is not disposable: empty its buckets and repositories by hand if you mean it."
  }
}

variable "notification_emails" {
  description = "Who gets the alarms and the budget's notices; each address confirms its subscription once."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.notification_emails) >= 1 && length(var.notification_emails) <= 10 && alltrue([for email in var.notification_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "notification_emails must be 1 to 10 e-mail addresses, the number that a budget's notice takes."
  }
}

variable "budgets" {
  description = <<-EOT
    Monthly budgets by name, over this environment's resources (by the tags Project and Environment, which must be active as cost
    allocation tags).
      limit_usd  the month's limit
      services   only these AWS services, as Cost Explorer names them; empty: all
      notices    percent of the limit at which a notice goes out; forecast is told at 100
  EOT
  type = map(object({
    limit_usd = number
    services  = optional(set(string), [])
    notices   = optional(set(number), [50, 80, 100])
  }))
  nullable = false

  validation {
    condition     = length(var.budgets) >= 1
    error_message = "budgets must hold at least one budget: an environment without a ceiling is found by its bill."
  }
  validation {
    condition     = alltrue([for name, budget in var.budgets : can(regex("^[a-z][a-z0-9-]{0,31}$", name)) && budget.limit_usd > 0])
    error_message = "budgets: a name is 1 to 32 of a-z, 0-9 and -, and limit_usd is over 0."
  }
  validation {
    # https://docs.aws.amazon.com/cost-management/latest/userguide/management-limits.html
    condition     = alltrue([for budget in values(var.budgets) : length(budget.notices) <= 4 && alltrue([for percent in budget.notices : percent > 0 && percent <= 1000])])
    error_message = "budgets: notices are at most 4 percentages over 0; AWS takes five notices per budget and the forecast is one."
  }
}
