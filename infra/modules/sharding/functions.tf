locals {
  catalogue = { for name, f in var.platform.functions : name => f if f.service == "sharding" }

  # What a function may call in other regions, by catalogue name and region: full names, one for each shard where the callee is there once a shard.
  elsewhere = { for name, f in local.catalogue : name => {
    for region, place in var.elsewhere : region => flatten([
      for callee in f.elsewhere : try(var.platform.functions[callee].hot_mount, false) ? [for shard in sort(place.shards) : "${place.prefix}-${callee}-${shard}"] : ["${place.prefix}-${callee}"]
    ])
  } if length(try(f.elsewhere, [])) > 0 }

  elsewhere_arns = { for name, places in local.elsewhere : name => flatten([
    for region, names in places : [for full in names : "arn:${var.context.partition}:lambda:${region}:${var.context.account_id}:function:${full}:live"]
  ]) }

  # The machine that a function starts and waits for. Module workflows makes it later, under this name.
  starts = { for name, f in local.catalogue : name =>
    "arn:${var.context.partition}:states:${var.context.region}:${var.context.account_id}:stateMachine:${var.context.prefix}-${f.starts}"
  if try(f.starts, null) != null }

  # Machines that a function runs for operators, and nothing besides: docs/design/workflows.md.
  operates = { for name, f in local.catalogue : name => {
    machines   = [for m in sort(f.operates) : "${local.machine_arn}${m}"]
    executions = [for m in sort(f.operates) : "${replace(local.machine_arn, ":stateMachine:", ":execution:")}${m}:*"]
    names      = join(" ", f.operates)
  } if length(try(f.operates, [])) > 0 }
  machine_arn = "arn:${var.context.partition}:states:${var.context.region}:${var.context.account_id}:stateMachine:${var.context.prefix}-"

  # Where the registry places tenants: docs/design/sharding.md.
  shards = length(var.shards) == 0 ? {} : { tenants = join(",", sort(keys(var.shards))) }

  extra = merge(
    { for name in sort(distinct(concat(keys(local.starts), keys(local.shards)))) : name => {
      statements = [for arn in [try(local.starts[name], "")] : {
        sid       = "Starts"
        actions   = ["states:StartSyncExecution"]
        resources = [arn]
        # Its alias alone: module workflows says why it is asked for so.
        condition = { "ForAnyValue:StringEquals" = { "states:StateMachineQualifier" = ["live"] } }
      } if arn != ""]
      environment = merge(
        { for variable, value in { PRISM_STARTS = try("${local.starts[name]}:live", "") } : variable => value if value != "" },
        { for variable, value in { PRISM_SHARDS = try(local.shards[name], "") } : variable => value if value != "" },
      )
    } },

    { for name, over in local.operates : name => {
      statements = [
        {
          sid       = "StartsByAlias"
          actions   = ["states:StartExecution"]
          resources = over.machines
          condition = { "ForAnyValue:StringEquals" = { "states:StateMachineQualifier" = ["live"] } }
        },
        {
          sid       = "ListsAndAnswers"
          actions   = ["states:ListExecutions", "states:SendTaskFailure", "states:SendTaskSuccess"]
          resources = over.machines
        },
        {
          sid       = "Executions"
          actions   = ["states:DescribeExecution", "states:GetExecutionHistory", "states:RedriveExecution", "states:StopExecution"]
          resources = over.executions
        },
        {
          # Inputs and histories are encrypted with the region's key, and whoever asks for them needs it.
          sid       = "ThroughStepFunctions"
          actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
          resources = [var.runtime.keys.data]
          condition = { "StringEquals" = { "kms:ViaService" = ["states.${var.context.region}.${var.context.dns_suffix}"] } }
        },
      ]
      environment = { PRISM_MACHINES = over.names, PRISM_MACHINES_ARN = local.machine_arn }
    } },

    # The list that the function itself keeps to and its role's are the same: docs/design/migration.md.
    { for name, places in local.elsewhere : name => {
      statements = length(local.elsewhere_arns[name]) == 0 ? [] : [{
        sid       = "Elsewhere"
        actions   = ["lambda:InvokeFunction"]
        resources = sort(local.elsewhere_arns[name])
      }]
      environment = { PRISM_BRIDGE_FUNCTIONS = jsonencode(places) }
    } },
  )
}

module "service" {
  source = "../service"

  service   = "sharding"
  context   = var.context
  platform  = var.platform
  runtime   = var.runtime
  artifacts = var.artifacts
  shards    = var.shards

  extra = local.extra
}
