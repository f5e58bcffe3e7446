# By the contract's x-prism-names: the region's own name, and the names that the global stack leads to the nearest or to the primary region: a client says the name that it called,
# so every region answers to it. What points here is <name>.<code>.api.<domain>, because each custom domain has a target of its own.
locals {
  domains        = { for key, name in local.names.domains : key => replace(replace(name, "{code}", var.context.code), "{domain}", var.domain) }
  domain_name    = local.domains["region"]
  domain_targets = { for key in keys(local.domains) : key => key == "region" ? local.domain_name : "${key}.${local.domain_name}" }

  mappings = merge([for name in keys(local.domains) : { for shard in keys(var.shards) : "${name}/${shard}" => { name = name, shard = shard } }]...)
}

resource "aws_acm_certificate" "this" {
  domain_name               = local.domain_name
  subject_alternative_names = ["*.${var.domain}"] # origin and failover
  validation_method         = "DNS"
  key_algorithm             = "RSA_2048"

  options {
    certificate_transparency_logging_preference = "ENABLED"
  }

  tags = { Name = local.domain_name, Service = "api" }

  lifecycle {
    create_before_destroy = true
  }
}

# The record for *.<domain> is the global stack's: ACM asks for the same one for a domain and its wildcard, in every region of an account.
# https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
resource "aws_route53_record" "validation" {
  for_each = toset([local.domain_name])

  zone_id         = var.zone_id
  name            = one([for o in aws_acm_certificate.this.domain_validation_options : o.resource_record_name if o.domain_name == each.key])
  type            = one([for o in aws_acm_certificate.this.domain_validation_options : o.resource_record_type if o.domain_name == each.key])
  records         = [one([for o in aws_acm_certificate.this.domain_validation_options : o.resource_record_value if o.domain_name == each.key])]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_name]

  depends_on = [aws_route53_record.validation]
}

resource "aws_api_gateway_domain_name" "this" {
  for_each = local.domains

  domain_name              = each.value
  regional_certificate_arn = aws_acm_certificate_validation.this.certificate_arn
  security_policy          = "TLS_1_2"

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  tags = { Name = each.value, Service = "api" }
}

resource "aws_api_gateway_base_path_mapping" "shard" {
  for_each = local.mappings

  domain_name = aws_api_gateway_domain_name.this[each.value.name].domain_name
  api_id      = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.shard[each.value.shard].stage_name
  base_path   = replace(local.names.base_path, "{shard}", each.value.shard)
}

# Without a base path: the first shard, so that a region with one shard is used by its bare name.
resource "aws_api_gateway_base_path_mapping" "first" {
  for_each = local.domains

  domain_name = aws_api_gateway_domain_name.this[each.key].domain_name
  api_id      = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.shard[local.shard_names[0]].stage_name
}

resource "aws_route53_record" "api" {
  for_each = local.domain_targets

  zone_id = var.zone_id
  name    = each.value
  type    = "A"

  alias {
    name                   = aws_api_gateway_domain_name.this[each.key].regional_domain_name
    zone_id                = aws_api_gateway_domain_name.this[each.key].regional_zone_id
    evaluate_target_health = true
  }
}
