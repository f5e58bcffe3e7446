# Calls that nobody waits for: retries, age, and where an event ends that could not be handled. The queue belongs to this function alone.
resource "aws_sqs_queue" "dead_letter" {
  for_each = local.has_queue ? local.this : toset([])

  name                              = "${local.full}-dead-letter"
  kms_master_key_id                 = var.runtime.keys.data
  kms_data_key_reuse_period_seconds = 300
  message_retention_seconds         = 14 * 24 * 3600
  tags                              = local.tags
}

resource "aws_sqs_queue_policy" "dead_letter" {
  for_each = aws_sqs_queue.dead_letter

  queue_url = each.value.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = ["sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"]
      Resource  = local.queue_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_lambda_function_event_invoke_config" "live" {
  for_each = local.has_asynchronous ? local.this : toset([])

  function_name                = aws_lambda_function.function.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_retry_attempts       = var.spec.asynchronous.retries
  maximum_event_age_in_seconds = var.spec.asynchronous.max_age_s

  # The record of a failure says why and holds the event; the dead letter of the version holds the event alone, for calls that go past the alias.
  dynamic "destination_config" {
    for_each = aws_sqs_queue.dead_letter

    content {
      on_failure {
        destination = destination_config.value.arn
      }
    }
  }
}
