module "service" {
  source = "../service"

  service   = "query"
  context   = var.context
  platform  = var.platform
  runtime   = var.runtime
  artifacts = var.artifacts
  shards    = var.shards

  extra = {
    query = {
      environment = { PRISM_QUERY_RESULTS_URL = "s3://${local.results_bucket}" }
      statements = [
        {
          # GetObject is for the URL: whoever follows it has the rights of who signed it.
          sid       = "Results"
          actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
          resources = ["${local.results_arn}/*"]
        },
        {
          sid       = "ResultsKey"
          actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
          resources = [var.runtime.keys.data]
          condition = { StringEquals = { "kms:ViaService" = ["s3.${var.context.region}.${var.context.dns_suffix}"] } }
        },
      ]
    }
  }
}
