output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "vpc_cidr" {
  description = "Its range."
  value       = aws_vpc.this.cidr_block
}

output "azs" {
  description = "Three zones; subnet_ids are in this order."
  value       = var.azs
}

output "subnet_ids" {
  description = "Subnets by tier, in the order of azs; usable when routes and network ACLs stand."
  value       = { for tier in keys(var.network.tiers) : tier => [for az in var.azs : aws_subnet.this["${tier}/${az}"].id] }

  depends_on = [aws_route_table_association.this, aws_network_acl_rule.this]
}

output "security_group_ids" {
  description = "Security groups by name; whoever is in one can reach what network.json says, endpoints included."
  value       = { for name, group in aws_security_group.this : name => group.id }

  depends_on = [
    aws_vpc_security_group_egress_rule.group,
    aws_vpc_security_group_egress_rule.prefix,
    aws_vpc_security_group_ingress_rule.group,
    aws_vpc_endpoint.interface,
    aws_vpc_endpoint.peer,
  ]
}

output "private_zone_id" {
  description = "Zone of the region's internal names."
  value       = aws_route53_zone.private.zone_id
}

output "private_zone_name" {
  description = "Its name, such as euw1.dev.prism.internal."
  value       = aws_route53_zone.private.name
}

output "vpc_endpoint_ids" {
  description = "Endpoints by kind and service."
  value = {
    interface = { for name, endpoint in aws_vpc_endpoint.interface : name => endpoint.id }
    gateway   = { for name, endpoint in aws_vpc_endpoint.gateway : name => endpoint.id }
  }
}
