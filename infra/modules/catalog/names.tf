# Names that stay when what is behind them changes. Without a proxy they are the cluster's own endpoints. A client resolves the name first: certificate and
# IAM token are for the endpoint that it finds (README.md).
locals {
  primary_endpoint = var.database.proxy ? one([for proxy in aws_db_proxy.catalog : proxy.endpoint]) : aws_rds_cluster.catalog.endpoint
  reader_endpoint = (
    length(local.proxy_reader) > 0 ? one([for endpoint in aws_db_proxy_endpoint.reader : endpoint.endpoint]) :
    var.database.proxy ? local.primary_endpoint : aws_rds_cluster.catalog.reader_endpoint
  )

  # Who connects is a user of the proxy or of the cluster: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
  connect_id = var.database.proxy ? one([for proxy in aws_db_proxy.catalog : element(split(":", proxy.arn), 6)]) : aws_rds_cluster.catalog.cluster_resource_id
}

resource "aws_route53_record" "catalog" {
  for_each = { proxy = local.primary_endpoint, reader = local.reader_endpoint }

  zone_id = var.network.private_zone_id
  name    = "${each.key}.${var.network.private_zone_name}"
  type    = "CNAME"
  ttl     = 30
  records = [each.value]
}
