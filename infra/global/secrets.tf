# Secrets that every region must have alike: a tenant moves, or another region stands in for its own, and its keys go on opening. Made in the home
# region and replicated by Secrets Manager under one name, so a function finds them in its own region; a replica is read without the region that it
# came from. Values are made by Secrets Manager and pass through no configuration, plan or state (module security/value).
locals {
  secrets = {
    "api-key-pepper" = "Makes API keys' hashes useless to whoever has the tables only. Rotated by the home region's function."
  }
  # Secrets Manager's names have no leading slash, or its ARNs would have two.
  secret_path = trimprefix(local.context.path, "/")

  # Roles of the functions whose catalogue entry has the store `secrets`, in every region that serves: module function names them so.
  secret_readers = sort(flatten([for region in keys(var.regions) : [
    for name, function in local.functions.functions :
    "${local.arn}:iam::${local.account}:role/${module.naming.regional_prefix[region]}-fn-${name}${try(function.hot_mount, false) ? "-*" : ""}"
    if contains(keys(function.stores), "secrets")
  ]]))

  secret_arns = { for region in local.regions : region => { for name, value in module.secret_value : name => replace(value.arn, ":secretsmanager:${var.home_region}:", ":secretsmanager:${region}:") } }
}

resource "aws_secretsmanager_secret" "this" {
  for_each = local.secrets

  name                    = "${local.secret_path}/${each.key}"
  description             = each.value
  kms_key_id              = aws_kms_key.this["secrets"].arn
  recovery_window_in_days = coalesce(var.secrets.recovery_days, var.environment == "dev" ? 0 : 30)

  dynamic "replica" {
    for_each = local.remote_regions

    content {
      region     = replica.key
      kms_key_id = local.key_arns[replica.key].secrets
    }
  }

  tags = { Service = "security" }
}

module "secret_value" {
  source   = "../modules/security/value"
  for_each = local.secrets

  providers = { aws = aws.values }

  secret_id  = aws_secretsmanager_secret.this[each.key].arn
  generation = lookup(var.secrets.generation, each.key, 1)
}

# Whatever an IAM policy elsewhere in the account says. The policy is replicated with the secret; in it "*" is the secret that it stands on.
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html
resource "aws_secretsmanager_secret_policy" "this" {
  for_each = local.secrets

  secret_arn          = aws_secretsmanager_secret.this[each.key].arn
  block_public_policy = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ValuesForNamedRolesOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "secretsmanager:GetSecretValue"
        Resource  = "*"
        Condition = { ArnNotLike = { "aws:PrincipalArn" = concat(local.secret_readers, var.secrets.administrators) } }
      },
      {
        Sid       = "NobodyElsesAccount"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["secretsmanager:DeleteSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret"]
        Resource  = "*"
        Condition = { StringNotEquals = { "aws:PrincipalAccount" = local.account } }
      },
    ]
  })
}
