resource "aws_api_gateway_rest_api" "this" {
  # Its body names this role, which API Gateway looks for when it imports it.
  depends_on = [aws_iam_role.start]

  name        = "${var.context.prefix}-api"
  description = local.contract.info.description
  body        = local.body

  api_key_source     = local.contract["x-amazon-apigateway-api-key-source"]
  binary_media_types = local.contract["x-amazon-apigateway-binary-media-types"]

  # The contract leaves this out on purpose: an API that compresses also decodes request bodies itself and answers 415 to
  # codings that it does not know, zstd for one. Prism's functions decode. Source: API Gateway developer guide, "Call
  # an API method with a compressed payload".
  minimum_compression_size = try(tostring(local.contract["x-amazon-apigateway-minimum-compression-size"]), null)

  # Only the custom domain, whose TLS policy and names are ours.
  disable_execute_api_endpoint = true

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  tags = { Name = "${var.context.prefix}-api", Service = "api" }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(local.missing) == 0
      error_message = "The contract calls functions that do not exist: ${join(", ", local.missing)}. Pass them in `functions`, or take their routes out of platform/api.openapi.json."
    }
    precondition {
      condition     = length(setsubtract(keys(local.throttling.routes), keys(local.operations))) == 0
      error_message = "x-prism-throttling.routes names operations that the contract does not have: ${join(", ", setsubtract(keys(local.throttling.routes), keys(local.operations)))}."
    }
    precondition {
      condition = alltrue([
        for limit in concat(values(local.throttling.tiers), values(local.throttling.routes)) :
        limit.rate <= local.throttling.system.rate && limit.rate > 0 && limit.burst > 0
      ])
      error_message = "x-prism-throttling: each tier and route needs rate and burst above 0 and at most the system's rate of ${local.throttling.system.rate}; a single tenant must not be promised more than there is."
    }
  }
}

# Whoever may call is decided by the authorizer; the network policy only insists on TLS. Keys and tenants are no
# AWS principals, so the principal is everybody.
data "aws_iam_policy_document" "api" {
  statement {
    sid       = "CallersOfTheApi"
    actions   = ["execute-api:Invoke"]
    resources = ["${aws_api_gateway_rest_api.this.execution_arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }

  statement {
    sid       = "NeverInTheClear"
    effect    = "Deny"
    actions   = ["execute-api:Invoke"]
    resources = ["${aws_api_gateway_rest_api.this.execution_arn}/*"]

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

resource "aws_api_gateway_rest_api_policy" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  policy      = data.aws_iam_policy_document.api.json
}

resource "aws_lambda_permission" "route" {
  for_each = local.targets

  statement_id  = "api-${var.context.code}"
  action        = "lambda:InvokeFunction"
  function_name = local.functions_by_name[each.key].name
  qualifier     = local.functions_by_name[each.key].alias_name
  principal     = "apigateway.amazonaws.com"

  # A shard's function serves its own stage only. Streamed calls need the same permission as others.
  source_arn = "${aws_api_gateway_rest_api.this.execution_arn}/${each.value == "" ? "*" : each.value}/*/*"
}

resource "aws_lambda_permission" "authorizer" {
  for_each = toset(local.authorizers)

  statement_id  = "api-${var.context.code}-authorizer"
  action        = "lambda:InvokeFunction"
  function_name = local.functions_by_name[each.key].name
  qualifier     = local.functions_by_name[each.key].alias_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/authorizers/*"
}

# A deployment is a snapshot of the API. It is taken when everything behind it stands: the aliases (they are in the
# triggers) and the permissions to call them.
resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  description = "Contract ${local.contract.info.version}"

  triggers = {
    contract = sha256(local.body)
    policy   = sha256(data.aws_iam_policy_document.api.json)
    backends = sha256(jsonencode({ for key, f in var.functions : key => f.alias_arn }))
  }

  depends_on = [
    aws_api_gateway_rest_api_policy.this,
    aws_iam_role_policy.start,
    aws_lambda_permission.route,
    aws_lambda_permission.authorizer,
  ]

  lifecycle {
    create_before_destroy = true
  }
}
