# What a word of the catalogue's `stores` means in IAM: one table of (kind of store, word) -> statements.
# `on` says of what: self (bucket, table, file system, secret, database user), content (the objects of a bucket), index (of a table), key (the
# key that the store is encrypted with, through the store's service only).
locals {
  access = {
    hot = {
      "read"        = [{ on = "self", actions = ["elasticfilesystem:ClientMount"] }]
      "append"      = [{ on = "self", actions = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"] }]
      "read-remove" = [{ on = "self", actions = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"] }]
    }
    objects = {
      "read" = [
        { on = "self", actions = ["s3:ListBucket"] },
        { on = "content", actions = ["s3:GetObject"] },
        { on = "key", actions = ["kms:Decrypt"] },
      ]
      # The tag of an object says its class of lifecycle.
      "read-write" = [
        { on = "self", actions = ["s3:ListBucket", "s3:ListBucketMultipartUploads"] },
        { on = "content", actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging"] },
        { on = "key", actions = ["kms:Decrypt", "kms:GenerateDataKey"] },
      ]
    }
    tables = {
      # To read takes a key that one knows; to list is to see every item.
      "read" = [
        { on = "self", actions = ["dynamodb:GetItem", "dynamodb:Query"] },
        { on = "index", actions = ["dynamodb:Query"] },
        { on = "key", actions = ["kms:Decrypt", "kms:DescribeKey"] },
      ]
      "list" = [
        { on = "self", actions = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"] },
        { on = "index", actions = ["dynamodb:Query"] },
        { on = "key", actions = ["kms:Decrypt", "kms:DescribeKey"] },
      ]
      # Nothing is deleted and nothing updated. That an item is put once only is a condition of the writer's, which IAM cannot ask for.
      "append" = [
        { on = "self", actions = ["dynamodb:GetItem", "dynamodb:PutItem"] },
        { on = "key", actions = ["kms:Decrypt", "kms:DescribeKey"] },
      ]
      "read-write" = [
        { on = "self", actions = ["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"] },
        { on = "index", actions = ["dynamodb:Query"] },
        { on = "key", actions = ["kms:Decrypt", "kms:DescribeKey"] },
      ]
      "list-write" = [
        { on = "self", actions = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem"] },
        { on = "index", actions = ["dynamodb:Query"] },
        { on = "key", actions = ["kms:Decrypt", "kms:DescribeKey"] },
      ]
    }
    # What a session may do in the database is the database's own matter: function `schema` gives each function's user its rights. Who owns
    # the database signs in otherwise; module catalog says how.
    metadata = {
      "own"        = []
      "read"       = [{ on = "self", actions = ["rds-db:connect"] }]
      "read-write" = [{ on = "self", actions = ["rds-db:connect"] }]
    }
    secrets = {
      "read" = [
        { on = "self", actions = ["secretsmanager:GetSecretValue"] },
        { on = "key", actions = ["kms:Decrypt"] },
      ]
      # For a function that rotates: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
      "read-write" = [
        { on = "self", actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"] },
        { on = "key", actions = ["kms:Decrypt", "kms:GenerateDataKey"] },
      ]
    }
    # A SecureString is decrypted with the right of whoever reads it.
    parameters = {
      "read" = [
        { on = "self", actions = ["ssm:GetParametersByPath"] },
        { on = "key", actions = ["kms:Decrypt"] },
      ]
    }
  }

  key_service = { objects = "s3", tables = "dynamodb", secrets = "secretsmanager", parameters = "ssm" }

  # Partitioned by tenant, as the objects are; the others are the registry's.
  tenant_tables = ["idempotency"]

  uses = [for key in sort(keys(var.spec.stores)) : {
    key   = key
    store = split(".", key)[0]
    table = try(split(".", key)[1], "")
    kind  = try(var.catalogue.stores[split(".", key)[0]].kind, "")
    word  = var.spec.stores[key]
  }]
  known_uses = [for use in local.uses : use if !contains(local.unknown_stores, use.key)]

  unknown_stores = [for use in local.uses : use.key if !(
    contains(keys(local.access), use.kind) && contains(keys(var.stores), use.store) &&
    (use.kind == "tables" ? contains(keys(var.stores.tables.arns), use.table) : use.table == "") &&
    (use.kind != "hot" || var.spec.hot_mount)
  )]
  unknown_words = [for use in local.uses : "${use.key}: ${use.word}"
  if contains(keys(local.access), use.kind) && !can(local.access[use.kind][use.word])]

  touches_tenant_data = anytrue([for use in local.known_uses : use.kind == "objects" || contains(local.tenant_tables, use.table)])

  # A function's own user of the database is called after it.
  database_name = replace(var.name, "-", "_")

  access_point_arn = try(var.stores.hot.access_point_arns[var.shard], "")

  # The ARNs of each store that is used, and of the keys over it.
  arns = { for use in local.known_uses : use.key =>
    use.kind == "hot" ? [var.stores.hot.file_system_arn] :
    use.kind == "tables" ? [var.stores.tables.arns[use.table]] :
    use.kind == "metadata" ? [for arn in var.stores.meta.connect_arns : replace(arn, "{function}", local.database_name)] :
    use.kind == "parameters" ? var.stores.parameters.arns :
    use.kind == "secrets" ? [for name in sort(keys(var.stores.secrets.arns)) : var.stores.secrets.arns[name]] :
    [var.stores[use.store].arn]
  }
  key_arns = { for use in local.known_uses : use.key =>
    use.kind == "tables" ? var.stores.tables.key_arns :
    use.kind == "objects" ? [var.runtime.keys.data] :
    use.kind == "secrets" ? concat([var.runtime.keys.secrets], var.stores.secrets.key_arns) :
    use.kind == "parameters" ? [var.runtime.keys.secrets] : []
  }

  store_statements = flatten([for use in local.known_uses : [
    for index, entry in try(local.access[use.kind][use.word], []) : {
      sid     = "${join("", [for part in split(" ", replace(use.key, "/[._-]/", " ")) : title(part)])}${index}"
      effect  = "Allow"
      actions = entry.actions
      resources = (
        entry.on == "key" ? local.key_arns[use.key] :
        entry.on == "content" ? [for arn in local.arns[use.key] : "${arn}/*"] :
        entry.on == "index" ? [for arn in local.arns[use.key] : "${arn}/index/*"] :
        local.arns[use.key]
      )
      condition = (
        entry.on == "key" ? { StringEquals = { "kms:ViaService" = ["${local.key_service[use.kind]}.${var.context.region}.${var.context.dns_suffix}"] } } :
        use.kind == "hot" ? {
          StringEquals = { "elasticfilesystem:AccessPointArn" = [local.access_point_arn] }
          Bool         = { "aws:SecureTransport" = ["true"] }
        } : {}
      )
    } if entry.on != "key" || length(local.key_arns[use.key]) > 0
  ]])
}
