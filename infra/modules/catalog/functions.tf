# Function `schema` owns the database: it signs in as the administrator, straight to the cluster, since the proxy knows users by IAM only. It stands in
# a group of its own, because no other function may reach the cluster past the proxy.
locals {
  administrator            = "${var.context.project}_admin"
  administrator_secret_arn = one([for secret in aws_rds_cluster.catalog.master_user_secret : secret.secret_arn])

  # Secrets Manager adds a dash and six characters to a name: https://docs.aws.amazon.com/secretsmanager/latest/userguide/getting-started.html
  administrator_secret_name = try(regex("secret:(.+)-[0-9A-Za-z]{6}$", local.administrator_secret_arn)[0], "")

  owners = [for name, f in var.platform.functions : name if f.service == "catalog" && try(f.stores.meta, "") == "own"]
  extra = { for name in local.owners : name => {
    security_group_ids = [var.network.security_group_ids.schema]

    environment = {
      PRISM_META_URL      = "postgresql://${local.administrator}@${aws_rds_cluster.catalog.endpoint}:5432/${var.context.project}?sslrootcert=/var/task/rds.pem"
      PRISM_SCHEMA_SECRET = local.administrator_secret_name
      PRISM_SCHEMA_USERS  = join(",", [for user in local.users : "${user.name}=${user.word}"])
    }

    # RDS names the secret; its tag says whose it is: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-secrets-manager.html
    statements = [
      {
        sid       = "Administrator"
        actions   = ["secretsmanager:GetSecretValue"]
        resources = ["${local.aws}:secretsmanager:${local.here}:secret:rds!cluster-*"]
        condition = { StringEquals = { "aws:ResourceTag/aws:rds:primaryDBClusterArn" = ["${local.aws}:rds:${local.here}:cluster:${local.name}"] } }
      },
      {
        sid       = "AdministratorKey"
        actions   = ["kms:Decrypt"]
        resources = [var.keys.secrets]
        condition = { StringEquals = { "kms:ViaService" = ["secretsmanager.${var.context.region}.${var.context.dns_suffix}"] } }
      },
    ]
  } }
}

module "service" {
  source = "../service"

  service   = "catalog"
  context   = var.context
  platform  = var.platform
  runtime   = var.runtime
  artifacts = var.artifacts
  shards    = var.shards
  extra     = local.extra
}
