# What Prism is stands in platform/, once; here is what this stack takes from it, and the regions in the shapes that the other files need.
locals {
  functions = jsondecode(file("${path.module}/../../platform/functions.json"))
  runs      = jsondecode(file("${path.module}/../../platform/pipeline.json")).store

  table_names  = local.functions.stores.tables.tables
  image_names  = toset([for name, function in local.functions.functions : name if function.package == "image"])
  edge_tables  = ["keys", "tenants"] # what the router reads
  edge_handler = "router.handler"

  context = module.naming.context

  # The home region holds the stack itself, whether or not it serves tenants.
  regions        = setunion(keys(var.regions), [var.home_region])
  remote_regions = setsubtract(local.regions, [var.home_region])
  codes          = { for region in local.regions : region => module.naming.codes[region] }

  deletion_protection = coalesce(var.tables.deletion_protection, var.environment == "prod")

  # ARNs computed from names: a policy that holds them is known, and can be judged, before anything exists.
  arn              = "arn:${local.context.partition}"
  account          = local.context.account_id
  prefix           = local.context.prefix
  artifact_arns    = { for region, name in local.artifact_buckets : region => "${local.arn}:s3:::${name}" }
  access_arns      = { for region, name in local.access_buckets : region => "${local.arn}:s3:::${name}" }
  router_log_group = "/aws/lambda/us-east-1.${local.edge_name}"
  query_log_group  = "/aws/route53/${var.domain}"
  waf_log_group    = "aws-waf-logs-${local.edge_name}" # WAF takes only names that begin so
  log_arns         = { for name in [local.router_log_group, local.query_log_group, local.waf_log_group] : name => { for region in local.regions : region => "${local.arn}:logs:${region}:${local.account}:log-group:${name}" } }
  alarms_topic_arn = "${local.arn}:sns:${var.home_region}:${local.account}:${local.prefix}-alarms"

  # The pipeline's store: where it is, and whose roles use it (runs.tf).
  runs_account  = var.environment == local.runs.environment ? local.account : coalesce(try(var.delivery.runs_account, null), local.account)
  runs_bucket   = "${var.project}-${local.runs.environment}-${local.runs.name}-${local.runs_account}"
  runs_arn      = "${local.arn}:s3:::${local.runs_bucket}"
  runs_here     = var.delivery != null && var.environment == local.runs.environment ? { this = local.runs_bucket } : {}
  runs_accounts = sort(setunion([local.account], try(var.delivery.runs_users, [])))
  runs_users    = flatten([for account in local.runs_accounts : [for role in ["deploy", "plan"] : "${local.arn}:iam::${account}:role/${var.project}-*-${role}"]])

  api_domains = { for region in keys(var.regions) : region => "${module.naming.codes[region]}.api.${var.domain}" }
}
