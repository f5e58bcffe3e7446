# Certificate of the distribution. A region's certificate, for <code>.api.<domain>, belongs to its own stack.
resource "aws_acm_certificate" "edge" {
  domain_name               = var.domain
  subject_alternative_names = ["*.${var.domain}"]
  validation_method         = "DNS"

  tags = { Name = var.domain, Service = "edge" }

  lifecycle {
    create_before_destroy = true # a distribution cannot be without one
  }
}

# A domain and its wildcard are validated by one and the same record.
resource "aws_route53_record" "validation" {
  for_each = toset([var.domain])

  zone_id         = aws_route53_zone.public.zone_id
  name            = one([for option in aws_acm_certificate.edge.domain_validation_options : option.resource_record_name if option.domain_name == each.key])
  type            = one([for option in aws_acm_certificate.edge.domain_validation_options : option.resource_record_type if option.domain_name == each.key])
  records         = [one([for option in aws_acm_certificate.edge.domain_validation_options : option.resource_record_value if option.domain_name == each.key])]
  ttl             = 300
  allow_overwrite = true
}

# Waits until ACM has seen the record, so only once the parent zone delegates: with the distribution, not before (README.md, First apply).
resource "aws_acm_certificate_validation" "edge" {
  for_each = local.distribution

  certificate_arn         = aws_acm_certificate.edge.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}
