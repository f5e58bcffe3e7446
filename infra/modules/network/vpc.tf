# A network without a way out: no internet or NAT gateway, no default route, no public address. What is not among the endpoints is not reached.
locals {
  tags = { Service = "network" }

  # One subnet per tier and zone, one route table and one network ACL per tier.
  subnets = merge([for tier, shape in var.network.tiers : {
    for zone, az in var.azs : "${tier}/${az}" => {
      tier = tier
      az   = az
      cidr = cidrsubnet(var.cidr, shape.newbits, shape.netnum + zone)
    }
  }]...)

  # A tier's three subnets and the free fourth are one range.
  tier_cidrs = { for tier, shape in var.network.tiers : tier => cidrsubnet(var.cidr, shape.newbits - 2, floor(shape.netnum / 4)) }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = merge(local.tags, { Name = var.context.prefix })
}

resource "aws_subnet" "this" {
  for_each = local.subnets

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.value.az
  cidr_block              = each.value.cidr
  map_public_ip_on_launch = false

  tags = merge(local.tags, { Name = "${var.context.prefix}-${each.value.tier}-${each.value.az}", Tier = each.value.tier })
}

# The gateway endpoints add their own routes to the tables of the tiers that have a flow to them; nobody else adds any.
resource "aws_route_table" "this" {
  for_each = var.network.tiers

  vpc_id = aws_vpc.this.id

  tags = merge(local.tags, { Name = "${var.context.prefix}-${each.key}", Tier = each.key })
}

resource "aws_route_table_association" "this" {
  for_each = local.subnets

  subnet_id      = aws_subnet.this[each.key].id
  route_table_id = aws_route_table.this[each.value.tier].id
}

# What AWS makes with a VPC and would lend to whoever names nothing else: emptied.
resource "aws_default_route_table" "this" {
  default_route_table_id = aws_vpc.this.default_route_table_id
  route                  = []

  tags = merge(local.tags, { Name = "${var.context.prefix}-default-empty" })
}

resource "aws_default_network_acl" "this" {
  default_network_acl_id = aws_vpc.this.default_network_acl_id

  tags = merge(local.tags, { Name = "${var.context.prefix}-default-empty" })
}

resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = merge(local.tags, { Name = "${var.context.prefix}-default-empty" })
}
