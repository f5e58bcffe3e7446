output "machines" {
  description = "State machines by name. Start the alias."
  value = {
    for name, machine in aws_sfn_state_machine.this : name => {
      arn            = machine.arn
      alias_arn      = aws_sfn_alias.live[name].arn
      name           = machine.name
      type           = machine.type
      log_group_name = aws_cloudwatch_log_group.machine[name].name
    }
  }
}

output "tables" {
  description = "Tables of the workflows by short name."
  value       = { for name, table in aws_dynamodb_table.this : name => { name = table.name, arn = table.arn } }
}

output "queues" {
  description = "Queues of the workflows by short name, and the dead letters of schedules."
  value = merge(
    { for name, queue in aws_sqs_queue.this : name => { name = queue.name, arn = queue.arn, url = queue.id } },
    { workflows-dead-letter = { name = aws_sqs_queue.unstarted.name, arn = aws_sqs_queue.unstarted.arn, url = aws_sqs_queue.unstarted.id } },
  )
}
