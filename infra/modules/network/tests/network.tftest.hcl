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

run "one_private_subnet_per_tier_and_zone" {
  command = plan
  assert {
    condition     = length(aws_subnet.this) == 9 && alltrue([for subnet in aws_subnet.this : !subnet.map_public_ip_on_launch])
    error_message = "there must be nine subnets, none with public addresses"
  }
  assert {
    condition     = aws_subnet.this["function/eu-west-1a"].cidr_block == "10.16.0.0/20" && aws_subnet.this["data/eu-west-1c"].cidr_block == "10.16.96.0/20" && aws_subnet.this["endpoint/eu-west-1b"].cidr_block == "10.16.144.0/20"
    error_message = "ranges are not where network.json puts them: ${jsonencode({ for key, subnet in aws_subnet.this : key => subnet.cidr_block })}"
  }
  assert {
    condition     = length(aws_route_table.this) == 3 && length(aws_route_table_association.this) == 9
    error_message = "there must be one route table per tier and every subnet in one"
  }
}

run "the_smallest_range_fits" {
  command = plan
  variables { cidr = "192.168.240.0/20" }
  assert {
    condition     = aws_subnet.this["endpoint/eu-west-1c"].cidr_block == "192.168.250.0/24"
    error_message = "got ${aws_subnet.this["endpoint/eu-west-1c"].cidr_block}"
  }
}

run "flows_with_a_proxy" {
  command = plan
  assert {
    condition     = toset(keys(aws_vpc_security_group_egress_rule.group)) == toset(["function/endpoint/443", "function/proxy/5432", "proxy/cluster/5432", "function/efs/2049", "schema/endpoint/443", "schema/cluster/5432"])
    error_message = "got ${jsonencode(keys(aws_vpc_security_group_egress_rule.group))}"
  }
  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.group)) == toset(keys(aws_vpc_security_group_egress_rule.group))
    error_message = "each flow must be open on both sides"
  }
  assert {
    condition     = toset(keys(aws_vpc_security_group_egress_rule.prefix)) == toset(["function/prefix:s3/443", "function/prefix:dynamodb/443"])
    error_message = "got ${jsonencode(keys(aws_vpc_security_group_egress_rule.prefix))}"
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.group : rule.cidr_ipv4 == null && rule.from_port == rule.to_port])
    error_message = "a rule lets in more than one group on one port"
  }
}

run "flows_without_a_proxy" {
  command = plan
  variables { proxy = false }
  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.group)) == toset(["function/endpoint/443", "function/cluster/5432", "function/efs/2049", "schema/endpoint/443", "schema/cluster/5432"])
    error_message = "got ${jsonencode(keys(aws_vpc_security_group_ingress_rule.group))}"
  }
  assert {
    condition     = !contains(keys(aws_network_acl_rule.this), "data/ingress/data/tcp/5432")
    error_message = "nothing connects within the data tier when there is no proxy"
  }
}

run "network_acls_follow_the_flows" {
  command = plan
  assert {
    condition = toset([for key in keys(aws_network_acl_rule.this) : key if startswith(key, "data/")]) == toset([
      "data/ingress/function/tcp/5432", "data/ingress/function/tcp/2049", "data/egress/function/tcp/answers",
      "data/ingress/data/tcp/5432", "data/egress/data/tcp/5432", "data/ingress/data/tcp/answers", "data/egress/data/tcp/answers",
    ])
    error_message = "got ${jsonencode([for key in keys(aws_network_acl_rule.this) : key if startswith(key, "data/")])}"
  }
  assert {
    condition = toset([for key in keys(aws_network_acl_rule.this) : key if startswith(key, "endpoint/")]) == toset([
      "endpoint/ingress/function/tcp/443", "endpoint/egress/function/tcp/answers",
    ])
    error_message = "got ${jsonencode([for key in keys(aws_network_acl_rule.this) : key if startswith(key, "endpoint/")])}"
  }
  assert {
    condition     = aws_network_acl_rule.this["data/ingress/function/tcp/2049"].cidr_block == "10.16.0.0/18" && aws_network_acl_rule.this["function/egress/endpoint/tcp/443"].cidr_block == "10.16.128.0/18"
    error_message = "an entry names another range than its peer's tier"
  }
  assert {
    condition     = length(distinct([for key, rule in aws_network_acl_rule.this : "${split("/", key)[0]} ${rule.egress} ${rule.rule_number}"])) == length(aws_network_acl_rule.this)
    error_message = "two entries of one network ACL have the same number"
  }
  assert {
    # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html: 20 entries per ACL and direction.
    condition     = max([for count in values({ for key, rule in aws_network_acl_rule.this : "${split("/", key)[0]} ${rule.egress}" => key... }) : length(count)]...) <= 20
    error_message = "a network ACL has more entries than AWS's quota"
  }
}

