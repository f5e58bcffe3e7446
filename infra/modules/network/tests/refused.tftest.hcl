# Input that would make a network that is wrong is refused in the plan.
mock_provider "aws" {
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mocked" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
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
  network            = jsondecode(file("../../../platform/network.json"))
  cidr               = "10.16.0.0/16"
  azs                = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  logs_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  log_retention_days = 30
}

run "two_zones" {
  command = plan
  variables { azs = ["eu-west-1a", "eu-west-1b"] }
  expect_failures = [var.azs]
}

run "four_zones" {
  command = plan
  variables { azs = ["eu-west-1a", "eu-west-1b", "eu-west-1c", "eu-west-1d"] }
  expect_failures = [var.azs]
}

run "one_zone_three_times" {
  command = plan
  variables { azs = ["eu-west-1a", "eu-west-1a", "eu-west-1a"] }
  expect_failures = [var.azs]
}

run "zones_of_another_region" {
  command = plan
  variables { azs = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  expect_failures = [var.azs]
}

run "no_range" {
  command = plan
  variables { cidr = "ten" }
  expect_failures = [var.cidr]
}

run "a_range_that_begins_elsewhere" {
  command = plan
  variables { cidr = "10.16.0.1/16" }
  expect_failures = [var.cidr]
}

run "a_range_too_small" {
  command = plan
  variables { cidr = "10.16.0.0/21" }
  expect_failures = [var.cidr]
}

run "a_range_too_large" {
  command = plan
  variables { cidr = "10.16.0.0/15" }
  expect_failures = [var.cidr]
}

run "a_public_range" {
  command = plan
  variables { cidr = "52.16.0.0/16" }
  expect_failures = [var.cidr]
}

run "a_range_beside_172_16" {
  command = plan
  variables { cidr = "172.32.0.0/16" }
  expect_failures = [var.cidr]
}

run "ipv6" {
  command = plan
  variables { cidr = "fd00::/16" }
  expect_failures = [var.cidr]
}

run "the_range_of_another_region" {
  command = plan
  variables { peer_cidrs = { us-east-1 = "10.16.0.0/16" } }
  expect_failures = [var.peer_cidrs]
}

run "a_range_within_that_of_another_region" {
  command = plan
  variables {
    cidr       = "10.16.32.0/20"
    peer_cidrs = { us-east-1 = "10.17.0.0/16", us-west-2 = "10.16.0.0/16" }
  }
  expect_failures = [var.peer_cidrs]
}

run "a_range_around_that_of_another_region" {
  command = plan
  variables { peer_cidrs = { us-east-1 = "10.16.240.0/20" } }
  expect_failures = [var.peer_cidrs]
}

run "neighbours_are_taken" {
  command = plan
  variables { peer_cidrs = { us-east-1 = "10.15.0.0/16", us-west-2 = "10.17.0.0/20" } }
}

run "a_peer_without_a_range" {
  command = plan
  variables { peer_cidrs = { us-east-1 = "none" } }
  expect_failures = [var.peer_cidrs]
}

run "a_retention_that_cloudwatch_does_not_know" {
  command = plan
  variables { log_retention_days = 31 }
  expect_failures = [var.log_retention_days]
}

run "another_version_of_the_file" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { version = 2 }) }
  expect_failures = [var.network]
}

run "a_flow_to_nowhere" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { flows = [{ from = "function", to = "internet", port = 443 }] }) }
  expect_failures = [var.network]
}

run "a_flow_to_every_port" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { flows = [{ from = "function", to = "endpoint", port = 0 }] }) }
  expect_failures = [var.network]
}

run "a_flow_twice" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { flows = [{ from = "function", to = "efs", port = 2049 }, { from = "function", to = "efs", port = 2049, when = "proxy" }] }) }
  expect_failures = [var.network]
}

run "a_group_without_a_tier" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { groups = { function = { tier = "public" }, endpoint = { tier = "endpoint" }, proxy = { tier = "data" }, cluster = { tier = "data" }, efs = { tier = "data" } } }) }
  expect_failures = [var.network]
}

run "a_missing_group" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { groups = { function = { tier = "function" } }, flows = [] }) }
  expect_failures = [var.network]
}

run "tiers_that_overlap" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { tiers = { function = { netnum = 0, newbits = 4 }, data = { netnum = 0, newbits = 4 }, endpoint = { netnum = 8, newbits = 4 } } }) }
  expect_failures = [var.network]
}

run "a_tier_beyond_the_range" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { tiers = { function = { netnum = 0, newbits = 4 }, data = { netnum = 4, newbits = 4 }, endpoint = { netnum = 16, newbits = 4 } } }) }
  expect_failures = [var.network]
}

run "an_inbound_name_without_a_gateway" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { flows = [], endpoints = { interface = { s3 = { private_dns = "inbound-resolver", actions = [], resources = [] } }, gateway = {} } }) }
  expect_failures = [var.network]
}

run "an_unknown_kind_of_name" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { flows = [], endpoints = { interface = { s3 = { private_dns = "perhaps", actions = [], resources = [] } }, gateway = {} } }) }
  expect_failures = [var.network]
}

run "a_reason_that_no_rule_can_hold" {
  command = plan
  variables { network = merge(jsondecode(file("../../../platform/network.json")), { flows = [{ from = "function", to = "efs", port = 2049, why = "it's hot" }] }) }
  expect_failures = [var.network]
}

run "a_region_that_is_its_own_peer" {
  command = plan
  variables { peers = { eu-west-1 = "prism-dev-euw1" } }
  expect_failures = [var.peers]
}
