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
  description = "What may talk to what: platform/network.json, decoded."
  type = object({
    version = number
    tiers = map(object({
      netnum  = number # of the tier's first subnet; the next two are the other zones', the fourth stays free
      newbits = number
      why     = optional(string, "")
    }))
    groups = map(object({
      tier = string
      why  = optional(string, "")
    }))
    flows = list(object({
      from     = string
      to       = string # a group, or "prefix:<gateway endpoint>"
      protocol = optional(string, "tcp")
      port     = number
      when     = optional(string, "always")
      why      = optional(string, "")
    }))
    endpoints = object({
      interface = map(object({
        private_dns  = optional(string, "true") # true | false | inbound-resolver
        china_prefix = optional(bool, false)
        actions      = list(string)
        resources    = list(string)
        why          = optional(string, "")
      }))
      gateway = map(object({
        actions   = list(string)
        resources = list(string)
        why       = optional(string, "")
      }))
      peer = optional(map(object({
        china_prefix = optional(bool, false)
        actions      = list(string)
        resources    = list(string) # {peer_prefix}: of names in the other region
        why          = optional(string, "")
      })), {})
    })
  })
  nullable = false

  validation {
    condition     = var.network.version == 1
    error_message = "This module reads version 1 of platform/network.json."
  }
  validation {
    condition     = length(setsubtract(["function", "data", "endpoint"], keys(var.network.tiers))) == 0 && length(setsubtract(["function", "schema", "endpoint", "proxy", "cluster", "efs"], keys(var.network.groups))) == 0
    error_message = "network.json must have the tiers function, data, endpoint and the groups function, schema, endpoint, proxy, cluster, efs: other modules ask for them."
  }
  validation {
    condition = alltrue([for tier in values(var.network.tiers) :
      tier.newbits >= 4 && tier.netnum >= 0 && tier.netnum % 4 == 0 && tier.netnum < pow(2, tier.newbits)
    ]) && length(distinct([for tier in values(var.network.tiers) : tier.newbits])) == 1 && length(distinct([for tier in values(var.network.tiers) : tier.netnum])) == length(var.network.tiers)
    error_message = "Tiers in network.json must have the same newbits (4 or more) and different netnum that are multiples of 4 below 2^newbits: then a tier is one range, and no two overlap."
  }
  validation {
    condition     = alltrue([for group in values(var.network.groups) : contains(keys(var.network.tiers), group.tier)])
    error_message = "Each group in network.json must name one of its tiers."
  }
  validation {
    condition = alltrue([for flow in var.network.flows :
      contains(keys(var.network.groups), flow.from) &&
      (contains(keys(var.network.groups), flow.to) || contains([for name in keys(var.network.endpoints.gateway) : "prefix:${name}"], flow.to))
    ])
    error_message = "Each flow in network.json must go from a group to a group, or to prefix:<name of a gateway endpoint>."
  }
  validation {
    condition     = alltrue([for flow in var.network.flows : contains(["tcp", "udp"], flow.protocol) && flow.port >= 1 && flow.port <= 65535 && contains(["always", "proxy", "no-proxy"], flow.when)])
    error_message = "Each flow in network.json needs protocol tcp or udp, one port from 1 to 65535, and when always, proxy or no-proxy."
  }
  validation {
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html: what a rule's description may hold.
    condition     = alltrue([for flow in var.network.flows : can(regex("^[a-zA-Z0-9 ._:/()#,@\\[\\]+=&;{}!$*-]{0,255}$", flow.why))])
    error_message = "why of a flow in network.json becomes the description of a rule: at most 255 letters, digits, blanks and any of ._-:/()#,@[]+=&;{}!$*"
  }
  validation {
    condition     = length(distinct([for flow in var.network.flows : "${flow.from} ${flow.to} ${flow.protocol} ${flow.port}"])) == length(var.network.flows)
    error_message = "A flow stands twice in network.json."
  }
  validation {
    condition     = alltrue([for endpoint in values(var.network.endpoints.interface) : contains(["true", "false", "inbound-resolver"], endpoint.private_dns)])
    error_message = "private_dns of an interface endpoint in network.json must be true, false or \"inbound-resolver\"."
  }
  validation {
    # A name only for inbound resolvers is refused by AWS where no gateway takes the traffic from inside (PrivateLink guide for S3).
    condition     = alltrue([for name, endpoint in var.network.endpoints.interface : endpoint.private_dns != "inbound-resolver" || contains(keys(var.network.endpoints.gateway), name)])
    error_message = "An interface endpoint with private_dns \"inbound-resolver\" needs a gateway endpoint of the same name in network.json."
  }
}

variable "cidr" {
  description = "Address range of the VPC: private (RFC 1918), /16 to /20."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false)
    error_message = "cidr must be an IPv4 range that begins at its own first address, such as 10.16.0.0/16."
  }
  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr must be /16 to /20: AWS takes nothing larger than /16, and below /20 the subnets get too small for functions and endpoints. Choose for example 10.16.0.0/16."
  }
  validation {
    condition = try(anytrue([
      cidrhost("${split("/", var.cidr)[0]}/8", 0) == "10.0.0.0",
      cidrhost("${split("/", var.cidr)[0]}/12", 0) == "172.16.0.0",
      cidrhost("${split("/", var.cidr)[0]}/16", 0) == "192.168.0.0",
    ]), false)
    error_message = "cidr must lie in the private ranges of RFC 1918: 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
  }
}

# tflint-ignore: terraform_unused_declarations # it is there to be checked
variable "peer_cidrs" {
  description = "Ranges of the other regions' VPCs by region; an overlap is refused, so that regions can be connected one day."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for cidr in values(var.peer_cidrs) : can(cidrnetmask(cidr))])
    error_message = "peer_cidrs must map regions to IPv4 ranges, such as {eu-central-1 = \"10.32.0.0/16\"}."
  }
  validation {
    # Two ranges overlap when the longer one, cut to the length of the shorter, is the shorter.
    condition = alltrue([for cidr in values(var.peer_cidrs) : try(
      cidrhost("${split("/", cidr)[0]}/${min(split("/", cidr)[1], split("/", var.cidr)[1])}", 0) !=
      cidrhost("${split("/", var.cidr)[0]}/${min(split("/", cidr)[1], split("/", var.cidr)[1])}", 0), true)
    ])
    error_message = "cidr ${var.cidr} overlaps the range of another region (${join(", ", [for region, cidr in var.peer_cidrs : "${region} ${cidr}"])}). Give this region a range of its own."
  }
}

variable "peers" {
  description = "The deployment's other regions that tenants may move to and from: prefix of names there. Each gets the endpoints that network.json has under `peer`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.peers), var.context.region)
    error_message = "peers names this region itself; its own services have endpoints already."
  }
}

variable "azs" {
  description = "Exactly three zones of the region. Their order decides which subnet range is whose: it is never changed."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.azs) == 3 && length(distinct(var.azs)) == 3
    error_message = "azs must be exactly three different zones; got ${length(var.azs)}. With two, the loss of one leaves no second copy. In a region with more, choose three and keep them."
  }
  validation {
    condition     = alltrue([for az in var.azs : startswith(az, var.context.region)])
    error_message = "azs must be zones of ${var.context.region}, such as ${var.context.region}a."
  }
}

variable "proxy" {
  description = "Whether RDS Proxy stands before the cluster; decides which flows of network.json with `when` are open."
  type        = bool
  default     = true
  nullable    = false
}

variable "logs_key_arn" {
  description = "KMS key of log groups."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "How long flow logs are kept."
  type        = number
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}
