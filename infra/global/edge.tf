# CloudFront in front of every region. The router (edge/, Lambda@Edge) looks up the tenant of a request's key in the nearest replica of the
# registry and sends the request to the tenant's home region and shard. Nothing is cached.
locals {
  distribution = var.edge.router_sha256 == null ? {} : { this = true }
  edge_name    = "${local.context.prefix}-edge"

  # The router's configuration: Lambda@Edge has no environment, so it travels as headers that CloudFront adds to the origin request and
  # the router takes off again. edge/config.mjs reads them.
  edge_headers = {
    "x-prism-edge-version" = "1"
    "x-prism-edge-domain"  = var.domain
    "x-prism-edge-home"    = local.primary
    "x-prism-edge-regions" = join(",", [for region, settings in var.regions : join("/", [region, module.naming.codes[region], settings.active ? "active" : "out", coalesce(settings.standby, "-")])])
    "x-prism-edge-tables"  = join(",", [for name in local.edge_tables : "${name}=${local.context.prefix}-${name}"])
    "x-prism-edge-stores"  = join(",", sort(local.regions))
  }

  origins = {
    nearest  = { domain = "origin.${var.domain}", attempt = "1" }
    failover = { domain = "failover.${var.domain}", attempt = "2" }
  }

  api_methods = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]

  # Observing answers costs a second invocation per request.
  edge_events = toset(concat(["origin-request"], var.edge.observe_responses ? ["origin-response"] : []))
}

# ---- the router ----

# It may read two tables, where there are replicas, by key; no scan, no query, no write.
data "aws_iam_policy_document" "router" {
  statement {
    sid       = "LookUpTenants"
    actions   = ["dynamodb:GetItem"]
    resources = flatten([for region in sort(local.regions) : [for name in local.edge_tables : local.table_arns[region][name]]])
  }

  # Groups exist already; so the router may not make one that keeps its events for ever.
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for arn in values(local.log_arns[local.router_log_group]) : "${arn}:*"]
  }
}

data "aws_iam_policy_document" "router_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "router" {
  name                 = local.edge_name
  description          = "Lambda@Edge router: reads the tenant registry"
  assume_role_policy   = data.aws_iam_policy_document.router_trust.json
  permissions_boundary = aws_iam_policy.boundary["boundary"].arn

  tags = { Service = "edge" }
}

resource "aws_iam_role_policy" "router" {
  name   = "router"
  role   = aws_iam_role.router.id
  policy = data.aws_iam_policy_document.router.json
}

# Lambda@Edge logs where it runs, under this name in each region. https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-functions-logs.html
# Invocations in a region without a group leave no log; they count in CloudFront's metrics all the same.
resource "aws_cloudwatch_log_group" "router" {
  for_each = local.regions

  region            = each.key
  name              = local.router_log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = local.key_arns[each.key].logs

  tags = { Service = "edge" }
}

# No VPC, environment, layers, tracing, dead letters, arm64 or reserved concurrency: Lambda@Edge has none of them.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-at-edge-function-restrictions.html
resource "aws_lambda_function" "router" {
  for_each = local.distribution

  function_name = local.edge_name
  description   = "Tenant to home region"
  role          = aws_iam_role.router.arn
  s3_bucket     = aws_s3_bucket.artifacts[var.home_region].bucket
  s3_key        = "functions/edge/${var.edge.router_sha256}.zip"
  runtime       = "nodejs22.x"
  handler       = local.edge_handler
  architectures = ["x86_64"]
  memory_size   = var.edge.memory_mb
  timeout       = 10
  publish       = true

  tags = { Service = "edge" }

  depends_on = [aws_cloudwatch_log_group.router, aws_iam_role_policy.router]

  timeouts {
    delete = "90m" # replicas at the edge go first, at their own pace
  }
}

# ---- the distribution ----

