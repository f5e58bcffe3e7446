# Every connection that was taken or refused.
resource "aws_cloudwatch_log_group" "flow" {
  name              = "${var.context.path}/network/flow"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key_arn

  tags = local.tags
}

locals {
  flow_log_group_arn = "arn:${var.context.partition}:logs:${var.context.region}:${var.context.account_id}:log-group:${var.context.path}/network/flow"

  # Only for this account's flow logs: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
  flow_assume_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.context.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:${var.context.partition}:ec2:${var.context.region}:${var.context.account_id}:vpc-flow-log/*" }
      }
    }]
  })
  flow_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = [local.flow_log_group_arn, "${local.flow_log_group_arn}:*"]
    }]
  })
}

resource "aws_iam_role" "flow" {
  name                 = "${var.context.prefix}-flow-logs"
  description          = "VPC flow logs to their log group"
  permissions_boundary = "arn:${var.context.partition}:iam::${var.context.account_id}:policy/${var.context.project}-${var.context.environment}-services-boundary" # infra/global makes it
  assume_role_policy   = local.flow_assume_policy

  tags = local.tags
}

resource "aws_iam_role_policy" "flow" {
  name   = "flow-logs"
  role   = aws_iam_role.flow.id
  policy = local.flow_policy
}

resource "aws_flow_log" "this" {
  vpc_id                   = aws_vpc.this.id
  traffic_type             = "ALL"
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.flow.arn
  iam_role_arn             = aws_iam_role.flow.arn
  max_aggregation_interval = 60

  tags = merge(local.tags, { Name = var.context.prefix })

  depends_on = [aws_iam_role_policy.flow]
}
