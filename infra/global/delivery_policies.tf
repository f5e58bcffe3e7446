# What the pipeline's roles may do, a policy per area. Actions are named one by one. Resources are named by this environment's prefix or path; where
# AWS gives a thing an id instead of a name, it must carry this environment's tags: on creation in the request, later on itself. What knows
# neither is listed in infra/wildcards.json.
locals {
  named    = "${local.account}:%s${local.prefix}-*"
  in_place = { StringEquals = { "aws:RequestedRegion" = sort(setunion(local.regions, ["us-east-1"])) } }
  tagged   = { StringEquals = { "aws:ResourceTag/Project" = var.project, "aws:ResourceTag/Environment" = var.environment } }
  tagging  = { StringEquals = { "aws:RequestTag/Project" = var.project, "aws:RequestTag/Environment" = var.environment } }

  # S3 names the bucket in what it asks of KMS.
  runs_only = { StringEquals = { "kms:EncryptionContext:aws:s3:arn" = [local.runs_arn] } }

  state_bucket = try(var.delivery.state_bucket, "")
  states       = "${local.arn}:s3:::${local.state_bucket}/${var.project}/${var.environment}"

  # Every role that the pipeline makes has a ceiling, so it cannot make one that may more than itself.
  ceiling = { ArnLike = { "iam:PermissionsBoundary" = ["${local.arn}:iam::${local.account}:policy/${local.prefix}-boundary", "${local.arn}:iam::${local.account}:policy/${local.prefix}-*-boundary"] } }

  delivery_statements = {
    # Reads that AWS's SecurityAudit leaves out and a plan needs.
    "plan/read" = [
      { Sid = "State", Action = ["s3:GetObject"], Resource = ["${local.states}/*"] },
      { Sid = "StateList", Action = ["s3:ListBucket"], Resource = ["${local.arn}:s3:::${local.state_bucket}"], Condition = { StringLike = { "s3:prefix" = ["${var.project}/${var.environment}/*"] } } },
      # Without a condition on the prefix: S3 answers 404 for what is not there only to who may list, and a request for an object has no prefix.
      { Sid = "RunsList", Action = ["s3:ListBucket"], Resource = [local.runs_arn] },
      { Sid = "Runs", Action = ["s3:GetObject"], Resource = ["${local.runs_arn}/${local.runs.prefix}/*"] },
      { Sid = "RunsKey", Action = ["kms:Decrypt"], Resource = ["${local.arn}:kms:*:${local.runs_account}:key/*"], Condition = local.runs_only },
      { Sid = "Parameters", Action = ["ssm:GetParameter", "ssm:GetParameters"], Resource = [for region in sort(local.regions) : "${local.arn}:ssm:${region}:${local.account}:parameter/${var.project}/${var.environment}/*"] },
      { Sid = "Functions", Action = ["lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConcurrency", "lambda:GetProvisionedConcurrencyConfig"], Resource = ["${local.arn}:lambda:*:${format(local.named, "function:")}"] },
      { Sid = "Api", Action = ["apigateway:GET"], Resource = ["${local.arn}:apigateway:*::/restapis*", "${local.arn}:apigateway:*::/domainnames*", "${local.arn}:apigateway:*::/usageplans*", "${local.arn}:apigateway:*::/account", "${local.arn}:apigateway:*::/tags/*"] },
      { Sid = "Artifacts", Action = ["s3:GetObject", "s3:GetObjectTagging"], Resource = [for bucket in values(local.artifact_buckets) : "${local.arn}:s3:::${bucket}/functions/*"] },
      { Sid = "Images", Action = ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"], Resource = ["${local.arn}:ecr:*:${local.account}:repository/${local.prefix}/*"] },
      { Sid = "Unnamed", Action = ["budgets:ListTagsForResource", "budgets:ViewBudget", "ecr:DescribeRegistry", "ecr:GetRegistryScanningConfiguration", "logs:DescribeDeliveries", "logs:DescribeDeliveryDestinations", "logs:DescribeDeliverySources", "logs:GetDelivery", "logs:GetDeliveryDestination", "logs:GetDeliverySource", "logs:DescribeQueryDefinitions", "secretsmanager:GetRandomPassword", "signer:GetSigningProfile", "states:ValidateStateMachineDefinition", "xray:GetGroups", "xray:GetSamplingRules"], Resource = ["*"] },
    ]

    "deploy/state" = [
      { Sid = "State", Action = ["s3:PutObject", "s3:DeleteObject"], Resource = ["${local.states}/*"] },
      { Sid = "Runs", Action = ["s3:AbortMultipartUpload", "s3:PutObject"], Resource = ["${local.runs_arn}/${local.runs.prefix}/*"] },
      { Sid = "RunsKey", Action = ["kms:GenerateDataKey"], Resource = ["${local.arn}:kms:*:${local.runs_account}:key/*"], Condition = local.runs_only },
      # ZIPs, releases and images go to the home bucket. AWS Signer reads and writes with the rights of whoever asks it, in each region; S3 answers
      # 404 for what has not come there yet only to who may list.
      { Sid = "Artifacts", Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], Resource = [for part in ["images", "releases"] : "${local.arn}:s3:::${local.artifact_buckets[var.home_region]}/${part}/*"] },
      { Sid = "Zips", Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], Resource = [for bucket in values(local.artifact_buckets) : "${local.arn}:s3:::${bucket}/functions/*"] },
      { Sid = "SignedCopies", Action = ["s3:GetObject", "s3:PutObject"], Resource = [for bucket in values(local.artifact_buckets) : "${local.arn}:s3:::${bucket}/signed/*"] },
      { Sid = "ArtifactList", Action = ["s3:ListBucket"], Resource = [for bucket in values(local.artifact_buckets) : "${local.arn}:s3:::${bucket}"] },
      { Sid = "ImageLogin", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] },
      { Sid = "Images", Action = ["ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"], Resource = ["${local.arn}:ecr:${var.home_region}:${local.account}:repository/${local.prefix}/*"] },
      { Sid = "Repositories", Action = ["ecr:CreateRepository", "ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:DeleteRepositoryPolicy", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy", "ecr:TagResource", "ecr:UntagResource"], Resource = ["${local.arn}:ecr:*:${local.account}:repository/${local.prefix}/*"] },
      { Sid = "Registry", Action = ["ecr:PutRegistryScanningConfiguration", "ecr:PutReplicationConfiguration"], Resource = ["*"], Condition = local.in_place },
      { Sid = "Signing", Action = ["signer:CancelSigningProfile", "signer:PutSigningProfile", "signer:StartSigningJob", "signer:TagResource", "signer:UntagResource", "signer:DescribeSigningJob"], Resource = ["${local.arn}:signer:*:${local.account}:/signing-profiles/${replace(local.prefix, "-", "_")}_*", "${local.arn}:signer:*:${local.account}:/signing-jobs/*"] },
    ]

    "deploy/identity" = [
      { Sid = "RolesUnderCeiling", Action = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:AttachRolePolicy"], Resource = ["${local.arn}:iam::${local.account}:role/${local.prefix}-*"], Condition = local.ceiling },
      { Sid = "Roles", Action = ["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"], Resource = ["${local.arn}:iam::${local.account}:role/${local.prefix}-*"] },
      { Sid = "Policies", Action = ["iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:TagPolicy", "iam:UntagPolicy"], Resource = ["${local.arn}:iam::${local.account}:policy/${local.prefix}-*"] },
      { Sid = "HandRolesOn", Action = ["iam:PassRole"], Resource = ["${local.arn}:iam::${local.account}:role/${local.prefix}-*"], Condition = { StringEquals = { "iam:PassedToService" = ["apigateway.amazonaws.com", "backup.amazonaws.com", "edgelambda.amazonaws.com", "lambda.amazonaws.com", "rds.amazonaws.com", "s3.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com", "vpc-flow-logs.amazonaws.com", "events.amazonaws.com", "monitoring.rds.amazonaws.com"] } } },
      { Sid = "ServiceRoles", Action = ["iam:CreateServiceLinkedRole"], Resource = ["${local.arn}:iam::${local.account}:role/aws-service-role/*"], Condition = { StringEquals = { "iam:AWSServiceName" = ["dynamodb.application-autoscaling.amazonaws.com", "elasticfilesystem.amazonaws.com", "lambda.application-autoscaling.amazonaws.com", "logger.cloudfront.amazonaws.com", "ops.apigateway.amazonaws.com", "rds.amazonaws.com", "rds.application-autoscaling.amazonaws.com", "replication.dynamodb.amazonaws.com", "replicator.lambda.amazonaws.com", "replication.ecr.amazonaws.com", "wafv2.amazonaws.com"] } } },
      { Sid = "KeysNew", Action = ["kms:CreateKey", "kms:ReplicateKey"], Resource = ["*"], Condition = local.tagging },
      { Sid = "Keys", Action = ["kms:CancelKeyDeletion", "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:EnableKey", "kms:DisableKey", "kms:EnableKeyRotation", "kms:Encrypt", "kms:GenerateDataKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ReplicateKey", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription", "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"], Resource = ["${local.arn}:kms:*:${local.account}:key/*"], Condition = local.tagged },
      { Sid = "Aliases", Action = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"], Resource = ["${local.arn}:kms:*:${format(local.named, "alias/")}"] },
      { Sid = "Secrets", Action = ["secretsmanager:CancelRotateSecret", "secretsmanager:CreateSecret", "secretsmanager:DeleteResourcePolicy", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecretVersionIds", "secretsmanager:PutResourcePolicy", "secretsmanager:PutSecretValue", "secretsmanager:RemoveRegionsFromReplication", "secretsmanager:ReplicateSecretToRegions", "secretsmanager:RotateSecret", "secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:UpdateSecret"], Resource = ["${local.arn}:secretsmanager:*:${local.account}:secret:${var.project}/${var.environment}/*"] },
      { Sid = "Parameters", Action = ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter", "ssm:RemoveTagsFromResource"], Resource = ["${local.arn}:ssm:*:${local.account}:parameter/${var.project}/${var.environment}/*"] },
    ]

    "deploy/network" = [
      { Sid = "New", Action = ["ec2:AllocateAddress", "ec2:CreateFlowLogs", "ec2:CreateNetworkAcl", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint"], Resource = [for kind in ["network-acl", "route-table", "security-group", "subnet", "vpc", "vpc-endpoint", "vpc-flow-log", "security-group-rule"] : "${local.arn}:ec2:*:${local.account}:${kind}/*"], Condition = local.tagging },
      # Of a service of another region: https://docs.aws.amazon.com/service-authorization/latest/reference/list_vpce.html
      { Sid = "ToPeers", Action = ["vpce:AllowMultiRegion"], Resource = ["${local.arn}:ec2:*:${local.account}:vpc-endpoint/*"] },
      { Sid = "InsideOwn", Action = ["ec2:CreateFlowLogs", "ec2:CreateNetworkAcl", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpcEndpoint"], Resource = [for kind in ["route-table", "security-group", "subnet", "vpc"] : "${local.arn}:ec2:*:${local.account}:${kind}/*"], Condition = local.tagged },
      { Sid = "TagsAtBirth", Action = ["ec2:CreateTags"], Resource = [for kind in ["network-acl", "route-table", "security-group", "security-group-rule", "subnet", "vpc", "vpc-endpoint", "vpc-flow-log"] : "${local.arn}:ec2:*:${local.account}:${kind}/*"], Condition = local.tagging },
      { Sid = "Own", Action = [
        "ec2:AssociateRouteTable", "ec2:AssociateVpcCidrBlock", "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateNetworkAclEntry", "ec2:CreateRoute", "ec2:DeleteFlowLogs",
        "ec2:DeleteNetworkAcl", "ec2:DeleteNetworkAclEntry", "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints",
        "ec2:DisassociateRouteTable", "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReplaceNetworkAclAssociation", "ec2:ReplaceNetworkAclEntry",
        "ec2:ReplaceRoute", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress", "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
      ], Resource = [for kind in ["network-acl", "route-table", "security-group", "security-group-rule", "subnet", "vpc", "vpc-endpoint", "vpc-flow-log"] : "${local.arn}:ec2:*:${local.account}:${kind}/*"], Condition = local.tagged },
      { Sid = "ZonesNew", Action = ["route53:CreateHostedZone", "route53:CreateHealthCheck"], Resource = ["*"] },
      { Sid = "Zones", Action = ["route53:AssociateVPCWithHostedZone", "route53:ChangeResourceRecordSets", "route53:ChangeTagsForResource", "route53:CreateQueryLoggingConfig", "route53:DeleteHostedZone", "route53:DeleteQueryLoggingConfig", "route53:DisassociateVPCFromHostedZone", "route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:UpdateHostedZoneComment", "route53:CreateKeySigningKey", "route53:DeleteKeySigningKey", "route53:ActivateKeySigningKey", "route53:DeactivateKeySigningKey", "route53:EnableHostedZoneDNSSEC", "route53:DisableHostedZoneDNSSEC"], Resource = ["${local.arn}:route53:::hostedzone/*"], Condition = { "ForAllValues:StringLike" = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = [var.domain, "*.${var.domain}", "*.${var.project}.internal"] } } },
      { Sid = "HealthChecks", Action = ["route53:ChangeTagsForResource", "route53:DeleteHealthCheck", "route53:UpdateHealthCheck"], Resource = ["${local.arn}:route53:::healthcheck/*"] },
      { Sid = "Changes", Action = ["route53:GetChange"], Resource = ["${local.arn}:route53:::change/*"] },
    ]

    "deploy/data" = [
      # No replicas: DynamoDB asks of whoever adds one the right to read and write the items, and the pipeline has none. README.md, A region more.
      { Sid = "Tables", Action = ["dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable", "dynamodb:UpdateTableReplicaAutoScaling", "dynamodb:UpdateTimeToLive"], Resource = ["${local.arn}:dynamodb:*:${format(local.named, "table/")}"] },
      { Sid = "Scaling", Action = ["application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeleteScheduledAction", "application-autoscaling:DeregisterScalableTarget", "application-autoscaling:PutScalingPolicy", "application-autoscaling:PutScheduledAction", "application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource", "application-autoscaling:UntagResource"], Resource = ["${local.arn}:application-autoscaling:*:${local.account}:scalable-target/*"] },
      { Sid = "Buckets", Action = [
        "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutAnalyticsConfiguration", "s3:PutBucketAcl", "s3:PutBucketLogging", "s3:PutBucketNotification", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutIntelligentTieringConfiguration", "s3:PutInventoryConfiguration", "s3:PutLifecycleConfiguration", "s3:PutMetricsConfiguration", "s3:PutReplicationConfiguration",
      ], Resource = ["${local.arn}:s3:::${local.prefix}-*"] },
      { Sid = "FilesNew", Action = ["elasticfilesystem:CreateAccessPoint", "elasticfilesystem:CreateFileSystem", "elasticfilesystem:TagResource"], Resource = ["${local.arn}:elasticfilesystem:*:${local.account}:file-system/*", "${local.arn}:elasticfilesystem:*:${local.account}:access-point/*"], Condition = local.tagging },
      { Sid = "Files", Action = ["elasticfilesystem:CreateMountTarget", "elasticfilesystem:DeleteAccessPoint", "elasticfilesystem:DeleteFileSystem", "elasticfilesystem:DeleteFileSystemPolicy", "elasticfilesystem:DeleteMountTarget", "elasticfilesystem:ModifyMountTargetSecurityGroups", "elasticfilesystem:PutBackupPolicy", "elasticfilesystem:PutFileSystemPolicy", "elasticfilesystem:PutLifecycleConfiguration", "elasticfilesystem:UntagResource", "elasticfilesystem:UpdateFileSystem", "elasticfilesystem:UpdateFileSystemProtection"], Resource = ["${local.arn}:elasticfilesystem:*:${local.account}:file-system/*", "${local.arn}:elasticfilesystem:*:${local.account}:access-point/*"], Condition = local.tagged },
      { Sid = "Databases", Action = ["rds:AddRoleToDBCluster", "rds:AddTagsToResource", "rds:CreateDBCluster", "rds:CreateDBClusterParameterGroup", "rds:CreateDBInstance", "rds:CreateDBParameterGroup", "rds:CreateDBSubnetGroup", "rds:DeleteDBCluster", "rds:DeleteDBClusterParameterGroup", "rds:DeleteDBInstance", "rds:DeleteDBParameterGroup", "rds:DeleteDBSubnetGroup", "rds:ModifyDBCluster", "rds:ModifyDBClusterParameterGroup", "rds:ModifyDBInstance", "rds:ModifyDBParameterGroup", "rds:ModifyDBSubnetGroup", "rds:RemoveTagsFromResource", "rds:CreateDBClusterSnapshot"],
      Resource = [for kind in ["cluster", "db", "cluster-pg", "pg", "subgrp", "cluster-snapshot"] : "${local.arn}:rds:*:${format(local.named, "${kind}:")}"] },
      { Sid = "Proxies", Action = ["rds:AddTagsToResource", "rds:CreateDBProxy", "rds:CreateDBProxyEndpoint", "rds:DeleteDBProxy", "rds:DeleteDBProxyEndpoint", "rds:DeregisterDBProxyTargets", "rds:ModifyDBProxy", "rds:ModifyDBProxyEndpoint", "rds:ModifyDBProxyTargetGroup", "rds:RegisterDBProxyTargets", "rds:RemoveTagsFromResource"], Resource = ["${local.arn}:rds:*:${local.account}:db-proxy:*", "${local.arn}:rds:*:${local.account}:db-proxy-endpoint:*", "${local.arn}:rds:*:${local.account}:target-group:*", "${local.arn}:rds:*:${format(local.named, "cluster:")}"] },
    ]

    "deploy/backup" = [
      { Sid = "Vaults", Action = ["backup:CreateBackupVault", "backup:DeleteBackupVault", "backup:PutBackupVaultAccessPolicy", "backup:PutBackupVaultLockConfiguration", "backup:TagResource", "backup:UntagResource"], Resource = ["${local.arn}:backup:*:${format(local.named, "backup-vault:")}"] },
      { Sid = "VaultStorage", Action = ["backup-storage:MountCapsule"], Resource = ["*"], Condition = local.in_place },
      { Sid = "PlansNew", Action = ["backup:CreateBackupPlan", "backup:TagResource"], Resource = ["${local.arn}:backup:*:${local.account}:backup-plan:*"], Condition = local.tagging },
      { Sid = "Plans", Action = ["backup:CreateBackupSelection", "backup:DeleteBackupPlan", "backup:DeleteBackupSelection", "backup:UpdateBackupPlan", "backup:UntagResource"], Resource = ["${local.arn}:backup:*:${local.account}:backup-plan:*"], Condition = local.tagged },
      { Sid = "Lake", Action = ["athena:CreateWorkGroup", "athena:DeleteWorkGroup", "athena:TagResource", "athena:UntagResource", "athena:UpdateWorkGroup"], Resource = ["${local.arn}:athena:*:${format(local.named, "workgroup/")}"] },
      { Sid = "LakeTables", Action = ["glue:CreateDatabase", "glue:CreateTable", "glue:DeleteDatabase", "glue:DeleteTable", "glue:GetDatabase", "glue:GetTable", "glue:TagResource", "glue:UntagResource", "glue:UpdateDatabase", "glue:UpdateTable"], Resource = ["${local.arn}:glue:*:${local.account}:catalog", "${local.arn}:glue:*:${local.account}:database/${replace(local.prefix, "-", "_")}_*", "${local.arn}:glue:*:${local.account}:table/${replace(local.prefix, "-", "_")}_*/*"] },
      { Sid = "Budgets", Action = ["budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"], Resource = ["${local.arn}:budgets::${format(local.named, "budget/")}"] },
      { Sid = "Groups", Action = ["resource-groups:CreateGroup", "resource-groups:DeleteGroup", "resource-groups:GetGroup", "resource-groups:GetGroupConfiguration", "resource-groups:GetGroupQuery", "resource-groups:GetTags", "resource-groups:Tag", "resource-groups:Untag", "resource-groups:UpdateGroup", "resource-groups:UpdateGroupQuery"], Resource = ["${local.arn}:resource-groups:*:${local.account}:group/${local.prefix}*"] },
    ]

    "deploy/compute" = [
      { Sid = "Functions", Action = [
        "lambda:AddPermission", "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction", "lambda:DeleteFunctionCodeSigningConfig", "lambda:DeleteFunctionConcurrency", "lambda:DeleteFunctionEventInvokeConfig",
        "lambda:DeleteProvisionedConcurrencyConfig", "lambda:EnableReplication", "lambda:PublishVersion", "lambda:PutFunctionCodeSigningConfig", "lambda:PutFunctionConcurrency", "lambda:PutFunctionEventInvokeConfig", "lambda:PutProvisionedConcurrencyConfig",
        "lambda:RemovePermission", "lambda:TagResource", "lambda:UntagResource", "lambda:UpdateAlias", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:UpdateFunctionEventInvokeConfig",
      ], Resource = ["${local.arn}:lambda:*:${format(local.named, "function:")}"] },
      { Sid = "CodeSigning", Action = ["lambda:CreateCodeSigningConfig", "lambda:DeleteCodeSigningConfig", "lambda:TagResource", "lambda:UpdateCodeSigningConfig"], Resource = ["${local.arn}:lambda:*:${local.account}:code-signing-config:*"] },
      { Sid = "EventSources", Action = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"], Resource = ["*"], Condition = { ArnLike = { "lambda:FunctionArn" = "${local.arn}:lambda:*:${format(local.named, "function:")}" } } },
      { Sid = "Machines", Action = ["states:CreateStateMachine", "states:CreateStateMachineAlias", "states:DeleteStateMachine", "states:DeleteStateMachineAlias", "states:DeleteStateMachineVersion", "states:PublishStateMachineVersion", "states:TagResource", "states:UntagResource", "states:UpdateStateMachine", "states:UpdateStateMachineAlias"], Resource = ["${local.arn}:states:*:${format(local.named, "stateMachine:")}"] },
      { Sid = "Schedules", Action = ["scheduler:CreateSchedule", "scheduler:CreateScheduleGroup", "scheduler:DeleteSchedule", "scheduler:DeleteScheduleGroup", "scheduler:GetSchedule", "scheduler:TagResource", "scheduler:UntagResource", "scheduler:UpdateSchedule"], Resource = ["${local.arn}:scheduler:*:${local.account}:schedule/${local.prefix}-*/*", "${local.arn}:scheduler:*:${format(local.named, "schedule-group/")}"] },
      { Sid = "Rules", Action = ["events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource"], Resource = ["${local.arn}:events:*:${format(local.named, "rule/")}"] },
      { Sid = "ApisNew", Action = ["apigateway:POST", "apigateway:PUT"], Resource = ["${local.arn}:apigateway:*::/restapis", "${local.arn}:apigateway:*::/domainnames", "${local.arn}:apigateway:*::/usageplans", "${local.arn}:apigateway:*::/tags/*"], Condition = local.tagging },
      { Sid = "Apis", Action = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:UpdateRestApiPolicy", "apigateway:SetWebACL"], Resource = ["${local.arn}:apigateway:*::/restapis/*", "${local.arn}:apigateway:*::/domainnames/*", "${local.arn}:apigateway:*::/usageplans/*"], Condition = local.tagged },
      { Sid = "ApiLogs", Action = ["apigateway:PATCH"], Resource = ["${local.arn}:apigateway:*::/account"] },
    ]

    "deploy/watch" = [
      { Sid = "Logs", Action = ["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteDataProtectionPolicy", "logs:DeleteLogGroup", "logs:DeleteMetricFilter", "logs:DeleteRetentionPolicy", "logs:DeleteSubscriptionFilter", "logs:ListTagsForResource", "logs:PutDataProtectionPolicy", "logs:PutMetricFilter", "logs:PutRetentionPolicy", "logs:PutSubscriptionFilter", "logs:TagResource", "logs:UntagResource"],
      Resource = [for name in ["/aws/lambda/${local.prefix}-*", "/aws/lambda/us-east-1.${local.prefix}-*", "/aws/route53/${var.domain}", "/aws/rds/cluster/${local.prefix}-*", "/aws/vendedlogs/*${local.prefix}-*", "/${var.project}/${var.environment}/*", "aws-waf-logs-${local.prefix}-*"] : "${local.arn}:logs:*:${local.account}:log-group:${name}"] },
      { Sid = "LogAccount", Action = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DeleteQueryDefinition", "logs:DeleteResourcePolicy", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutQueryDefinition", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"], Resource = ["*"], Condition = local.in_place },
      { Sid = "EdgeLogs", Action = ["cloudfront:AllowVendedLogDeliveryForResource", "logs:CreateDelivery", "logs:DeleteDelivery", "logs:DeleteDeliveryDestination", "logs:DeleteDeliverySource", "logs:PutDeliveryDestination", "logs:PutDeliverySource", "logs:TagResource"], Resource = ["${local.arn}:logs:us-east-1:${format(local.named, "delivery-source:")}", "${local.arn}:logs:us-east-1:${format(local.named, "delivery-destination:")}", "${local.arn}:logs:us-east-1:${local.account}:delivery:*", "${local.arn}:cloudfront::${local.account}:distribution/*"] },
      { Sid = "Alarms", Action = ["cloudwatch:DeleteAlarms", "cloudwatch:PutCompositeAlarm", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"], Resource = ["${local.arn}:cloudwatch:*:${format(local.named, "alarm:")}"] },
      { Sid = "Figures", Action = ["cloudwatch:GetMetricData"], Resource = ["*"] },
      { Sid = "Dashboards", Action = ["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"], Resource = ["${local.arn}:cloudwatch::${format(local.named, "dashboard/")}"] },
      { Sid = "Topics", Action = ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:SetSubscriptionAttributes", "sns:TagResource", "sns:Unsubscribe", "sns:UntagResource"], Resource = ["${local.arn}:sns:*:${format(local.named, "")}"] },
      { Sid = "Queues", Action = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"], Resource = ["${local.arn}:sqs:*:${format(local.named, "")}"] },
      { Sid = "Traces", Action = ["xray:CreateGroup", "xray:CreateSamplingRule", "xray:DeleteGroup", "xray:DeleteSamplingRule", "xray:TagResource", "xray:UntagResource", "xray:UpdateGroup", "xray:UpdateSamplingRule"], Resource = ["${local.arn}:xray:*:${format(local.named, "group/")}/*", "${local.arn}:xray:*:${format(local.named, "sampling-rule/")}"] },
      { Sid = "TraceKey", Action = ["xray:PutEncryptionConfig"], Resource = ["*"], Condition = local.in_place },
    ]

    "deploy/edge" = [
      { Sid = "DistributionsNew", Action = ["cloudfront:CreateDistribution", "cloudfront:CreateDistributionWithTags", "cloudfront:TagResource"], Resource = ["${local.arn}:cloudfront::${local.account}:distribution/*"], Condition = local.tagging },
      { Sid = "Distributions", Action = ["cloudfront:DeleteDistribution", "cloudfront:TagResource", "cloudfront:UntagResource", "cloudfront:UpdateDistribution"], Resource = ["${local.arn}:cloudfront::${local.account}:distribution/*"], Condition = local.tagged },
      { Sid = "Policies", Action = ["cloudfront:CreateCachePolicy", "cloudfront:CreateOriginRequestPolicy", "cloudfront:CreateResponseHeadersPolicy", "cloudfront:DeleteCachePolicy", "cloudfront:DeleteOriginRequestPolicy", "cloudfront:DeleteResponseHeadersPolicy", "cloudfront:UpdateCachePolicy", "cloudfront:UpdateOriginRequestPolicy", "cloudfront:UpdateResponseHeadersPolicy"], Resource = [for kind in ["cache-policy", "origin-request-policy", "response-headers-policy"] : "${local.arn}:cloudfront::${local.account}:${kind}/*"] },
      { Sid = "CertificatesNew", Action = ["acm:RequestCertificate", "acm:AddTagsToCertificate"], Resource = ["*"], Condition = local.tagging },
      { Sid = "Certificates", Action = ["acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate", "acm:UpdateCertificateOptions"], Resource = ["${local.arn}:acm:*:${local.account}:certificate/*"], Condition = local.tagged },
      { Sid = "Firewalls", Action = ["wafv2:CreateWebACL", "wafv2:DeleteLoggingConfiguration", "wafv2:DeleteWebACL", "wafv2:PutLoggingConfiguration", "wafv2:TagResource", "wafv2:UntagResource", "wafv2:UpdateWebACL"], Resource = ["${local.arn}:wafv2:*:${local.account}:*/webacl/${local.prefix}-*/*", "${local.arn}:wafv2:*:${local.account}:*/managedruleset/*/*"] },
      { Sid = "FirewallsOfApis", Action = ["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"], Resource = ["${local.arn}:wafv2:*:${local.account}:regional/webacl/${local.prefix}-*/*", "${local.arn}:apigateway:*::/restapis/*/stages/*"] },
    ]
  }

  # The deploying role plans as well.
  delivery_policies = merge(
    { for key, statements in local.delivery_statements : replace(key, "/", "-") => {
      role = split("/", key)[0]
      part = split("/", key)[1]
      json = jsonencode({ Version = "2012-10-17", Statement = [for statement in statements : merge({ Effect = "Allow" }, statement)] })
    } },
    { deploy-read = {
      role = "deploy"
      part = "read"
      json = jsonencode({ Version = "2012-10-17", Statement = [for statement in local.delivery_statements["plan/read"] : merge({ Effect = "Allow" }, statement)] })
    } },
  )
}