resource "aws_cloudfront_cache_policy" "none" {
  name        = "${local.context.prefix}-none"
  comment     = "Answers belong to one tenant: none is kept"
  min_ttl     = 0
  default_ttl = 0
  max_ttl     = 0

  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

# Authorization reaches an origin only through the cache key or a policy that forwards all headers; Host must be the region's own name, which the
# router sets. https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/add-origin-custom-headers.html#add-origin-custom-headers-forward-authorization
resource "aws_cloudfront_origin_request_policy" "api" {
  name    = "${local.context.prefix}-api"
  comment = "All of the request but Host and cookies"

  cookies_config {
    cookie_behavior = "none"
  }
  headers_config {
    header_behavior = "allExcept"
    headers {
      items = ["host"]
    }
  }
  query_strings_config {
    query_string_behavior = "all"
  }
}

resource "aws_cloudfront_response_headers_policy" "security" {
  name    = "${local.context.prefix}-security"
  comment = "An API answers data: nothing in it is a page, a frame or a script"

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 63072000
      include_subdomains         = true
      preload                    = true
      override                   = true
    }
    content_type_options {
      override = true
    }
    frame_options {
      frame_option = "DENY"
      override     = true
    }
    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }
    content_security_policy {
      content_security_policy = "default-src 'none'; frame-ancestors 'none'"
      override                = false
    }
  }

  custom_headers_config {
    items {
      header   = "cache-control"
      value    = "no-store"
      override = false
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  for_each = local.distribution

  enabled             = true
  comment             = local.context.prefix
  aliases             = [var.domain, "api.${var.domain}"]
  http_version        = "http2and3"
  is_ipv6_enabled     = true
  price_class         = var.edge.price_class
  web_acl_id          = aws_wafv2_web_acl.edge.arn
  wait_for_deployment = false # alarms and the deployer watch it; a plan need not

  # Two names for the same regions. The router replaces either; an origin must resolve before it is asked, even so.
  dynamic "origin" {
    for_each = local.origins

    content {
      origin_id           = origin.key
      domain_name         = origin.value.domain
      connection_attempts = 2
      connection_timeout  = 3

      custom_origin_config {
        http_port                = 80
        https_port               = 443
        origin_protocol_policy   = "https-only"
        origin_ssl_protocols     = ["TLSv1.2"]
        origin_read_timeout      = 60 # over API Gateway's 29 s and between two parts of a streamed answer
        origin_keepalive_timeout = 60
      }

      dynamic "custom_header" {
        for_each = merge(local.edge_headers, { "x-prism-edge-attempt" = origin.value.attempt })

        content {
          name  = custom_header.key
          value = custom_header.value
        }
      }
    }
  }

  # CloudFront repeats only GET, HEAD and OPTIONS at a second origin, and refuses an origin group where other methods are allowed. So it serves
  # the one path that everybody may read; for all others the router chooses.
  origin_group {
    origin_id = "health"

    failover_criteria {
      status_codes = [500, 502, 503, 504]
    }
    member {
      origin_id = "nearest"
    }
    member {
      origin_id = "failover"
    }
  }

  default_cache_behavior {
    target_origin_id           = "nearest"
    viewer_protocol_policy     = "https-only" # a redirect would have had the key in the clear already
    allowed_methods            = local.api_methods
    cached_methods             = ["GET", "HEAD"]
    compress                   = false # the regions compress
    cache_policy_id            = aws_cloudfront_cache_policy.none.id
    origin_request_policy_id   = aws_cloudfront_origin_request_policy.api.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.security.id

    dynamic "lambda_function_association" {
      for_each = local.edge_events

      content {
        event_type   = lambda_function_association.key
        lambda_arn   = aws_lambda_function.router["this"].qualified_arn
        include_body = false
      }
    }
  }

  ordered_cache_behavior {
    path_pattern               = "/v1/health"
    target_origin_id           = "health"
    viewer_protocol_policy     = "https-only"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = false
    cache_policy_id            = aws_cloudfront_cache_policy.none.id
    origin_request_policy_id   = aws_cloudfront_origin_request_policy.api.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.security.id

    dynamic "lambda_function_association" {
      for_each = local.edge_events

      content {
        event_type   = lambda_function_association.key
        lambda_arn   = aws_lambda_function.router["this"].qualified_arn
        include_body = false
      }
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn      = aws_acm_certificate_validation.edge["this"].certificate_arn
    ssl_support_method       = "sni-only"
    minimum_protocol_version = "TLSv1.2_2021"
  }

  tags = { Name = local.context.prefix, Service = "edge" }
}

# Standard logging v2: delivered by CloudWatch's log delivery under a bucket policy. The older way needs ACLs on the bucket.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging.html
resource "aws_cloudwatch_log_delivery_source" "edge" {
  for_each = local.distribution

  name         = local.edge_name
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.this[each.key].arn

  tags = { Service = "edge" }
}

resource "aws_cloudwatch_log_delivery_destination" "edge" {
  for_each = local.distribution

  name          = local.edge_name
  output_format = "json"

  delivery_destination_configuration {
    destination_resource_arn = "${aws_s3_bucket.access[var.home_region].arn}/edge"
  }

  tags = { Service = "edge" }

  depends_on = [aws_s3_bucket_policy.access]
}

resource "aws_cloudwatch_log_delivery" "edge" {
  for_each = local.distribution

  delivery_source_name     = aws_cloudwatch_log_delivery_source.edge[each.key].name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.edge[each.key].arn

  s3_delivery_configuration = [{
    enable_hive_compatible_path = false
    suffix_path                 = "{DistributionId}/{yyyy}/{MM}/{dd}/{HH}"
  }]

  tags = { Service = "edge" }
}
