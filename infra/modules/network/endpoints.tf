# The only ways to AWS. Each endpoint's policy names the actions and resources of network.json, callers of this account and things of this account: a
# stolen credential of another account cannot carry data out through it.
locals {
  # In China some services are offered under another name; which ones stands in network.json, after AWS CDK's table in aws-ec2/lib/vpc-endpoint.ts.
  service_prefix = { for name, endpoint in merge(
    var.network.endpoints.interface,
    { for name, endpoint in var.network.endpoints.peer : "peer/${name}" => endpoint },
    ) : name => endpoint.china_prefix && var.context.partition == "aws-cn" ? "cn.com.amazonaws" : "com.amazonaws"
  }

  placeholders = {
    "{partition}"   = var.context.partition
    "{region}"      = var.context.region
    "{account}"     = var.context.account_id
    "{project}"     = var.context.project
    "{environment}" = var.context.environment
    "{code}"        = var.context.code
    "{prefix}"      = var.context.prefix
    "{path}"        = var.context.path
  }

  # "peer/<region>/<service>": a service of another region, as an interface in this one.
  peer_endpoints = merge([for region, prefix in var.peers : {
    for name, endpoint in var.network.endpoints.peer : "peer/${region}/${name}" => { region = region, prefix = prefix, service = name, endpoint = endpoint }
  }]...)

  endpoints = merge(
    { for name, endpoint in var.network.endpoints.interface : "interface/${name}" => endpoint },
    { for name, endpoint in var.network.endpoints.gateway : "gateway/${name}" => endpoint },
    { for key, peer in local.peer_endpoints : key => peer.endpoint },
  )
  endpoint_resources = { for key, endpoint in local.endpoints : key => [
    for resource in endpoint.resources : join("", [
      for part in regexall("\\{[a-z_]+\\}|[^{]+", resource) : part == "{peer_prefix}" ? local.peer_endpoints[key].prefix : lookup(local.placeholders, part, part)
    ])
  ] }

  # Principal "*" with a condition, and not the account's ARN: in a gateway endpoint's policy that would be its root user alone.
  # https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
  endpoint_policies = { for key, endpoint in local.endpoints : key => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OwnAccountOnly"
      Effect    = "Allow"
      Principal = { AWS = "*" }
      Action    = endpoint.actions
      Resource  = local.endpoint_resources[key]
      Condition = { StringEquals = merge(
        { "aws:PrincipalAccount" = var.context.account_id },
        # Actions on no resource have no owner to compare.
        contains(endpoint.resources, "*") ? {} : { "aws:ResourceAccount" = var.context.account_id },
      ) }
    }]
  }) }

  # Tiers whose flows lead to a gateway get its routes.
  gateway_tiers = { for name in keys(var.network.endpoints.gateway) : name =>
    distinct([for flow in values(local.prefix_flows) : flow.from_tier if flow.prefix == name])
  }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = var.network.endpoints.gateway

  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.context.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for tier in local.gateway_tiers[each.key] : aws_route_table.this[tier].id]
  policy            = local.endpoint_policies["gateway/${each.key}"]

  tags = merge(local.tags, { Name = "${var.context.prefix}-${each.key}-gateway" })
}

# PrivateLink reaches some services of other regions, S3 among them, privately and under their usual names:
# https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-cross-region-privatelink-support.html
# docs/design/migration.md, "The way to the other region's objects", says why it is this and nothing else.
resource "aws_vpc_endpoint" "peer" {
  for_each = local.peer_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "${local.service_prefix["peer/${each.value.service}"]}.${each.value.region}.${each.value.service}"
  service_region      = each.value.region
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for az in var.azs : aws_subnet.this["endpoint/${az}"].id]
  security_group_ids  = [aws_security_group.this["endpoint"].id]
  policy              = local.endpoint_policies[each.key]

  tags = merge(local.tags, { Name = "${var.context.prefix}-${each.value.service}-${each.value.region}" })
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.network.endpoints.interface

  vpc_id              = aws_vpc.this.id
  service_name        = "${local.service_prefix[each.key]}.${var.context.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = each.value.private_dns != "false"
  subnet_ids          = [for az in var.azs : aws_subnet.this["endpoint/${az}"].id]
  security_group_ids  = [aws_security_group.this["endpoint"].id]
  policy              = local.endpoint_policies["interface/${each.key}"]

  dynamic "dns_options" {
    for_each = each.value.private_dns == "inbound-resolver" ? { this = true } : {}
    content {
      private_dns_only_for_inbound_resolver_endpoint = true
    }
  }

  tags = merge(local.tags, { Name = "${var.context.prefix}-${each.key}" })

  # A name for inbound resolvers alone is taken only where the gateway exists.
  depends_on = [aws_vpc_endpoint.gateway]
}
