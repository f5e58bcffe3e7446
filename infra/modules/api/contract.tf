# What the contract says, in the shapes that resources need. Nothing of it is written a second time here.

locals {
  # Terraform fills in where; the stage variable stays in the text, for API Gateway to fill in at each request.
  body = templatefile(var.contract_file, {
    partition      = var.context.partition
    region         = var.context.region
    account        = var.context.account_id
    prefix         = var.context.prefix
    stageVariables = { shard = "$${stageVariables.shard}" }
  })
  contract   = jsondecode(local.body)
  throttling = local.contract["x-prism-throttling"]
  names      = local.contract["x-prism-names"]

  shard_names = sort(keys(var.shards))

  # operationId -> where it is and what it calls. Operations without a function (the health check) have target "".
  operations = merge([
    for path, item in local.contract.paths : {
      for method, operation in item : operation.operationId => {
        path   = path
        method = upper(method)
        target = try(regex(":function:([^:]+):live/", operation["x-amazon-apigateway-integration"].uri)[0], "")
      }
    }
  ]...)

  # AWS name of each addressed function -> the stage that may call it, "" where every stage may.
  targets = merge([
    for name in distinct([for o in local.operations : o.target if o.target != ""]) :
    strcontains(name, "$${stageVariables.shard}") ?
    { for shard in local.shard_names : replace(name, "$${stageVariables.shard}", shard) => shard } : { (name) = "" }
  ]...)

  authorizers = distinct([
    for scheme in local.contract.components.securitySchemes :
    regex(":function:([^:]+):live/", scheme["x-amazon-apigateway-authorizer"].authorizerUri)[0]
    if can(scheme["x-amazon-apigateway-authorizer"])
  ])

  functions_by_name = { for f in var.functions : f.name => f }
  missing           = setsubtract(concat(keys(local.targets), local.authorizers), keys(local.functions_by_name))
}
