# The environment's public zone. A region's own name, <code>.api.<domain>, is written by its stack when its API stands; here is what points
# at names below it. They are computed from the region's code, never read.
#   origin.<domain>    the nearest healthy region (latency)
#   failover.<domain>  the primary region, or the secondary while the primary is unhealthy
locals {
  active_regions = { for region, settings in var.regions : region => settings if settings.active }
  primary        = one([for region, settings in var.regions : region if settings.primary])
  secondary      = one([for region, settings in var.regions : region if settings.secondary])

  failover = merge({ PRIMARY = local.primary }, local.secondary == null ? {} : { SECONDARY = local.secondary })

  # The certificate authorities that Amazon's certificates come from: https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html
  issuers = ["amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"]
}

resource "aws_route53_zone" "public" {
  name    = var.domain
  comment = "Public names of ${local.context.prefix}"

  tags = { Name = var.domain, Service = "edge" }
}

resource "aws_route53_health_check" "region" {
  for_each = var.regions

  type              = "HTTPS"
  fqdn              = local.api_domains[each.key]
  port              = 443
  resource_path     = "/v1/health"
  enable_sni        = true
  request_interval  = 10
  failure_threshold = 3
  measure_latency   = true
  disabled          = false

  tags = { Name = "${local.context.prefix}-${local.codes[each.key]}", Service = "edge" }
}

resource "aws_route53_record" "origin" {
  for_each = local.active_regions

  zone_id         = aws_route53_zone.public.zone_id
  name            = "origin.${var.domain}"
  type            = "CNAME"
  ttl             = 30
  records         = ["origin.${local.api_domains[each.key]}"]
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.region[each.key].id

  latency_routing_policy {
    region = each.key
  }
}

resource "aws_route53_record" "failover" {
  for_each = local.failover

  zone_id         = aws_route53_zone.public.zone_id
  name            = "failover.${var.domain}"
  type            = "CNAME"
  ttl             = 30
  records         = ["failover.${local.api_domains[each.value]}"]
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.region[each.value].id

  failover_routing_policy {
    type = each.key
  }
}

resource "aws_route53_record" "edge" {
  for_each = { for pair in setproduct(keys(local.distribution), [var.domain, "api.${var.domain}"], ["A", "AAAA"]) : "${pair[1]}/${pair[2]}" => { name = pair[1], type = pair[2] } }

  zone_id = aws_route53_zone.public.zone_id
  name    = each.value.name
  type    = each.value.type

  alias {
    name                   = aws_cloudfront_distribution.this["this"].domain_name
    zone_id                = aws_cloudfront_distribution.this["this"].hosted_zone_id
    evaluate_target_health = false # CloudFront has no health of its own to evaluate
  }
}

# Nobody but Amazon may issue certificates for these names (RFC 8659).
resource "aws_route53_record" "caa" {
  zone_id = aws_route53_zone.public.zone_id
  name    = var.domain
  type    = "CAA"
  ttl     = 3600
  records = concat(
    [for issuer in local.issuers : "0 issue \"${issuer}\""],
    [for email in sort(var.notification_emails) : "0 iodef \"mailto:${email}\""],
  )
}

# ---- who asks for what ----

resource "aws_cloudwatch_log_group" "queries" {
  # Route 53 writes to groups in us-east-1 whose names begin so.
  name              = local.query_log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this["logs"].arn

  tags = { Service = "edge" }
}

data "aws_iam_policy_document" "log_writers" {
  statement {
    sid       = "Route53Queries"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.log_arns[local.query_log_group][var.home_region]}:*"]

    principals {
      type        = "Service"
      identifiers = ["route53.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.context.account_id]
    }
  }

  statement {
    sid       = "WebAclLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.log_arns[local.waf_log_group][var.home_region]}:*"]

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.context.account_id]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "writers" {
  policy_name     = "${local.context.prefix}-edge"
  policy_document = data.aws_iam_policy_document.log_writers.json
}

resource "aws_route53_query_log" "public" {
  zone_id                  = aws_route53_zone.public.zone_id
  cloudwatch_log_group_arn = "${aws_cloudwatch_log_group.queries.arn}:*"

  depends_on = [aws_cloudwatch_log_resource_policy.writers]
}

# ---- signatures ----

data "aws_iam_policy_document" "dnssec" {
  statement {
    sid       = "AccountDecidesThroughIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.context.partition}:iam::${local.context.account_id}:root"]
    }
  }

  # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/access-control-managing-permissions.html#KMS-key-policy-for-DNSSEC
  statement {
    sid       = "Route53Signs"
    actions   = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["dnssec-route53.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.context.account_id]
    }
  }

  statement {
    sid       = "Route53Grants"
    actions   = ["kms:CreateGrant"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["dnssec-route53.amazonaws.com"]
    }
    condition {
      test     = "Bool"
      variable = "kms:GrantIsForAWSResource"
      values   = ["true"]
    }
  }
}

resource "aws_kms_key" "dnssec" {
  for_each = var.dnssec ? { this = true } : {}

  description              = "Key signing key of zone ${var.domain}"
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY" # KMS rotates symmetric keys only; a key signing key is rolled by hand, with the parent zone
  deletion_window_in_days  = 30
  policy                   = data.aws_iam_policy_document.dnssec.json

  tags = { Name = "${local.context.prefix}-dnssec", Service = "edge" }
}

resource "aws_route53_key_signing_key" "this" {
  for_each = aws_kms_key.dnssec

  name                       = replace("${local.context.prefix}-1", "-", "_")
  hosted_zone_id             = aws_route53_zone.public.zone_id
  key_management_service_arn = each.value.arn
}

resource "aws_route53_hosted_zone_dnssec" "this" {
  for_each = aws_route53_key_signing_key.this

  hosted_zone_id = each.value.hosted_zone_id
}
