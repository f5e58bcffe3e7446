# The most that a role of this stack may ever be given, and the most that the deploying role may hand on. A boundary grants nothing: what a role
# may do is the intersection with its own policy, which names actions and resources.
data "aws_iam_policy_document" "boundary" {
  statement {
    sid     = "WorkOfPrism"
    actions = ["dynamodb:GetItem", "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = concat(
      flatten([for region in sort(local.regions) : [for arn in values(local.table_arns[region]) : arn]]),
      [for region in sort(local.regions) : "arn:${local.context.partition}:logs:${region}:${local.context.account_id}:log-group:/aws/lambda/us-east-1.${local.edge_name}:*"],
      flatten([for region in sort(local.regions) : ["arn:${local.context.partition}:s3:::${local.artifact_buckets[region]}", "arn:${local.context.partition}:s3:::${local.artifact_buckets[region]}/*"]]),
      [for region in sort(local.regions) : local.key_arns[region].artifacts],
    )
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "${local.context.prefix}-boundary"
  description = "Ceiling of the global stack's service roles"
  policy      = data.aws_iam_policy_document.boundary.json

  tags = { Service = "delivery" }
}
