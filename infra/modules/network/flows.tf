# platform/network.json's flows as rules. A flow is open in both of two independent fences: security groups (stateful, group to group) and network
# ACLs (stateless, tier to tier, so answers need an entry of their own). What no flow opens is closed.
locals {
  flows = {
    for place, flow in var.network.flows : "${flow.from}/${flow.to}/${flow.port}${flow.protocol == "tcp" ? "" : flow.protocol}" => merge(flow, {
      place     = place
      prefix    = startswith(flow.to, "prefix:") ? trimprefix(flow.to, "prefix:") : ""
      from_tier = var.network.groups[flow.from].tier
      to_tier   = startswith(flow.to, "prefix:") ? "" : var.network.groups[flow.to].tier
    })
    if flow.when == "always" || flow.when == (var.proxy ? "proxy" : "no-proxy")
  }
  group_flows  = { for key, flow in local.flows : key => flow if flow.prefix == "" }
  prefix_flows = { for key, flow in local.flows : key => flow if flow.prefix != "" }
}

resource "aws_security_group" "this" {
  for_each = var.network.groups

  name        = "${var.context.prefix}-${each.key}"
  description = "Group ${each.key} of platform/network.json" # a change would replace the group under whoever is in it
  vpc_id      = aws_vpc.this.id

  tags = merge(local.tags, { Name = "${var.context.prefix}-${each.key}" })
}

resource "aws_vpc_security_group_egress_rule" "group" {
  for_each = local.group_flows

  security_group_id            = aws_security_group.this[each.value.from].id
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = coalesce(each.value.why, each.key)

  tags = merge(local.tags, { Name = "${each.value.from}-to-${each.value.to}" })
}

resource "aws_vpc_security_group_ingress_rule" "group" {
  for_each = local.group_flows

  security_group_id            = aws_security_group.this[each.value.to].id
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = coalesce(each.value.why, each.key)

  tags = merge(local.tags, { Name = "${each.value.to}-from-${each.value.from}" })
}

resource "aws_vpc_security_group_egress_rule" "prefix" {
  for_each = local.prefix_flows

  security_group_id = aws_security_group.this[each.value.from].id
  prefix_list_id    = aws_vpc_endpoint.gateway[each.value.prefix].prefix_list_id
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
  description       = coalesce(each.value.why, each.key)

  tags = merge(local.tags, { Name = "${each.value.from}-to-${each.value.prefix}" })
}

