output "function" {
  description = "What others need of the function to call it, to watch it and to grant it more."
  value = {
    name                   = aws_lambda_function.function.function_name
    arn                    = aws_lambda_function.function.arn
    alias_arn              = aws_lambda_alias.live.arn
    alias_name             = aws_lambda_alias.live.name
    invoke_arn             = aws_lambda_alias.live.invoke_arn
    version                = aws_lambda_function.function.version
    role_arn               = aws_iam_role.function.arn
    role_name              = aws_iam_role.function.name
    log_group_name         = aws_cloudwatch_log_group.function.name
    dead_letter_queue_arn  = one([for queue in aws_sqs_queue.dead_letter : queue.arn])
    dead_letter_queue_name = one([for queue in aws_sqs_queue.dead_letter : queue.name])
    concurrency_class      = var.spec.concurrency.class
    timeout_s              = var.spec.timeout_s
    memory_mb              = var.spec.memory_mb
  }
}
