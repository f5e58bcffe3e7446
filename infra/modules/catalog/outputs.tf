output "meta" {
  description = "The store `meta`: where functions find it and what they need to connect; {function} stands for the function's name. Offered when somebody answers there."
  value = {
    url          = "postgresql://${local.user}@proxy.${var.network.private_zone_name}:5432/${var.context.project}?iam=1"
    reader_url   = "postgresql://${local.user}@reader.${var.network.private_zone_name}:5432/${var.context.project}?iam=1"
    connect_arns = ["${local.aws}:rds-db:${local.here}:dbuser:${local.connect_id}/${local.user}"]
  }

  depends_on = [
    aws_db_proxy_endpoint.reader,
    aws_db_proxy_target.catalog,
    aws_rds_cluster_instance.catalog,
    aws_route53_record.catalog,
  ]
}

output "cluster_identifier" {
  description = "Name of the cluster, for alarms."
  value       = aws_rds_cluster.catalog.cluster_identifier
}

output "proxy_name" {
  description = "Name of the proxy, for alarms; null without one."
  value       = one([for proxy in aws_db_proxy.catalog : proxy.name])
}

output "administrator_secret_arn" {
  description = "Secret that RDS keeps the administrator's password in, for who migrates the schema."
  value       = local.administrator_secret_arn
}

output "functions" {
  description = "Output `functions` of module service."
  value       = module.service.functions
}