locals {
  # Flows between the same tiers on the same port are one entry. A number comes from the place of the first such flow in the file, so that a flow
  # appended later renumbers nothing: AWS refuses an entry whose number is still taken.
  acl_flows = {
    for key, places in { for flow in values(local.group_flows) : "${flow.from_tier}/${flow.to_tier}/${flow.protocol}/${flow.port}" => flow.place... } :
    key => {
      from     = split("/", key)[0]
      to       = split("/", key)[1]
      protocol = split("/", key)[2]
      port     = tonumber(split("/", key)[3])
      number   = 100 + 10 * min(places...)
    }
  }

  # AWS's list of ephemeral ports: functions use 1024 to 65535.
  # https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports
  answer_ports = { from = 1024, to = 65535 }

  acl_group_rules = merge(flatten([for key, flow in local.acl_flows : [
    { "${flow.from}/egress/${flow.to}/${flow.protocol}/${flow.port}" = {
      tier = flow.from, egress = true, action = "allow", cidr = local.tier_cidrs[flow.to], protocol = flow.protocol, from = flow.port, to = flow.port, number = flow.number
    } },
    { "${flow.to}/ingress/${flow.from}/${flow.protocol}/${flow.port}" = {
      tier = flow.to, egress = false, action = "allow", cidr = local.tier_cidrs[flow.from], protocol = flow.protocol, from = flow.port, to = flow.port, number = flow.number
    } },
  ]])...)

  # Answers of several flows between two tiers share an entry.
  acl_answers = {
    for key, numbers in { for flow in values(local.acl_flows) : "${flow.from}/${flow.to}/${flow.protocol}" => flow.number... } :
    key => { from = split("/", key)[0], to = split("/", key)[1], protocol = split("/", key)[2], number = min(numbers...) + 5 }
  }
  acl_answer_rules = merge(flatten([for key, answer in local.acl_answers : [
    { "${answer.to}/egress/${answer.from}/${answer.protocol}/answers" = {
      tier = answer.to, egress = true, action = "allow", cidr = local.tier_cidrs[answer.from], protocol = answer.protocol, from = local.answer_ports.from, to = local.answer_ports.to, number = answer.number
    } },
    { "${answer.from}/ingress/${answer.to}/${answer.protocol}/answers" = {
      tier = answer.from, egress = false, action = "allow", cidr = local.tier_cidrs[answer.to], protocol = answer.protocol, from = local.answer_ports.from, to = local.answer_ports.to, number = answer.number
    } },
  ]])...)

  # Gateway endpoints answer from public addresses of the service. A network ACL takes no prefix list, the lists are longer than the 20 entries that an
  # ACL may have, and they change without notice. So every public address may pass here, and the two other fences stay narrow: the security group
  # knows the prefix list only and lets nobody in, and the route table has no other way out than to that list. Private addresses are refused first.
  acl_gateway_flows = {
    for key, places in { for flow in values(local.prefix_flows) : "${flow.from_tier}/${flow.protocol}/${flow.port}" => flow.place... } :
    key => { tier = split("/", key)[0], protocol = split("/", key)[1], port = tonumber(split("/", key)[2]), number = 10000 + 10 * min(places...) }
  }
  private_ranges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
  acl_private_rules = merge(flatten([for key, flow in local.acl_gateway_flows : [
    for place, cidr in local.private_ranges : [
      { "${flow.tier}/egress/private/${flow.protocol}/${flow.port}/${cidr}" = {
        tier = flow.tier, egress = true, action = "deny", cidr = cidr, protocol = flow.protocol, from = flow.port, to = flow.port, number = flow.number - 1000 + place
      } },
      { "${flow.tier}/ingress/private/${flow.protocol}/${flow.port}/${cidr}" = {
        tier = flow.tier, egress = false, action = "deny", cidr = cidr, protocol = flow.protocol, from = local.answer_ports.from, to = local.answer_ports.to, number = flow.number - 1000 + place
      } },
    ]
  ]])...)
  acl_gateway_rules = merge(flatten([for key, flow in local.acl_gateway_flows : [
    { "${flow.tier}/egress/gateway/${flow.protocol}/${flow.port}" = {
      tier = flow.tier, egress = true, action = "allow", cidr = "0.0.0.0/0", protocol = flow.protocol, from = flow.port, to = flow.port, number = flow.number
    } },
    { "${flow.tier}/ingress/gateway/${flow.protocol}/${flow.port}" = {
      tier = flow.tier, egress = false, action = "allow", cidr = "0.0.0.0/0", protocol = flow.protocol, from = local.answer_ports.from, to = local.answer_ports.to, number = flow.number + 5
    } },
  ]])...)

  acl_rules = merge(local.acl_group_rules, local.acl_answer_rules, local.acl_private_rules, local.acl_gateway_rules)
}

resource "aws_network_acl" "this" {
  for_each = var.network.tiers

  vpc_id     = aws_vpc.this.id
  subnet_ids = [for key, subnet in local.subnets : aws_subnet.this[key].id if subnet.tier == each.key]

  tags = merge(local.tags, { Name = "${var.context.prefix}-${each.key}", Tier = each.key })
}

resource "aws_network_acl_rule" "this" {
  for_each = local.acl_rules

  network_acl_id = aws_network_acl.this[each.value.tier].id
  rule_number    = each.value.number
  egress         = each.value.egress
  rule_action    = each.value.action
  protocol       = each.value.protocol
  cidr_block     = each.value.cidr
  from_port      = each.value.from
  to_port        = each.value.to
}
