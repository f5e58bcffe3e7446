output "keys" {
  description = "ARNs of the region's keys by purpose."
  value       = { for name, key in aws_kms_key.this : name => key.arn }
}

output "boundary_arn" {
  description = "Permissions boundary of every role of a function, a schedule or a state machine."
  value       = aws_iam_policy.boundary.arn
}

output "secret_arns" {
  description = "ARNs of the secrets; their values are there when this is."
  value       = { for name, value in module.value : replace(name, "-", "_") => value.arn }
  depends_on  = [aws_secretsmanager_secret_policy.this]
}

output "parameters" {
  description = "Settings that change without a deploy: what functions get in PRISM_PARAMETERS_URL, and what a policy names for whoever reads them by path."
  value = {
    url  = "ssm:/${local.config_path}"
    arns = ["${local.aws}:ssm:${local.here}:parameter${local.config_path}", "${local.aws}:ssm:${local.here}:parameter${local.config_path}/*"]
  }
}

output "tenant_access_role_arn" {
  description = "The role that functions assume with the session tag `tenant`."
  value       = aws_iam_role.tenant.arn
}

output "code_signing_config_arn" {
  description = "\"\" where signing is off."
  value       = join("", [for config in aws_lambda_code_signing_config.zips : config.arn])
}

output "functions" {
  description = "Output `functions` of module service."
  value       = module.service.functions
}
