# Functions come by the hundred, connections do not. IAM from end to end: a function signs for the proxy, the proxy for the database, and no secret is
# involved. https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-proxy-iam-setup.html
locals {
  proxy        = var.database.proxy ? local.this : toset([])
  proxy_reader = var.database.proxy && var.database.readers_min >= 1 ? local.this : toset([])
}

resource "aws_cloudwatch_log_group" "proxy" {
  for_each = local.proxy

  name              = "/aws/rds/proxy/${local.name}"
  kms_key_id        = var.keys.logs
  retention_in_days = var.log_retention_days
  tags              = local.tags
}

resource "aws_iam_role" "proxy" {
  for_each = local.proxy

  name                 = "${local.name}-proxy"
  description          = "The proxy as the database sees it."
  permissions_boundary = "arn:${var.context.partition}:iam::${var.context.account_id}:policy/${var.context.project}-${var.context.environment}-services-boundary" # infra/global makes it
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "rds.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "proxy" {
  for_each = local.proxy

  name = "connect"
  role = aws_iam_role.proxy[each.key].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Connect"
      Effect   = "Allow"
      Action   = ["rds-db:connect"]
      Resource = [for user in local.users : "${local.aws}:rds-db:${local.here}:dbuser:${aws_rds_cluster.catalog.cluster_resource_id}/${user.name}"]
    }]
  })
}

resource "aws_db_proxy" "catalog" {
  for_each = local.proxy

  name                   = local.name
  engine_family          = "POSTGRESQL"
  default_auth_scheme    = "IAM_AUTH"
  role_arn               = aws_iam_role.proxy[each.key].arn
  require_tls            = true
  debug_logging          = false # it would write statements
  idle_client_timeout    = 900   # no function lives longer without a call
  vpc_subnet_ids         = var.network.subnet_ids.data
  vpc_security_group_ids = [var.network.security_group_ids.proxy]
  tags                   = local.tags

  depends_on = [aws_cloudwatch_log_group.proxy, aws_iam_role_policy.proxy]
}

# A tenth of the connections is left for migrations and people. Who gets none within 5 s gives up while its caller still waits.
resource "aws_db_proxy_default_target_group" "catalog" {
  for_each = local.proxy

  db_proxy_name = aws_db_proxy.catalog[each.key].name

  connection_pool_config {
    max_connections_percent      = 90
    max_idle_connections_percent = 30
    connection_borrow_timeout    = 5
  }
}

resource "aws_db_proxy_target" "catalog" {
  for_each = local.proxy

  db_proxy_name         = aws_db_proxy.catalog[each.key].name
  target_group_name     = aws_db_proxy_default_target_group.catalog[each.key].name
  db_cluster_identifier = aws_rds_cluster.catalog.id

  depends_on = [aws_rds_cluster_instance.catalog]
}

resource "aws_db_proxy_endpoint" "reader" {
  for_each = local.proxy_reader

  db_proxy_name          = aws_db_proxy.catalog[each.key].name
  db_proxy_endpoint_name = "${local.name}-reader"
  target_role            = "READ_ONLY"
  vpc_subnet_ids         = var.network.subnet_ids.data
  vpc_security_group_ids = [var.network.security_group_ids.proxy]
  tags                   = local.tags

  depends_on = [aws_db_proxy_target.catalog]
}
