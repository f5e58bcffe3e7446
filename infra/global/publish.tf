# What a regional stack may know of this one, and nothing else: one parameter in each region, the same name everywhere. README.md, Interface.
locals {
  published = { for region in local.regions : region => {
    version     = 1
    account     = local.context.account_id
    domain      = var.domain
    zone_id     = aws_route53_zone.public.zone_id
    home_region = var.home_region
    regions = { for name, settings in var.regions : name => merge(
      { code = module.naming.codes[name], active = settings.active },
      settings.standby == null ? {} : { standby = settings.standby },
    ) }
    tables = { for name in local.table_names : name => merge(
      { name = "${local.context.prefix}-${name}", arn = local.table_arns[region][name] },
      # What an alarm measures use against; a provisioned table has autoscaling's bounds instead.
      contains(keys(local.provisioned), name) ? {} : { ceiling = var.tables.ceiling },
    ) }
    tables_key_arn              = local.key_arns[region].registry
    secrets                     = local.secret_arns[region]
    secrets_key_arn             = local.key_arns[region].secrets
    artifact_bucket             = local.artifact_buckets[region]
    artifacts_key_arn           = local.key_arns[region].artifacts
    image_registry              = local.image_registries[region]
    signing_profile_arn         = aws_signer_signing_profile.this[region].arn
    signing_profile_version_arn = aws_signer_signing_profile.this[region].version_arn
    service_boundary_arn        = "${local.arn}:iam::${local.account}:policy/${local.prefix}-services-boundary"
    edge                        = { origin = "origin.${var.domain}", failover = "failover.${var.domain}", api = "api.${var.domain}" }
  } }
}

resource "aws_ssm_parameter" "global" {
  for_each = local.regions

  region         = each.key
  name           = "${local.context.path}/global"
  description    = "What regional stacks know of infra/global; version 1"
  type           = "String" # names and ARNs, no secrets
  tier           = "Standard"
  insecure_value = jsonencode(local.published[each.key])

  tags = { Service = "delivery" }

  # A regional stack that finds the parameter finds all that it names.
  depends_on = [
    aws_dynamodb_table_replica.this,
    aws_ecr_repository_policy.this,
    aws_s3_bucket_policy.artifacts,
    aws_s3_bucket_server_side_encryption_configuration.artifacts,
    aws_secretsmanager_secret_policy.this,
  ]

  lifecycle {
    precondition {
      condition     = length(jsonencode(local.published[each.key])) <= 4096
      error_message = "What is published for ${each.key} has ${length(jsonencode(local.published[each.key]))} characters; a standard parameter takes 4096. Take regions out, or raise the interface's version and split it."
    }
  }
}
