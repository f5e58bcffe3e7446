# Ceilings: the most that a role may ever be given, whatever its policies say. A boundary grants nothing.
#   <prefix>-boundary           the two service roles of this stack
#   <prefix>-services-boundary  roles that AWS's own services take in the regions (API logs, flow logs, backup, replication, monitoring, proxy). Their names are
#                               known, so a regional stack computes the ARN; the deploying role makes no role without a ceiling
locals {
  boundaries = {
    boundary = {
      description = "Ceiling of the global stack's service roles"
      statements = [
        { Sid = "Registry", Action = ["dynamodb:GetItem"], Resource = flatten([for region in sort(local.regions) : values(local.table_arns[region])]) },
        { Sid = "Logs", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = [for arn in values(local.log_arns[local.router_log_group]) : "${arn}:*"] },
        { Sid = "ArtifactBuckets", Action = ["s3:GetReplicationConfiguration", "s3:ListBucket"], Resource = values(local.artifact_arns) },
        { Sid = "Artifacts", Action = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging", "s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"], Resource = [for arn in values(local.artifact_arns) : "${arn}/*"] },
        { Sid = "ArtifactKeys", Action = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], Resource = [for region in sort(local.regions) : "${local.arn}:kms:${region}:${local.account}:key/*"], Condition = { StringEquals = { "kms:ViaService" = [for region in sort(local.regions) : "s3.${region}.${local.context.dns_suffix}"] } } },
      ]
    }

    services-boundary = {
      description = "Ceiling of roles that AWS services take in the regions"
      statements = [
        { Sid = "Logs", Action = ["logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:PutLogEvents"], Resource = [for name in ["${local.context.path}/*", "API-Gateway-Execution-Logs_*", "RDSOSMetrics", "RDSOSMetrics:*"] : "${local.arn}:logs:*:${local.account}:log-group:${name}"] },
        { Sid = "MonitoringGroup", Action = ["logs:CreateLogGroup", "logs:PutRetentionPolicy"], Resource = ["${local.arn}:logs:*:${local.account}:log-group:API-Gateway-Execution-Logs_*", "${local.arn}:logs:*:${local.account}:log-group:RDSOSMetrics", "${local.arn}:logs:*:${local.account}:log-group:RDSOSMetrics:*"] },
        { Sid = "Databases", Action = ["rds-db:connect"], Resource = ["${local.arn}:rds-db:*:${local.account}:dbuser:*/*"] },
        { Sid = "Files", Action = ["elasticfilesystem:Backup", "elasticfilesystem:DescribeTags"], Resource = ["${local.arn}:elasticfilesystem:*:${local.account}:file-system/*"] },
        { Sid = "Vaults", Action = ["backup:CopyFromBackupVault", "backup:CopyIntoBackupVault", "backup:DescribeBackupVault"], Resource = ["${local.arn}:backup:*:${local.account}:backup-vault:${local.prefix}-*", "${local.arn}:backup:*:${local.account}:recovery-point:*"] },
        { Sid = "Buckets", Action = ["s3:GetReplicationConfiguration", "s3:ListBucket"], Resource = ["${local.arn}:s3:::${local.prefix}-*"] },
        { Sid = "Objects", Action = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging", "s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"], Resource = ["${local.arn}:s3:::${local.prefix}-*/*"] },
        { Sid = "Keys", Action = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"], Resource = ["${local.arn}:kms:*:${local.account}:key/*"], Condition = local.tagged },
      ]
    }
  }
}

resource "aws_iam_policy" "boundary" {
  for_each = local.boundaries

  name        = "${local.prefix}-${each.key}"
  description = each.value.description
  policy      = jsonencode({ Version = "2012-10-17", Statement = [for statement in each.value.statements : merge({ Effect = "Allow" }, statement)] })

  tags = { Service = "delivery" }
}
