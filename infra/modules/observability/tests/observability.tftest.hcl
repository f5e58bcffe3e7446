# Plans and refusals, without any provider at work.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sns_topic" {
    defaults = {
      arn = "arn:aws:sns:eu-west-1:123456789012:x"
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
  alarms   = jsondecode(file("../../../platform/alarms.json"))
  platform = jsondecode(file("../../../platform/functions.json"))
  functions = {
    a = { name = "prism-dev-euw1-ingest-shard-0", log_group_name = "/i0", concurrency_class = "warm", timeout_s = 28 }
    b = { name = "prism-dev-euw1-ingest-shard-1", log_group_name = "/i1", concurrency_class = "warm", timeout_s = 28 }
    c = { name = "prism-dev-euw1-storage-shard-0", log_group_name = "/s0", concurrency_class = "from-zero", timeout_s = 900, dead_letter_queue_name = "prism-dev-euw1-storage-shard-0-dead-letter" }
    d = { name = "prism-dev-euw1-keys", log_group_name = "/k", concurrency_class = "from-zero", timeout_s = 10 }
  }
  api         = { name = "prism-dev-euw1-api", stages = { shard-0 = { name = "shard-0" }, shard-1 = { name = "shard-1" } }, domain_name = "euw1.api.dev.prism.example.com", log_group_names = { access = "/prism/dev/euw1/api/access" } }
  database    = { cluster_identifier = "prism-dev-euw1", proxy_name = "prism-dev-euw1", capacity_max = 16 }
  file_system = { id = "fs-0123456789abcdef0", provisioned_throughput_mib_per_s = 30 }
  buckets = {
    segments  = { bucket = "prism-dev-euw1-segments", metrics_filter = "all", replica_bucket = "prism-dev-euc1-segments", replication_rule = "all" }
    analytics = { bucket = "prism-dev-euw1-analytics", metrics_filter = "all" }
  }
  tables = {
    tenants  = { name = "prism-dev-tenants", read_ceiling = 1000, write_ceiling = 200, receiving_region = "eu-central-1" }
    breakers = { name = "prism-dev-euw1-breakers" }
  }
  machines = { data-lifecycle = { arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:x", name = "x", log_group_name = "/m" } }
  queues   = { interventions = { name = "prism-dev-euw1-interventions" } }
  keys     = { data = "arn:aws:kms:eu-west-1:123456789012:key/1" }
}

run "every_function_has_alarms" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for f in var.functions : [
        for id in ["function-errors", "function-throttles", "function-near-timeout", "function-concurrency"] :
        contains(keys(aws_cloudwatch_metric_alarm.simple), "${id}-${trimprefix(f.name, "prism-dev-euw1-")}")
      ]
    ]))
    error_message = "errors, throttles, timeout and concurrency of each"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.simple["function-errors-keys"].dimensions == tomap({ FunctionName = "prism-dev-euw1-keys", Resource = "prism-dev-euw1-keys:live" })
    error_message = "the alias is watched"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.simple["function-near-timeout-keys"].threshold == 9500
    error_message = "a threshold of a figure is computed from it"
  }
  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.simple), "function-spillover-ingest-shard-0") && !contains(keys(aws_cloudwatch_metric_alarm.simple), "function-spillover-keys")
    error_message = "only warm pools spill over"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.simple["dead-letters-storage-shard-0"].dimensions.QueueName == "prism-dev-euw1-storage-shard-0-dead-letter" && contains(keys(aws_cloudwatch_metric_alarm.simple), "dead-letters-interventions")
    error_message = "every dead-letter queue, and open questions"
  }
}

run "what_is_not_there_is_not_watched" {
  command = plan

  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.simple), "bucket-replication-latency-segments") && !contains(keys(aws_cloudwatch_metric_alarm.simple), "bucket-replication-latency-analytics")
    error_message = "only copied buckets can be behind"
  }
  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.simple), "table-writes-tenants") && !contains(keys(aws_cloudwatch_metric_alarm.simple), "table-writes-breakers") && aws_cloudwatch_metric_alarm.simple["table-writes-tenants"].threshold == 9600
    error_message = "only tables with a ceiling reach it"
  }
  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.simple), "cluster-connections")
    error_message = "without connections_max, no alarm on it"
  }
}

