output "rest_api_id" {
  description = "Id of the REST API."
  value       = aws_api_gateway_rest_api.this.id
}

output "name" {
  description = "Name of the REST API, CloudWatch's dimension ApiName."
  value       = aws_api_gateway_rest_api.this.name
}

output "execution_arn" {
  description = "ARN that callers' policies name."
  value       = aws_api_gateway_rest_api.this.execution_arn
}

output "stages" {
  description = "Stages by shard."
  value = {
    for shard, stage in aws_api_gateway_stage.shard : shard => {
      name       = stage.stage_name
      invoke_url = "https://${local.domain_name}/${stage.stage_name}"
      arn        = stage.arn
    }
  }
}

output "domain_name" {
  description = "The region's own name, <code>.api.<domain>."
  value       = aws_api_gateway_domain_name.this["region"].domain_name

  depends_on = [aws_api_gateway_base_path_mapping.first, aws_route53_record.api]
}

output "usage_plan_ids" {
  description = "Usage plans by tier. tenant-onboarding puts a tenant's key into its tier's plan."
  value       = { for tier, plan in aws_api_gateway_usage_plan.tier : tier => plan.id }
}

output "web_acl_arn" {
  description = "Firewall of the stages."
  value       = aws_wafv2_web_acl.this.arn
}

output "log_group_names" {
  description = "Log groups: access, firewall, and execution by shard."
  value = {
    access    = aws_cloudwatch_log_group.access.name
    firewall  = aws_cloudwatch_log_group.firewall.name
    execution = { for shard, group in aws_cloudwatch_log_group.execution : shard => group.name }
  }
}
