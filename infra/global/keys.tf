# One key per purpose, in every region: the primary at home and replicas of it, so that a replica table, a copied artifact or a log group
# is under a key of its own region. A replica's policy is its own; it is made of the same statements for its region.
locals {
  key_purposes = {
    registry  = "Registry and idempotency tables"
    artifacts = "Artifact buckets and image repositories"
    logs      = "Log groups and alarms of the global stack"
    secrets   = "Secrets that all regions share"
  }

  regional_keys = merge([for region in local.remote_regions : {
    for purpose in keys(local.key_purposes) : "${region}/${purpose}" => { region = region, purpose = purpose }
  }]...)

  # ARN by region and purpose.
  key_arns = { for region in local.regions : region => {
    for purpose in keys(local.key_purposes) : purpose => region == var.home_region ? aws_kms_key.this[purpose].arn : aws_kms_replica_key.this["${region}/${purpose}"].arn
  } }
}

data "aws_iam_policy_document" "key" {
  for_each = { for pair in setproduct(local.regions, keys(local.key_purposes)) : "${pair[0]}/${pair[1]}" => { region = pair[0], purpose = pair[1] } }

  # In a key policy "*" is the key that the policy stands on. The account decides through IAM who administrates it; without this
  # statement nobody could.
  statement {
    sid       = "AccountDecidesThroughIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.context.partition}:iam::${local.context.account_id}:root"]
    }
  }

  # As in the keys that AWS itself makes for a service: whoever may use the table or the bucket may use its key, through that service only.
  dynamic "statement" {
    for_each = { for service in lookup({ registry = ["dynamodb"], artifacts = ["s3", "ecr"], secrets = ["secretsmanager"] }, each.value.purpose, []) : service => service }

    content {
      sid       = "Through${title(statement.value)}"
      actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant", "kms:DescribeKey"]
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = ["*"]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:CallerAccount"
        values   = [local.context.account_id]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["${statement.value}.${each.value.region}.${local.context.dns_suffix}"]
      }
    }
  }

  # Lambda decrypts an image's layers through grants that ECR made; DynamoDB and ECR retire theirs. Logs need the log group's own context.
  dynamic "statement" {
    for_each = each.value.purpose == "logs" ? { this = true } : {}

    content {
      sid       = "LogGroups"
      actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:DescribeKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["logs.${each.value.region}.${local.context.dns_suffix}"]
      }
      condition {
        test     = "ArnLike"
        variable = "kms:EncryptionContext:aws:logs:arn"
        values   = ["arn:${local.context.partition}:logs:${each.value.region}:${local.context.account_id}:log-group:*"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.value.purpose == "logs" ? { this = true } : {}

    content {
      sid       = "Alarms"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.context.account_id]
      }
    }
  }
}

resource "aws_kms_key" "this" {
  for_each = local.key_purposes

  description             = "${each.value} of ${local.context.prefix}"
  multi_region            = true
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key["${var.home_region}/${each.key}"].json

  tags = { Name = "${local.context.prefix}-${each.key}", Service = each.key }
}

resource "aws_kms_alias" "this" {
  for_each = local.key_purposes

  name          = "alias/${local.context.prefix}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}

resource "aws_kms_replica_key" "this" {
  for_each = local.regional_keys

  region                  = each.value.region
  primary_key_arn         = aws_kms_key.this[each.value.purpose].arn
  description             = "${local.key_purposes[each.value.purpose]} of ${local.context.prefix}"
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key[each.key].json

  tags = { Name = "${local.context.prefix}-${each.value.purpose}", Service = each.value.purpose }
}

resource "aws_kms_alias" "replica" {
  for_each = local.regional_keys

  region        = each.value.region
  name          = "alias/${local.context.prefix}-${each.value.purpose}"
  target_key_id = aws_kms_replica_key.this[each.key].key_id
}
