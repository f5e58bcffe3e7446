locals {
  aws     = "arn:${var.context.partition}"
  here    = "${var.context.region}:${var.context.account_id}"
  account = "${local.aws}:iam::${var.context.account_id}:root"
  tags    = { Service = "security" }

  config_path = "${var.context.path}/config"

  # Functions by what the catalogue lets them touch. Roles are called "<prefix>-fn-<name>" and, once per shard, "<prefix>-fn-<name>-<shard>".
  stores_of = { for name, f in var.platform.functions : name => try(f.stores, {}) }
  role_patterns = { for name, f in var.platform.functions : name =>
    "${local.aws}:iam::${var.context.account_id}:role/${var.context.prefix}-fn-${name}${try(f.hot_mount, false) ? "-*" : ""}"
  }

  secret_readers = sort([for name, stores in local.stores_of : local.role_patterns[name] if contains(keys(stores), "secrets")])

  # As in module function: objects and the tables that are partitioned by tenant.
  tenant_stores  = concat([for name, s in var.platform.stores : name if s.kind == "objects"], [for table in local.tenant_tables : "tables.${table}"])
  tenant_tables  = ["idempotency"]
  tenant_users   = sort([for name, stores in local.stores_of : local.role_patterns[name] if length(setintersection(keys(stores), local.tenant_stores)) > 0])
  tenant_writers = sort([for name, stores in local.stores_of : local.role_patterns[name] if anytrue([for store in local.tenant_stores : lookup(stores, store, "") == "read-write"])])
}

module "service" {
  source = "../service"

  service   = "security"
  context   = var.context
  platform  = var.platform
  runtime   = var.runtime
  artifacts = var.artifacts
  shards    = var.shards

  # The keys of tokens are the region's own: below its path, where the store's URL is that of all regions.
  extra = { for name, spec in var.platform.functions : name => {
    environment = merge(
      { PRISM_TOKEN_SECRET_NAME = "${basename(local.secret_path)}/token-signing-key" },
      name != "rotation" || var.rotation.primary == "" ? {} : { PRISM_SECRETS_PRIMARY = var.rotation.primary },
    )
  } if spec.service == "security" && contains(keys(try(spec.stores, {})), "secrets") }
}

resource "aws_lambda_code_signing_config" "zips" {
  for_each = var.signing_profile_arn == "" ? toset([]) : toset(["this"])

  description = "Only zips that the delivery pipeline signed."
  tags        = local.tags

  allowed_publishers {
    signing_profile_version_arns = [var.signing_profile_arn]
  }

  policies {
    untrusted_artifact_on_deployment = "Enforce"
  }
}

resource "aws_ssm_parameter" "config" {
  for_each = var.parameters

  name  = "${local.config_path}/${each.key}"
  type  = "String"
  value = each.value
  tags  = local.tags
}
