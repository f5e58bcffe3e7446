# Plans and refusals, without any provider at work.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sfn_state_machine" {
    defaults = {
      arn                       = "arn:aws:states:eu-west-1:123456789012:stateMachine:x"
      state_machine_version_arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:x:1"
    }
  }

  mock_resource "aws_sfn_alias" {
    defaults = {
      arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:x:live"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/x"
      id  = "x"
    }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-west-1:123456789012:log-group:x"
    }
  }

  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/x"
    }
  }

  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-west-1:123456789012:x"
      id  = "https://sqs.eu-west-1.amazonaws.com/123456789012/x"
    }
  }

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    }
  }
}

variables {
  context = {
    project     = "prism"
    environment = "dev"
    region      = "eu-west-1"
    code        = "euw1"
    partition   = "aws"
    dns_suffix  = "amazonaws.com"
    account_id  = "123456789012"
    prefix      = "prism-dev-euw1"
    path        = "/prism/dev/euw1"
    tags        = {}
  }
  workflows    = jsondecode(file("../../../platform/workflows.json"))
  workflow_dir = "../../../platform/workflows"
  shards       = { "shard-0" = {}, "shard-1" = {} }
  buckets      = { segments = "arn:aws:s3:::prism-dev-euw1-segments", analytics = "arn:aws:s3:::prism-dev-euw1-analytics" }
  functions = {
    a = { name = "prism-dev-euw1-storage-shard-0", alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:prism-dev-euw1-storage-shard-0:live" }
    b = { name = "prism-dev-euw1-storage-shard-1", alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:prism-dev-euw1-storage-shard-1:live" }
    c = { name = "prism-dev-euw1-tenants", alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:prism-dev-euw1-tenants:live" }
    d = { name = "prism-dev-euw1-keys", alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:prism-dev-euw1-keys:live" }
    e = { name = "prism-dev-euw1-bridge", alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:prism-dev-euw1-bridge:live" }
    f = { name = "prism-dev-euw1-schema", alias_arn = "arn:aws:lambda:eu-west-1:123456789012:function:prism-dev-euw1-schema:live" }
  }
  hot                = { file_system_id = "fs-0123456789abcdef0", file_system_arn = "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0123456789abcdef0" }
  usage_plan_ids     = { pooled = "aaa", dedicated = "bbb" }
  keys               = { data = "arn:aws:kms:eu-west-1:123456789012:key/1", logs = "arn:aws:kms:eu-west-1:123456789012:key/2" }
  boundary_arn       = "arn:aws:iam::123456789012:policy/prism-dev-euw1-boundary"
  log_retention_days = 30
}

run "every_machine_is_logged_traced_encrypted_and_bounded" {
  command = plan

  assert {
    condition     = keys(aws_sfn_state_machine.this) == ["data-lifecycle", "key-rotation", "region-evacuation", "schema-migration", "tenant-migration", "tenant-offboarding", "tenant-onboarding"]
    error_message = "one machine an entry of workflows.json"
  }
  assert {
    condition = alltrue([
      for m in aws_sfn_state_machine.this : m.publish && m.tracing_configuration[0].enabled && m.encryption_configuration[0].kms_key_id == var.keys.data && m.logging_configuration[0].include_execution_data == false
    ])
    error_message = "published, traced, encrypted, and no data in logs"
  }
  assert {
    condition     = alltrue([for g in aws_cloudwatch_log_group.machine : g.kms_key_id == var.keys.logs && g.retention_in_days == 30])
    error_message = "logs are encrypted and end"
  }
  assert {
    condition     = alltrue([for r in concat(values(aws_iam_role.machine), values(aws_iam_role.scheduler)) : r.permissions_boundary == var.boundary_arn])
    error_message = "no role without boundary"
  }
}

run "the_one_that_answers_with_a_key_keeps_no_history" {
  command = plan

  assert {
    condition     = aws_sfn_state_machine.this["tenant-onboarding"].type == "EXPRESS"
    error_message = "a Standard execution would show the key for 90 days"
  }
}

run "definitions_are_filled_in" {
  command = plan

  assert {
    condition     = alltrue([for m in aws_sfn_state_machine.this : can(jsondecode(m.definition)) && length(regexall("\\$\\{", m.definition)) == 0])
    error_message = "every definition is JSON with nothing left to fill in"
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this["data-lifecycle"].definition).States.Shards.Parameters.shards == tolist(["shard-0", "shard-1"]) || jsonencode(jsondecode(aws_sfn_state_machine.this["data-lifecycle"].definition).States.Shards.Parameters.shards) == jsonencode(["shard-0", "shard-1"])
    error_message = "the lifecycle goes over the region's shards"
  }
}

run "a_machine_may_what_the_catalogue_says" {
  command = plan

  assert {
    condition     = local.callees["data-lifecycle"]["storage"] == tolist([var.functions.a.alias_arn, var.functions.b.alias_arn])
    error_message = "storage of every shard, by alias"
  }
  assert {
    condition     = [for s in local.statements["data-lifecycle"] : s.Sid] == ["Functions", "Tables", "Alerts", "Questions", "Key", "LogsAndTraces"]
    error_message = "the lifecycle touches neither access points nor usage keys"
  }
  assert {
    condition = alltrue(flatten([
      for name, statements in local.statements : [for s in statements : s.Sid == "LogsAndTraces" || !contains(s.Resource, "*")]
    ]))
    error_message = "no wildcard but where AWS has no resource"
  }
  assert {
    condition     = one([for s in local.statements["tenant-offboarding"] : s.Condition if s.Sid == "DropAccessPoints"]) == { StringEquals = { "aws:ResourceTag/ManagedBy" = ["tenant-onboarding"] } }
    error_message = "a shard's own access point cannot be deleted"
  }
}

# The rollout moves the alias; whoever starts a machine is held to it.
run "everybody_starts_the_alias" {
  command = plan

  assert {
    condition     = alltrue([for a in aws_sfn_alias.live : a.name == "live"]) && keys(aws_sfn_alias.live) == keys(aws_sfn_state_machine.this)
    error_message = "each machine has an alias live"
  }
  assert {
    condition = alltrue(flatten([for statements in local.statements : [
      for s in statements : jsonencode(s.Condition) == jsonencode(local.by_alias) && !anytrue([for r in s.Resource : endswith(r, ":live")]) if s.Sid == "StartMachines"
    ]]))
    error_message = "a machine may start others by their alias alone, and the permission is on the machine's own ARN"
  }
  assert {
    condition     = alltrue([for d in data.aws_iam_policy_document.scheduler : strcontains(jsonencode(d.statement), "states:StateMachineQualifier")])
    error_message = "schedules as well"
  }
  assert {
    condition     = alltrue([for s in aws_scheduler_schedule.this : endswith(s.target[0].arn, ":live")])
    error_message = "and start it"
  }
}

run "a_machine_may_use_the_buckets_that_the_catalogue_names" {
  command = plan

  variables {
    workflow_dir = "../../../platform/workflows"
    workflows = { tables = {}, queues = {}, machines = { data-lifecycle = {
      description = "x", type = "STANDARD", log_level = "ALL", may = { invoke = ["storage"], buckets = ["segments"] }
    } } }
  }

  assert {
    condition     = [for s in local.statements["data-lifecycle"] : s.Resource if s.Sid == "Objects"] == [["arn:aws:s3:::prism-dev-euw1-segments/*"]] && [for s in local.statements["data-lifecycle"] : s.Resource if s.Sid == "Buckets"] == [["arn:aws:s3:::prism-dev-euw1-segments"]]
    error_message = "objects of the bucket that is named, and its list"
  }
  assert {
    condition     = !strcontains(jsonencode(local.statements["data-lifecycle"]), "analytics") && !strcontains(jsonencode(local.statements["data-lifecycle"]), "s3:Delete")
    error_message = "of no other one, and nothing is deleted"
  }
}

run "unknown_bucket" {
  command = plan

  variables {
    workflows = { tables = {}, queues = {}, machines = { x = { description = "x", type = "STANDARD", log_level = "ALL", may = { buckets = ["access-logs"] } } } }
  }

  expect_failures = [var.workflows]
}

run "the_lifecycle_runs_hourly" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.this["data-lifecycle-hourly"].schedule_expression == "rate(1 hour)" && keys(aws_iam_role.scheduler) == ["data-lifecycle"]
    error_message = "one schedule, with a role of its own"
  }
}

run "tables_of_this_region" {
  command = plan

  assert {
    condition     = { for name, t in aws_dynamodb_table.this : name => t.name } == { breakers = "prism-dev-euw1-breakers", tenant-resources = "prism-dev-euw1-tenant-resources" }
    error_message = "breakers and resources are the region's"
  }
  assert {
    condition     = alltrue([for t in aws_dynamodb_table.this : t.point_in_time_recovery[0].enabled && t.server_side_encryption[0].kms_key_arn == var.keys.data])
    error_message = "recoverable and encrypted"
  }
}

run "missing_function" {
  command = plan

  variables {
    functions = {
      c = { name = "prism-dev-euw1-tenants", alias_arn = "arn:t" }
      d = { name = "prism-dev-euw1-keys", alias_arn = "arn:k" }
    }
  }

  expect_failures = [aws_sfn_state_machine.this]
}

run "express_that_waits" {
  command = plan

  variables {
    workflows = merge(jsondecode(file("../../../platform/workflows.json")), {
      machines = { data-lifecycle = { description = "x", type = "EXPRESS", log_level = "ALL", may = { invoke = ["storage"] } } }
    })
  }

  expect_failures = [aws_sfn_state_machine.this]
}

run "unknown_type" {
  command = plan

  variables {
    workflows = { tables = {}, queues = {}, machines = { x = { description = "x", type = "FAST", log_level = "ALL", may = {} } } }
  }

  expect_failures = [var.workflows]
}

run "no_log" {
  command = plan

  variables {
    workflows = { tables = {}, queues = {}, machines = { x = { description = "x", type = "STANDARD", log_level = "OFF", may = {} } } }
  }

  expect_failures = [var.workflows]
}

run "unknown_table" {
  command = plan

  variables {
    workflows = { tables = {}, queues = {}, machines = { x = { description = "x", type = "STANDARD", log_level = "ALL", may = { tables = ["nowhere"] } } } }
  }

  expect_failures = [var.workflows]
}

run "unknown_queue" {
  command = plan

  variables {
    workflows = { tables = {}, queues = {}, machines = { x = { description = "x", type = "STANDARD", log_level = "ALL", may = { send = ["nowhere"] } } } }
  }

  expect_failures = [var.workflows]
}

run "unknown_right" {
  command = plan

  variables {
    workflows = { tables = {}, queues = {}, machines = { x = { description = "x", type = "STANDARD", log_level = "ALL", may = { access_points = ["own"] } } } }
  }

  expect_failures = [var.workflows]
}

run "queue_that_forgets" {
  command = plan

  variables {
    workflows = { tables = {}, machines = {}, queues = { x = { retention_s = 5, description = "x" } } }
  }

  expect_failures = [var.workflows]
}

run "no_shards" {
  command = plan

  variables {
    shards = {}
  }

  expect_failures = [var.shards]
}

run "shard_without_number" {
  command = plan

  variables {
    shards = { main = {} }
  }

  expect_failures = [var.shards]
}

run "ids_that_meet" {
  command = plan

  variables {
    posix = { shard_gid_first = 10000, tenant_uid_first = 10500 }
  }

  expect_failures = [var.posix]
}

run "tier_without_plan" {
  command = plan

  variables {
    usage_plan_ids = { pooled = "aaa" }
  }

  expect_failures = [var.usage_plan_ids]
}

run "retention_unknown" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}
