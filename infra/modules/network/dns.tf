# Names of what stands in this region, for this region. The modules that own the targets add the records: proxy, reader (catalog), files (storage).
resource "aws_route53_zone" "private" {
  name    = "${var.context.code}.${var.context.environment}.${var.context.project}.internal"
  comment = "Internal names of ${var.context.prefix}"

  vpc {
    vpc_id     = aws_vpc.this.id
    vpc_region = var.context.region
  }

  tags = local.tags
}
