variables {
  project     = "prism"
  environment = "dev"
  region      = "eu-west-1"
  stack       = "region"
  account_id  = "123456789012"
  partition   = "aws"
  dns_suffix  = "amazonaws.com"
  cost_center = "telemetry"
  owner       = "platform@example.com"
}

run "names_of_a_region" {
  command = plan
  assert {
    condition     = output.context.prefix == "prism-dev-euw1" && output.context.path == "/prism/dev/euw1" && output.context.code == "euw1"
    error_message = "got ${jsonencode(output.context)}"
  }
  assert {
    condition     = output.regional_prefix["us-gov-west-1"] == "prism-dev-usgw1"
    error_message = "got ${output.regional_prefix["us-gov-west-1"]}"
  }
}

run "names_of_the_global_stack_have_no_region" {
  command = plan
  variables { stack = "global" }
  assert {
    condition     = output.context.prefix == "prism-dev" && output.context.path == "/prism/dev" && output.context.tags.Region == "global"
    error_message = "got ${jsonencode(output.context)}"
  }
}

run "tags_are_complete" {
  command = plan
  assert {
    condition     = toset(keys(output.context.tags)) == toset(["Project", "Environment", "Region", "Stack", "ManagedBy", "CostCenter", "Owner"])
    error_message = "got ${jsonencode(keys(output.context.tags))}"
  }
  assert {
    condition     = alltrue([for value in values(output.context.tags) : length(value) > 0])
    error_message = "a tag is empty"
  }
}

run "codes_are_unique_and_short" {
  command = plan
  assert {
    condition     = length(distinct(values(output.codes))) == length(output.codes) && alltrue([for code in values(output.codes) : can(regex("^[a-z]{2,4}[a-z][0-9]$", code))])
    error_message = "a code is there twice or is badly formed"
  }
}

# The longest prefix that can be made still leaves 37 characters for a function and its shard, and 23 for a bucket besides the account.
run "the_longest_prefix_fits" {
  command = plan
  variables {
    project     = "abcdefghijkl"
    environment = "staging"
    region      = "ap-southeast-1"
    suffixes = {
      function = ["storage-shard-of-a-long-name-12345678"]
      role     = ["storage-shard-of-a-long-name-12345678"]
      bucket   = ["analytics-replica-12345"]
    }
  }
  assert {
    condition     = length(output.context.prefix) == 26
    error_message = "got ${output.context.prefix}"
  }
}

run "refuses_an_upper_case_project" {
  command = plan
  variables { project = "Prism" }
  expect_failures = [var.project]
}

run "refuses_a_long_project" {
  command = plan
  variables { project = "abcdefghijklm" }
  expect_failures = [var.project]
}

run "refuses_a_project_with_a_dash" {
  command = plan
  variables { project = "pr-ism" }
  expect_failures = [var.project]
}

run "refuses_an_unknown_environment" {
  command = plan
  variables { environment = "test" }
  expect_failures = [var.environment]
}

run "refuses_an_unknown_region" {
  command = plan
  variables { region = "eu-west-9" }
  expect_failures = [var.region]
}

run "refuses_an_unknown_stack" {
  command = plan
  variables { stack = "zone" }
  expect_failures = [var.stack]
}

run "refuses_a_bad_account" {
  command = plan
  variables { account_id = "1234" }
  expect_failures = [var.account_id]
}

run "refuses_a_partition_that_is_not_the_regions" {
  command = plan
  variables { partition = "aws-cn" }
  expect_failures = [var.partition]
}

run "refuses_a_bad_dns_suffix" {
  command = plan
  variables { dns_suffix = "example.com" }
  expect_failures = [var.dns_suffix]
}

run "refuses_an_empty_cost_center" {
  command = plan
  variables { cost_center = "" }
  expect_failures = [var.cost_center]
}

run "refuses_an_owner_that_no_tag_holds" {
  command = plan
  variables { owner = "a;b" }
  expect_failures = [var.owner]
}

run "refuses_a_long_function_name" {
  command = plan
  variables {
    suffixes = { function = ["storage-a-shard-whose-name-goes-on-and-on-and-on-x"] }
  }
  expect_failures = [var.suffixes]
}

run "refuses_a_long_role_name" {
  command = plan
  variables {
    suffixes = { role = ["storage-a-shard-whose-name-goes-on-and-on-and-on-x"] }
  }
  expect_failures = [var.suffixes]
}

run "refuses_a_long_bucket_name" {
  command = plan
  variables {
    suffixes = { bucket = ["analytics-replica-of-the-data-of-all"] }
  }
  expect_failures = [var.suffixes]
}
