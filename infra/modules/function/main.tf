locals {
  short = var.shard == null ? var.name : "${var.name}-${var.shard}"
  full  = "${var.context.prefix}-${local.short}"
  image = var.spec.package == "image"

  # ARNs are made of names, not read from resources, so that a plan shows the policies before anything exists.
  here         = "${var.context.region}:${var.context.account_id}"
  aws          = "arn:${var.context.partition}"
  function_arn = "${local.aws}:lambda:${local.here}:function:${local.full}"
  log_group    = "${var.context.path}/function/${var.spec.service}/${local.short}"
  queue_arn    = "${local.aws}:sqs:${local.here}:${local.full}-dead-letter"

  tags = { Service = var.spec.service }

  # Not coalesce(): of a list whose ids are not known yet it makes one of unknown length.
  security_group_ids = var.extra.security_group_ids == null ? var.runtime.network.security_group_ids : var.extra.security_group_ids

  this             = toset(["this"])
  schedules        = { for s in var.spec.schedules : s.name => s if !can(s.workflow) && !can(s.service) } # a workflow, or a service of AWS, calls at the others' times
  has_schedules    = length(local.schedules) > 0
  has_asynchronous = var.spec.asynchronous != null
  has_queue        = local.has_schedules || try(var.spec.asynchronous.dead_letter, false)
}

resource "aws_cloudwatch_log_group" "function" {
  name              = local.log_group
  kms_key_id        = var.runtime.keys.logs
  retention_in_days = var.runtime.log_retention_days
  tags              = local.tags
}

resource "aws_lambda_function" "function" {
  function_name = local.full
  description   = var.spec.description
  role          = aws_iam_role.function.arn

  package_type            = local.image ? "Image" : "Zip"
  image_uri               = local.image ? "${var.runtime.image_registry}/${var.name}@sha256:${var.artifact.sha256}" : null
  s3_bucket               = local.image ? null : var.runtime.artifact_bucket
  s3_key                  = local.image ? null : "functions/${var.name}/${var.artifact.sha256}.zip"
  runtime                 = local.image ? null : coalesce(var.spec.runtime, var.catalogue.defaults.runtime)
  handler                 = local.image ? null : coalesce(var.spec.handler, var.catalogue.defaults.handler)
  code_signing_config_arn = local.image || var.runtime.code_signing_config_arn == "" ? null : var.runtime.code_signing_config_arn

  architectures                  = [coalesce(var.spec.architecture, var.catalogue.defaults.architecture)]
  memory_size                    = var.spec.memory_mb
  timeout                        = var.spec.timeout_s
  reserved_concurrent_executions = local.reserved
  kms_key_arn                    = var.runtime.keys.data
  publish                        = true
  tags                           = local.tags

  environment {
    variables = local.environment
  }

  ephemeral_storage {
    size = var.spec.ephemeral_mb
  }

  # Prism leaves out lines below PRISM_LOG_LEVEL by itself. Lambda's own filter lets everything through, because it would drop metric
  # lines: they have no level, and it takes a line without one for INFO.
  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.function.name
    application_log_level = "TRACE"
    system_log_level      = "INFO"
  }

  tracing_config {
    mode = coalesce(var.spec.tracing, var.catalogue.defaults.tracing) == "active" ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.spec.vpc ? local.this : toset([])

    content {
      subnet_ids         = var.runtime.network.subnet_ids
      security_group_ids = local.security_group_ids
    }
  }

  dynamic "file_system_config" {
    for_each = var.spec.hot_mount ? local.this : toset([])

    content {
      arn              = local.access_point_arn
      local_mount_path = var.stores.hot.mount_path
    }
  }

  dynamic "dead_letter_config" {
    for_each = aws_sqs_queue.dead_letter

    content {
      target_arn = dead_letter_config.value.arn
    }
  }

  # Lambda tries the role when it makes the function: a VPC, a queue or a key that the role may not touch is an error then.
  depends_on = [aws_iam_role_policy.function]

  lifecycle {
    precondition {
      condition     = var.artifact.kind == var.spec.package
      error_message = "Function ${var.name} is a ${var.spec.package} in the catalogue, but its artifact is a ${var.artifact.kind}: package it again."
    }
    precondition {
      condition     = !var.spec.hot_mount || (var.shard != null && contains(keys(var.stores.hot.access_point_arns), coalesce(var.shard, "-")))
      error_message = "Function ${var.name} mounts the hot store, so it needs a shard that has an access point (${join(", ", keys(var.stores.hot.access_point_arns))}), not \"${coalesce(var.shard, "none")}\"."
    }
    precondition {
      condition     = length(local.unknown_stores) == 0
      error_message = "Function ${var.name} names stores that the catalogue does not have: ${join(", ", local.unknown_stores)}. A table is written \"tables.<table>\"."
    }
    precondition {
      condition     = length(local.unknown_words) == 0
      error_message = "Function ${var.name} asks for access that access.tf has no statements for: ${join(", ", local.unknown_words)}."
    }
    precondition {
      condition     = local.provisioned_min <= local.provisioned_max && local.provisioned_max <= local.reserved
      error_message = "Function ${var.name}: provisioned concurrency ${local.provisioned_min} to ${local.provisioned_max} does not fit into its reserved concurrency of ${local.reserved}, which Lambda refuses."
    }
    precondition {
      condition     = alltrue([for s in local.warm_schedules : s.min <= s.max && s.max <= local.reserved])
      error_message = "Function ${var.name}: a schedule's min must not be above its max, and its max not above the reserved concurrency of ${local.reserved}."
    }
    precondition {
      condition     = length(local.wrong_names) == 0
      error_message = "Settings of function ${var.name} whose names do not begin with PRISM_ and go on with upper-case letters, digits and underscores: ${join(", ", local.wrong_names)}."
    }
    precondition {
      condition     = local.environment_bytes < 4096
      error_message = "The environment of function ${var.name} has ${local.environment_bytes} bytes; Lambda takes less than 4096. Leave settings at their defaults, or read them from SSM."
    }
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that is called."
  function_name    = aws_lambda_function.function.function_name
  function_version = aws_lambda_function.function.version

  # Made with the first version; `prism rollout` moves it from then on, step by step and back (docs/design/rollout.md).
  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}