run "public_addresses_pass_for_gateways_only" {
  command = plan
  assert {
    condition     = toset([for key, rule in aws_network_acl_rule.this : key if rule.cidr_block == "0.0.0.0/0"]) == toset(["function/egress/gateway/tcp/443", "function/ingress/gateway/tcp/443"])
    error_message = "got ${jsonencode([for key, rule in aws_network_acl_rule.this : key if rule.cidr_block == "0.0.0.0/0"])}"
  }
  assert {
    condition = alltrue([for direction in [true, false] :
      max([for key, rule in aws_network_acl_rule.this : rule.rule_number if rule.rule_action == "deny" && rule.egress == direction]...) <
      min([for key, rule in aws_network_acl_rule.this : rule.rule_number if rule.cidr_block == "0.0.0.0/0" && rule.egress == direction]...)
    ])
    error_message = "private addresses must be refused before public ones pass"
  }
}

run "endpoints" {
  command = plan
  variables {
    peers = { us-east-1 = "prism-dev-use1", ap-south-1 = "prism-dev-aps1" }
  }
  assert {
    condition     = toset(keys(aws_vpc_endpoint.peer)) == toset(["peer/ap-south-1/s3", "peer/us-east-1/s3"])
    error_message = "Each other region that tenants move to and from has its way to S3: ${jsonencode(keys(aws_vpc_endpoint.peer))}"
  }
  assert {
    condition = (
      aws_vpc_endpoint.peer["peer/us-east-1/s3"].service_name == "com.amazonaws.us-east-1.s3" && aws_vpc_endpoint.peer["peer/us-east-1/s3"].service_region == "us-east-1" &&
      aws_vpc_endpoint.peer["peer/us-east-1/s3"].vpc_endpoint_type == "Interface" && aws_vpc_endpoint.peer["peer/us-east-1/s3"].private_dns_enabled
    )
    error_message = "It is an interface in this region to the service of the other, under its usual name."
  }
  assert {
    condition = jsondecode(local.endpoint_policies["peer/us-east-1/s3"]).Statement == [{
      Sid       = "OwnAccountOnly"
      Effect    = "Allow"
      Principal = { AWS = "*" }
      Action    = ["s3:GetObject"]
      Resource  = ["arn:aws:s3:::prism-dev-use1-segments-123456789012/*", "arn:aws:s3:::prism-dev-use1-analytics-123456789012/*"]
      Condition = { StringEquals = { "aws:PrincipalAccount" = "123456789012", "aws:ResourceAccount" = "123456789012" } }
    }]
    error_message = "It leads to objects of that region's two stores, to read them: ${local.endpoint_policies["peer/us-east-1/s3"]}"
  }
  assert {
    condition = toset(keys(aws_vpc_endpoint.interface)) == toset([
      "dynamodb", "s3", "kms", "monitoring", "logs", "xray", "secretsmanager", "ssm", "lambda", "sts", "states", "sync-states",
    ]) && toset(keys(aws_vpc_endpoint.gateway)) == toset(["s3", "dynamodb"])
    error_message = "got ${jsonencode(keys(aws_vpc_endpoint.interface))} and ${jsonencode(keys(aws_vpc_endpoint.gateway))}"
  }
  assert {
    condition     = toset([for name, endpoint in aws_vpc_endpoint.interface : name if !endpoint.private_dns_enabled]) == toset(["dynamodb"])
    error_message = "every interface endpoint but DynamoDB's has its service's name"
  }
  assert {
    condition     = aws_vpc_endpoint.interface["s3"].dns_options[0].private_dns_only_for_inbound_resolver_endpoint
    error_message = "inside, S3's name must lead to the gateway"
  }
  assert {
    condition     = alltrue([for key, policy in local.endpoint_policies : jsondecode(policy).Statement[0].Condition.StringEquals["aws:PrincipalAccount"] == "123456789012" && !contains(jsondecode(policy).Statement[0].Action, "*")])
    error_message = "an endpoint serves other accounts, or every action"
  }
  assert {
    condition     = jsondecode(local.endpoint_policies["gateway/s3"]).Statement[0].Condition.StringEquals["aws:ResourceAccount"] == "123456789012" && jsondecode(local.endpoint_policies["gateway/s3"]).Statement[0].Resource == ["arn:aws:s3:::prism-dev-euw1-*"]
    error_message = "S3's gateway must lead to this installation's buckets only"
  }
  assert {
    condition     = jsondecode(local.endpoint_policies["interface/secretsmanager"]).Statement[0].Resource == ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:prism/dev/*", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!cluster-*"]
    error_message = "got ${local.endpoint_policies["interface/secretsmanager"]}"
  }
  assert {
    condition     = toset([for key, policy in local.endpoint_policies : key if contains(jsondecode(policy).Statement[0].Resource, "*")]) == toset(["interface/monitoring", "interface/xray"])
    error_message = "only PutMetricData and X-Ray have no resource-level permission"
  }
  assert {
    condition     = !strcontains(join("", values(local.endpoint_policies)), "{code}") && !strcontains(join("", values(local.endpoint_policies)), "{prefix}")
    error_message = "a placeholder of network.json was not filled in"
  }
  assert {
    condition     = jsonencode(local.gateway_tiers) == jsonencode({ s3 = ["function"], dynamodb = ["function"] })
    error_message = "got ${jsonencode(local.gateway_tiers)}"
  }
}

run "service_names_in_china" {
  command = plan
  variables {
    context = {
      project     = "prism"
      environment = "dev"
      region      = "cn-north-1"
      code        = "cnn1"
      partition   = "aws-cn"
      dns_suffix  = "amazonaws.com.cn"
      account_id  = "123456789012"
      prefix      = "prism-dev-cnn1"
      path        = "/prism/dev/cnn1"
      tags        = {}
    }
    azs   = ["cn-north-1a", "cn-north-1b", "cn-north-1c"]
    peers = { cn-northwest-1 = "prism-dev-cnnw1" }
  }
  assert {
    condition     = aws_vpc_endpoint.peer["peer/cn-northwest-1/s3"].service_name == "cn.com.amazonaws.cn-northwest-1.s3"
    error_message = "got ${aws_vpc_endpoint.peer["peer/cn-northwest-1/s3"].service_name}"
  }
  assert {
    condition     = aws_vpc_endpoint.interface["sts"].service_name == "cn.com.amazonaws.cn-north-1.sts" && aws_vpc_endpoint.interface["kms"].service_name == "com.amazonaws.cn-north-1.kms"
    error_message = "got ${aws_vpc_endpoint.interface["sts"].service_name} and ${aws_vpc_endpoint.interface["kms"].service_name}"
  }
  assert {
    condition     = jsondecode(local.endpoint_policies["interface/lambda"]).Statement[0].Resource == ["arn:aws-cn:lambda:cn-north-1:123456789012:function:prism-dev-cnn1-*"]
    error_message = "got ${local.endpoint_policies["interface/lambda"]}"
  }
}

run "what_aws_makes_with_a_vpc_is_empty" {
  command = plan
  assert {
    condition     = length(aws_default_route_table.this.route) == 0
    error_message = "the default route table has routes"
  }
  assert {
    condition     = length(aws_default_network_acl.this.ingress) == 0 && length(aws_default_network_acl.this.egress) == 0
    error_message = "the default network ACL has entries"
  }
}

run "names_dns_and_flow_logs" {
  command = plan
  assert {
    condition     = output.private_zone_name == "euw1.dev.prism.internal" && aws_vpc.this.enable_dns_support && aws_vpc.this.enable_dns_hostnames
    error_message = "got ${output.private_zone_name}"
  }
  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.name == "/prism/dev/euw1/network/flow" && aws_cloudwatch_log_group.flow.retention_in_days == 30 && aws_cloudwatch_log_group.flow.kms_key_id == var.logs_key_arn
    error_message = "flow logs must hold all traffic, encrypted, for the retention asked for"
  }
}