run "no_proxy" {
  command = plan

  variables {
    database = { cluster_identifier = "prism-dev-euw1", capacity_max = 2, connections_max = 100 }
  }

  assert {
    condition     = length([for name in keys(aws_cloudwatch_metric_alarm.simple) : name if startswith(name, "proxy-")]) == 0 && aws_cloudwatch_metric_alarm.simple["cluster-connections"].threshold == 80
    error_message = "dev without proxy has no alarms on one"
  }
}

run "math_and_bands" {
  command = plan

  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.math["hot-throughput"].metric_query : q.expression if q.id == "result"]) == "metered / 60 / 31457280"
    error_message = "metered bytes against provisioned throughput"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.math["api-count-shard-1"].threshold_metric_id == "band"
    error_message = "requests are compared with what is usual"
  }
}

run "alerts_escalate" {
  command = plan

  assert {
    condition     = aws_cloudwatch_composite_alarm.escalated["ingest-impaired"].actions_suppressor[0].wait_period == 900
    error_message = "a page goes on after 15 minutes without acknowledgement"
  }
  assert {
    condition     = strcontains(aws_cloudwatch_composite_alarm.this["ingest-impaired"].alarm_rule, "ALARM(\"prism-dev-euw1-api-5xx-shard-1\")")
    error_message = "a composite watches its alarms on everything"
  }
  assert {
    condition     = alltrue([for t in aws_sns_topic.severity : t.kms_master_key_id == var.keys.data]) && alltrue([for q in aws_sqs_queue.severity : q.kms_master_key_id == var.keys.data])
    error_message = "alerts are encrypted"
  }
  assert {
    condition     = alltrue([for a in concat(values(aws_cloudwatch_metric_alarm.simple), values(aws_cloudwatch_metric_alarm.math)) : length(a.alarm_actions) == 1])
    error_message = "every alarm tells somebody"
  }
}

run "logs_become_metrics_queries_and_pictures" {
  command = plan

  assert {
    condition     = length([for name in keys(aws_cloudwatch_log_metric_filter.this) : name if startswith(name, "faults/function/")]) == 4
    error_message = "faults of each function are counted"
  }
  assert {
    condition     = toset(aws_cloudwatch_query_definition.this["errors"].log_group_names) == toset(["/i0", "/i1", "/s0", "/k"])
    error_message = "a query asks the groups that its pattern names"
  }
  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this["ingest"].dashboard_body, "prism-dev-euw1-ingest-shard-1") && !strcontains(aws_cloudwatch_dashboard.this["ingest"].dashboard_body, "prism-dev-euw1-keys")
    error_message = "a service's dashboard has its own functions only"
  }
  assert {
    condition     = contains(keys(aws_cloudwatch_dashboard.this), "overview") && length(setsubtract(distinct([for f in var.platform.functions : f.service]), keys(aws_cloudwatch_dashboard.this))) == 0
    error_message = "one dashboard a service, and an overview"
  }
}

run "unknown_scope" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { alarms = [{ id = "y", scope = "planet", namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", dimensions = {}, period_s = 60, periods = 5, datapoints = 3, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", severity = "ticket", summary = "x", runbook = "x" }], composites = [], dashboards = [] })
  }

  expect_failures = [var.alarms]
}

run "unknown_severity" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { alarms = [{ id = "x", scope = "function", namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", dimensions = {}, period_s = 60, periods = 5, datapoints = 3, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", severity = "shrug", summary = "x", runbook = "x" }], composites = [], dashboards = [] })
  }

  expect_failures = [var.alarms]
}

