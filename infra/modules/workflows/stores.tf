# What workflows keep between their runs. Of this region alone: another region's outage must open no breaker here.

resource "aws_dynamodb_table" "this" {
  for_each = var.workflows.tables

  name         = "${var.context.prefix}-${each.key}"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = each.value.key

  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = each.value.key
    type = "S"
  }

  # A workflow that runs wild must not run up a bill.
  on_demand_throughput {
    max_read_request_units  = 200
    max_write_request_units = 200
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.keys.data
  }

  tags = { Name = "${var.context.prefix}-${each.key}", Service = "workflows" }
}

resource "aws_sqs_queue" "this" {
  for_each = var.workflows.queues

  name                              = "${var.context.prefix}-${each.key}"
  message_retention_seconds         = each.value.retention_s
  visibility_timeout_seconds        = 300
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = var.keys.data
  kms_data_key_reuse_period_seconds = 300

  tags = { Name = "${var.context.prefix}-${each.key}", Service = "workflows" }
}

# Schedules that could not start their machine.
resource "aws_sqs_queue" "unstarted" {
  name                              = "${var.context.prefix}-workflows-dead-letter"
  message_retention_seconds         = 1209600
  kms_master_key_id                 = var.keys.data
  kms_data_key_reuse_period_seconds = 300

  tags = { Name = "${var.context.prefix}-workflows-dead-letter", Service = "workflows" }
}

data "aws_iam_policy_document" "queue" {
  for_each = merge({ for name, queue in aws_sqs_queue.this : name => queue.arn }, { workflows-dead-letter = aws_sqs_queue.unstarted.arn })

  statement {
    sid       = "NeverInTheClear"
    effect    = "Deny"
    actions   = ["sqs:ReceiveMessage", "sqs:SendMessage"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  for_each = merge({ for name, queue in aws_sqs_queue.this : name => queue.id }, { workflows-dead-letter = aws_sqs_queue.unstarted.id })

  queue_url = each.value
  policy    = data.aws_iam_policy_document.queue[each.key].json
}
