# The catalog's database: Aurora PostgreSQL Serverless v2, a writer and readers in different zones. Functions connect as a database user each by IAM;
# nobody holds a password. The administrator's is made, kept and rotated by RDS in Secrets Manager.
# Neither tables nor users are made here: function `schema` of this service does so, expanding first and contracting a release later.
locals {
  name = "${var.context.prefix}-catalog"
  aws  = "arn:${var.context.partition}"
  here = "${var.context.region}:${var.context.account_id}"
  user = "${var.context.project}_{function}" # module function puts its name in

  # Whose functions sign in, by catalogue name.
  users = { for name, f in var.platform.functions : name => {
    name = replace(local.user, "{function}", replace(name, "-", "_"))
    word = f.stores.meta
  } if contains(["read", "read-write"], try(f.stores.meta, "")) }
  tags = { Service = "catalog" }
  this = toset(["this"])

  # The first one is the writer until it fails over, so its name does not say so.
  instances = { for i in range(1 + var.database.readers_min) : tostring(i + 1) => {
    az   = var.network.azs[i % length(var.network.azs)]
    tier = min(i, 15)
  } }

  log_kinds = toset(["iam-db-auth-error", "postgresql"])
}

resource "aws_cloudwatch_log_group" "cluster" {
  for_each = local.log_kinds

  name              = "/aws/rds/cluster/${local.name}/${each.key}"
  kms_key_id        = var.keys.logs
  retention_in_days = var.log_retention_days
  tags              = local.tags
}

resource "aws_db_subnet_group" "catalog" {
  name        = local.name
  description = "Data subnets of three zones."
  subnet_ids  = var.network.subnet_ids.data
  tags        = local.tags
}

resource "aws_rds_cluster_parameter_group" "catalog" {
  name        = "${local.name}-pg16"
  description = "TLS only, slow and schema-changing statements in the log, nothing that waits for ever."
  family      = "aurora-postgresql16"
  tags        = local.tags

  dynamic "parameter" {
    for_each = {
      "rds.force_ssl"                       = "1"
      "ssl_min_protocol_version"            = "TLSv1.2"
      "log_statement"                       = "ddl"
      "log_min_duration_statement"          = "1000"
      "log_lock_waits"                      = "1"
      "statement_timeout"                   = "60000" # longer than any function waits, but for storage's, which sets its own
      "idle_in_transaction_session_timeout" = "60000"
      "lock_timeout"                        = "10000"
    }

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = contains(["rds.force_ssl", "ssl_min_protocol_version"], parameter.key) ? "pending-reboot" : "immediate"
    }
  }
}

resource "aws_rds_cluster" "catalog" {
  cluster_identifier = local.name
  engine             = "aurora-postgresql"
  engine_mode        = "provisioned" # what Serverless v2 is called
  engine_version     = var.database.engine_version
  database_name      = var.context.project

  master_username                     = "${var.context.project}_admin"
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.keys.secrets
  iam_database_authentication_enabled = true

  storage_encrypted = true
  kms_key_id        = var.keys.database

  db_subnet_group_name            = aws_db_subnet_group.catalog.name
  vpc_security_group_ids          = [var.network.security_group_ids.cluster]
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.catalog.name
  enable_http_endpoint            = false # it would be reached past the network

  backup_retention_period      = var.database.backup_days
  preferred_backup_window      = var.database.backup_window
  preferred_maintenance_window = var.database.maintenance_window
  copy_tags_to_snapshot        = true
  deletion_protection          = var.database.deletion_protection
  skip_final_snapshot          = !var.database.deletion_protection
  final_snapshot_identifier    = var.database.deletion_protection ? "${local.name}-last" : null
  apply_immediately            = var.context.environment == "dev"

  enabled_cloudwatch_logs_exports = local.log_kinds

  serverlessv2_scaling_configuration {
    min_capacity             = var.database.capacity_min
    max_capacity             = var.database.capacity_max
    seconds_until_auto_pause = var.database.capacity_min == 0 ? var.database.pause_after_s : null
  }

  tags = merge(local.tags, { Name = local.name })

  depends_on = [aws_cloudwatch_log_group.cluster]
}

# Minor versions are raised by the variable, environment after environment, and not by AWS at its own time.
resource "aws_rds_cluster_instance" "catalog" {
  for_each = local.instances

  identifier         = "${local.name}-${each.key}"
  cluster_identifier = aws_rds_cluster.catalog.id
  engine             = aws_rds_cluster.catalog.engine
  engine_version     = aws_rds_cluster.catalog.engine_version
  instance_class     = "db.serverless"
  availability_zone  = each.value.az
  promotion_tier     = each.value.tier

  db_subnet_group_name       = aws_db_subnet_group.catalog.name
  publicly_accessible        = false
  auto_minor_version_upgrade = false
  copy_tags_to_snapshot      = true
  apply_immediately          = var.context.environment == "dev"

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.keys.database
  performance_insights_retention_period = 7
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn

  tags = merge(local.tags, { Name = "${local.name}-${each.key}" })

  depends_on = [aws_iam_role_policy.monitoring]
}

resource "aws_iam_role" "monitoring" {
  name                 = "${local.name}-monitoring"
  description          = "Enhanced monitoring of the catalog's instances."
  permissions_boundary = "arn:${var.context.partition}:iam::${var.context.account_id}:policy/${var.context.project}-${var.context.environment}-services-boundary" # infra/global makes it
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.context.account_id } }
    }]
  })
}

# What AWS's AmazonRDSEnhancedMonitoringRole allows, for this account and region.
resource "aws_iam_role_policy" "monitoring" {
  name = "monitoring"
  role = aws_iam_role.monitoring.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Group"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:PutRetentionPolicy"]
        Resource = ["${local.aws}:logs:${local.here}:log-group:RDSOSMetrics", "${local.aws}:logs:${local.here}:log-group:RDSOSMetrics:*"]
      },
      {
        Sid      = "Streams"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents"]
        Resource = ["${local.aws}:logs:${local.here}:log-group:RDSOSMetrics:log-stream:*"]
      },
    ]
  })
}