run "same_id_twice" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { alarms = [{ id = "x", scope = "function", namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", dimensions = {}, period_s = 60, periods = 5, datapoints = 3, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", severity = "ticket", summary = "x", runbook = "x" }, { id = "x", scope = "function", namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", dimensions = {}, period_s = 60, periods = 5, datapoints = 3, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", severity = "ticket", summary = "x", runbook = "x" }], composites = [], dashboards = [] })
  }

  expect_failures = [var.alarms]
}

run "functions_without_alarms" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { alarms = [{ id = "x", scope = "function", namespace = "AWS/Lambda", metric = "Duration", statistic = "Sum", dimensions = {}, period_s = 60, periods = 5, datapoints = 3, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", severity = "ticket", summary = "x", runbook = "x" }], composites = [], dashboards = [] })
  }

  expect_failures = [var.alarms]
}

run "more_datapoints_than_periods" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { alarms = [{ id = "x", scope = "function", namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", dimensions = {}, period_s = 60, periods = 1, datapoints = 2, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", severity = "ticket", summary = "x", runbook = "x" }], composites = [], dashboards = [] })
  }

  expect_failures = [var.alarms]
}

run "looks_back_too_far" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { alarms = [{ id = "x", scope = "function", namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", dimensions = {}, period_s = 86400, periods = 2, datapoints = 1, comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching", severity = "ticket", summary = "x", runbook = "x" }], composites = [], dashboards = [] })
  }

  expect_failures = [var.alarms]
}

run "no_threshold" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { alarms = [{ id = "x", scope = "function", namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", dimensions = {}, period_s = 60, periods = 5, datapoints = 3, comparison = "GreaterThanThreshold", missing = "notBreaching", severity = "ticket", summary = "x", runbook = "x" }], composites = [], dashboards = [] })
  }

  expect_failures = [var.alarms]
}

run "composite_of_nothing" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { composites = [{ id = "c", any = ["nothing"], severity = "page", summary = "x" }] })
  }

  expect_failures = [var.alarms]
}

run "dashboard_of_nothing" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { dashboards = [{ name = "d", widgets = ["nothing"] }] })
  }

  expect_failures = [var.alarms]
}

run "escalates_to_nobody" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { severities = { page = { queue = true, escalate_after_s = 900, escalate_to = "nobody" }, ticket = { queue = true } } })
  }

  expect_failures = [var.alarms]
}

run "metric_that_nothing_makes" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { metrics = [] })
  }

  expect_failures = [var.alarms]
}

run "another_version" {
  command = plan

  variables {
    alarms = merge(jsondecode(file("../../../platform/alarms.json")), { version = 2 })
  }

  expect_failures = [var.alarms]
}

run "no_functions" {
  command = plan

  variables {
    functions = {}
  }

  expect_failures = [var.functions]
}

run "function_outside_the_catalogue" {
  command = plan

  variables {
    functions = { x = { name = "prism-dev-euw1-other", log_group_name = "/x", concurrency_class = "warm", timeout_s = 1 } }
  }

  expect_failures = [var.functions]
}

run "mail_for_nobody" {
  command = plan

  variables {
    alert_emails = { shrug = ["a@example.com"] }
  }

  expect_failures = [var.alert_emails]
}

run "mail_that_is_none" {
  command = plan

  variables {
    alert_emails = { page = ["a"] }
  }

  expect_failures = [var.alert_emails]
}

run "name_too_long_for_xray" {
  command = plan

  variables {
    context = {
      project     = "prismprismpr"
      environment = "staging"
      region      = "eu-west-1"
      code        = "euw1"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      account_id  = "123456789012"
      prefix      = "prismprismprism-staging-euw1"
      path        = "/prism/dev/euw1"
      tags        = {}
    }
    functions = { x = { name = "prismprismprism-staging-euw1-keys", log_group_name = "/x", concurrency_class = "warm", timeout_s = 1 } }
  }

  expect_failures = [aws_xray_sampling_rule.this]
}
