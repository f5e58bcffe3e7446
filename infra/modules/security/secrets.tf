# Secrets that a region has for itself; what all regions share is infra/global/secrets.tf. Their values are made by Secrets Manager and go to it without passing through configuration, plan or
# state: an ephemeral resource feeds a write-only argument. A new generation makes a new value.
locals {
  secrets = {
    "token-signing-key" = "Signs tokens of the region."
  }
  # Secrets Manager's names have no leading slash, or its ARNs would have two.
  secret_path = trimprefix(var.context.path, "/")

  secret_principals = concat(local.secret_readers, var.secrets.administrators)

  rotation_arn = var.rotation.function_arn != null ? var.rotation.function_arn : try(module.service.functions["rotation"].alias_arn, null)
  has_rotation = var.rotation.function_arn != null || try(var.platform.functions["rotation"].service == "security", false)
}

resource "aws_secretsmanager_secret" "this" {
  for_each = local.secrets

  name                    = "${local.secret_path}/${each.key}"
  description             = each.value
  kms_key_id              = aws_kms_key.this["secrets"].arn
  recovery_window_in_days = var.secrets.recovery_days
  tags                    = local.tags
}

module "value" {
  source   = "./value"
  for_each = local.secrets

  secret_id  = aws_secretsmanager_secret.this[each.key].arn
  generation = lookup(var.secrets.generation, each.key, 1)
}

# Whatever an IAM policy elsewhere in the account says: values are for the functions whose catalogue entry has the store `secrets`.
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
        Resource  = aws_secretsmanager_secret.this[each.key].arn
        Condition = { ArnNotLike = { "aws:PrincipalArn" = local.secret_principals } }
      },
      {
        Sid       = "NobodyElsesAccount"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["secretsmanager:DeleteSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret"]
        Resource  = aws_secretsmanager_secret.this[each.key].arn
        Condition = { StringNotEquals = { "aws:PrincipalAccount" = var.context.account_id } }
      },
    ]
  })
}

# Secrets that rotate here: the region's own, and in the home region those that all regions share, of which the others have replicas.
locals {
  rotated = merge(
    { for name in var.rotation.secrets : name => module.value[name].arn },
    var.rotation.shared,
  )
  rotates = local.has_rotation ? local.rotated : {}
}

resource "aws_lambda_permission" "rotation" {
  for_each = var.rotation.function_arn == null ? local.rotates : {}

  statement_id   = "secretsmanager-${each.key}"
  action         = "lambda:InvokeFunction"
  function_name  = module.service.functions["rotation"].name
  qualifier      = module.service.functions["rotation"].alias_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = var.context.account_id
  source_arn     = each.value
}

resource "aws_secretsmanager_secret_rotation" "this" {
  for_each = local.rotates

  secret_id           = each.value
  rotation_lambda_arn = local.rotation_arn
  rotate_immediately  = false

  rotation_rules {
    automatically_after_days = var.rotation.days
  }

  depends_on = [aws_lambda_permission.rotation]
}
