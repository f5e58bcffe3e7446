# Copies are encrypted with a key of their own region, so that they can be read when this one is gone.
locals {
  replica = { for name in ["this"] : name => true if var.replica_region != "" }
}

resource "aws_kms_key" "replica" {
  for_each = local.replica

  region                  = var.replica_region
  description             = "Copies of ${var.context.prefix}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  # The account decides by its roles. In a key's policy "*" is the key itself, and "kms:*" for the account is what keeps it manageable:
  # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Account"
      Effect    = "Allow"
      Principal = { AWS = "arn:${var.context.partition}:iam::${var.context.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })

  tags = merge(local.tags, { Name = "${var.context.prefix}-replica" })
}

resource "aws_kms_alias" "replica" {
  for_each = local.replica

  region        = var.replica_region
  name          = "alias/${var.context.prefix}-replica"
  target_key_id = aws_kms_key.replica[each.key].key_id
}
