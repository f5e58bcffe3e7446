output "zone" {
  description = "The public zone, the name servers that the parent zone must delegate to, and with `dnssec` the DS record that it must hold."
  value = {
    id           = aws_route53_zone.public.zone_id
    name_servers = aws_route53_zone.public.name_servers
    ds_record    = try(aws_route53_key_signing_key.this["this"].ds_record, null)
  }
}

output "published" {
  description = "What the parameter <path>/global holds, by region."
  value       = local.published

  # The parameters, not only their text, are what a caller may rely on.
  depends_on = [aws_ssm_parameter.global]
}

output "distribution" {
  description = "The edge; null before the router is uploaded."
  value = one([for distribution in aws_cloudfront_distribution.this : {
    id             = distribution.id
    domain_name    = distribution.domain_name
    router_version = aws_lambda_function.router["this"].version
  }])
}

output "delivery_roles" {
  description = "Roles for GitHub Actions by name; empty without `delivery`."
  value       = { for name, role in aws_iam_role.delivery : name => role.arn }
}

output "router_upload" {
  description = "Where the router's ZIP goes before it is named in `edge`."
  value       = "s3://${local.artifact_buckets[var.home_region]}/functions/edge/<sha256>.zip"
}

output "pipeline_store" {
  description = "Where `prism pipeline` keeps its runs (PRISM_PIPELINE_STATE), the same in every environment; null without `delivery`."
  value       = var.delivery == null ? null : "s3://${local.runs_bucket}/${local.runs.prefix}"
}
