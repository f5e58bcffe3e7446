locals {
  # The access log's one format: a JSON object a line, with the names that the local region's dataset access_log has.
  # Never a body, never the Authorization header.
  access_log_fields = {
    time           = "$context.requestTimeEpoch"
    request_id     = "$context.requestId"
    trace_id       = "$context.xrayTraceId"
    stage          = "$context.stage"
    method         = "$context.httpMethod"
    resource       = "$context.resourcePath"
    path           = "$context.path"
    protocol       = "$context.protocol"
    domain         = "$context.domainName"
    status         = "$context.status"
    duration_ms    = "$context.responseLatency"
    function_ms    = "$context.integration.latency"
    function_code  = "$context.integration.status"
    authorizer_ms  = "$context.authorizer.latency"
    authorizer     = "$context.authorizer.status"
    bytes_out      = "$context.responseLength"
    tenant         = "$context.authorizer.tenant"
    key_id         = "$context.authorizer.key_id"
    tier           = "$context.authorizer.tier"
    source_ip      = "$context.identity.sourceIp"
    user_agent     = "$context.identity.userAgent"
    error          = "$context.error.responseType"
    error_message  = "$context.error.message"
    function_error = "$context.integration.error"
    firewall       = "$context.waf.status"
  }
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "${var.context.path}/api/access"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key_arn

  tags = { Name = "${var.context.path}/api/access", Service = "api" }
}

resource "aws_cloudwatch_log_group" "execution" {
  for_each = var.shards

  name              = "API-Gateway-Execution-Logs_${aws_api_gateway_rest_api.this.id}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key_arn

  tags = { Service = "api", Shard = each.key }
}

# One per account and region, whoever sets it last wins: API Gateway writes every API's logs through it.
resource "aws_api_gateway_account" "this" {
  cloudwatch_role_arn = aws_iam_role.logs.arn

  depends_on = [aws_iam_role_policy_attachment.logs]
}

data "aws_iam_policy_document" "logs_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "logs" {
  name                 = "${var.context.prefix}-api-logs"
  description          = "API Gateway writes its logs with this role."
  permissions_boundary = "arn:${var.context.partition}:iam::${var.context.account_id}:policy/${var.context.project}-${var.context.environment}-services-boundary" # infra/global makes it
  assume_role_policy   = data.aws_iam_policy_document.logs_trust.json

  tags = { Name = "${var.context.prefix}-api-logs", Service = "api" }
}

# AWS's own policy: API Gateway checks the role against it when the account setting is written.
resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.logs.name
  policy_arn = "arn:${var.context.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}
