variable "project" {
  description = "First part of every name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.project))
    error_message = "project must be 2 to 12 lower-case letters and digits and begin with a letter: it is part of bucket names, host names and database names."
  }
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "region" {
  description = "The region that the stack is for; in the global stack its home region."
  type        = string
  nullable    = false

  validation {
    condition     = contains(keys(local.codes), var.region)
    error_message = "Unknown region \"${var.region}\". Use one of: ${join(", ", sort(keys(local.codes)))}. A region that AWS has opened since is added to infra/modules/naming/regions.tf, with a code that no other region has."
  }
}

variable "stack" {
  description = "Which of the two stacks asks; the global one has no region in its names."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["global", "region"], var.stack)
    error_message = "stack must be global or region."
  }
}

variable "account_id" {
  description = "The account that the stack is applied in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account."
  }
}

variable "partition" {
  description = "aws, aws-us-gov or aws-cn; must be the region's."
  type        = string
  nullable    = false

  validation {
    condition     = var.partition == lookup(local.partitions, var.region, var.partition)
    error_message = "Region ${var.region} is in partition ${lookup(local.partitions, var.region, "?")}, not ${var.partition}: use credentials of an account in that partition, or another region."
  }
}

variable "dns_suffix" {
  description = "Domain of the partition's service names."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["amazonaws.com", "amazonaws.com.cn"], var.dns_suffix)
    error_message = "dns_suffix must be amazonaws.com or amazonaws.com.cn, as data source aws_partition gives it."
  }
}

variable "cost_center" {
  description = "Who pays; value of the tag CostCenter."
  type        = string
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html: the characters that every service takes.
    condition     = can(regex("^[\\p{L}\\p{N} _.:/=+@-]{1,256}$", var.cost_center))
    error_message = "cost_center must be 1 to 256 letters, digits, blanks and any of _ . : / = + - @, which is what a tag's value may hold."
  }
}

variable "owner" {
  description = "Whom to ask; value of the tag Owner."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[\\p{L}\\p{N} _.:/=+@-]{1,256}$", var.owner))
    error_message = "owner must be 1 to 256 letters, digits, blanks and any of _ . : / = + - @, which is what a tag's value may hold."
  }
}

# tflint-ignore: terraform_unused_declarations # it is there to be checked
variable "suffixes" {
  description = <<-EOT
    What the stack puts behind the prefix, by kind of name, so that a name which AWS would refuse during apply is refused in the plan: "<prefix>-<suffix>" is
    measured. Buckets get "-<account id>" besides, because their names are shared by all accounts.
  EOT
  type = object({
    function = optional(list(string), [])
    role     = optional(list(string), [])
    bucket   = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue(flatten([for kind, suffixes in var.suffixes : [
      for suffix in suffixes : length("${local.prefix}-${suffix}") <= local.suffixed_characters_max[kind]
    ]]))
    error_message = "Names too long: ${join("; ", flatten([for kind, suffixes in var.suffixes : [
      for suffix in suffixes : "${kind} ${local.prefix}-${suffix} has ${length("${local.prefix}-${suffix}")} characters, at most ${local.suffixed_characters_max[kind]} fit"
      if length("${local.prefix}-${suffix}") > local.suffixed_characters_max[kind]
    ]]))}. Shorten project, or the name of the function, shard or bucket."
  }
}
