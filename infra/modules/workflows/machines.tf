locals {
  arn = "arn:${var.context.partition}"

  names       = { for name in keys(var.workflows.machines) : name => "${var.context.prefix}-${name}" }
  machine_arn = { for name, full in local.names : name => "${local.arn}:states:${var.context.region}:${var.context.account_id}:stateMachine:${full}" }

  # What a definition may name besides partition, region and the like: docs/design/workflows.md.
  variables = merge(
    {
      partition        = var.context.partition
      region           = var.context.region
      account          = var.context.account_id
      dns_suffix       = var.context.dns_suffix
      prefix           = var.context.prefix
      environment      = var.context.environment
      shards           = jsonencode(sort(keys(var.shards)))
      file_system_id   = var.hot.file_system_id
      shard_gid_first  = var.posix.shard_gid_first
      tenant_uid_first = var.posix.tenant_uid_first
    },
    { for tier, id in var.usage_plan_ids : "usage_plan_${tier}" => id },
  )

  definitions = { for name in keys(var.workflows.machines) : name => templatefile("${var.workflow_dir}/${name}.asl.json", local.variables) }

  # Who starts a machine starts its alias: Step Functions asks for a permission on the machine's own ARN, and says by this key what was named
  # behind it. Source: Step Functions developer guide, "Authorization for versions and aliases".
  by_alias = { "ForAnyValue:StringEquals" = { "states:StateMachineQualifier" = ["live"] } }

  # Functions by AWS name; a machine names catalogue names, and gets the one or the one of each shard.
  alias_arns = { for f in var.functions : f.name => f.alias_arn }
  callees = { for name, machine in var.workflows.machines : name => {
    for callee in machine.may.invoke : callee => compact(concat(
      [lookup(local.alias_arns, "${var.context.prefix}-${callee}", "")],
      [for shard in keys(var.shards) : lookup(local.alias_arns, "${var.context.prefix}-${callee}-${shard}", "")],
    ))
  } }
}

resource "aws_cloudwatch_log_group" "machine" {
  for_each = var.workflows.machines

  # This beginning lets log delivery grow without a resource policy for each group. Source: Step Functions developer
  # guide, "Using CloudWatch Logs to log execution history".
  name              = "/aws/vendedlogs/states/${local.names[each.key]}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.keys.logs

  tags = { Service = "workflows", Workflow = each.key }
}

resource "aws_sfn_state_machine" "this" {
  for_each = var.workflows.machines

  name       = local.names[each.key]
  type       = each.value.type
  role_arn   = aws_iam_role.machine[each.key].arn
  definition = local.definitions[each.key]
  publish    = true

  logging_configuration {
    level                  = each.value.log_level
    include_execution_data = false # inputs and outputs name tenants, and one holds a key
    log_destination        = "${aws_cloudwatch_log_group.machine[each.key].arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  encryption_configuration {
    type                              = "CUSTOMER_MANAGED_KMS_KEY"
    kms_key_id                        = var.keys.data
    kms_data_key_reuse_period_seconds = 300
  }

  tags = { Name = local.names[each.key], Service = "workflows" }

  # Step Functions checks at creation that the role may deliver logs.
  depends_on = [aws_iam_role_policy.machine]

  lifecycle {
    precondition {
      condition     = alltrue([for callee, arns in local.callees[each.key] : length(arns) > 0])
      error_message = "Workflow ${each.key} calls functions that do not exist: ${join(", ", [for callee, arns in local.callees[each.key] : callee if length(arns) == 0])}. Pass them in `functions`, or take them out of platform/workflows.json."
    }
    precondition {
      condition     = each.value.type == "STANDARD" || !strcontains(local.definitions[each.key], ".waitForTaskToken") && !strcontains(local.definitions[each.key], ".sync")
      error_message = "Workflow ${each.key} is EXPRESS and waits for a token or a job, which only STANDARD can: change its type in platform/workflows.json or its definition."
    }
    precondition {
      condition     = length(local.definitions[each.key]) <= 1048576
      error_message = "The definition of ${each.key} is over 1 MiB, Step Functions' limit: split the machine."
    }
  }
}

# Everybody starts the alias, so that a new version is taken up by moving it, and taken back likewise: the roles allow nothing else.
resource "aws_sfn_alias" "live" {
  for_each = var.workflows.machines

  name        = "live"
  description = "What callers and schedules start."

  routing_configuration {
    state_machine_version_arn = aws_sfn_state_machine.this[each.key].state_machine_version_arn
    weight                    = 100
  }

  # Made with the first version; `prism rollout` moves it from then on, step by step and back (docs/design/rollout.md).
  lifecycle {
    ignore_changes = [routing_configuration]
  }
}
