# The hot store: one file system, entered through access points only.
#
# A shard's functions mount /shards/<shard>. A tenant's own access point, root /shards/<shard>/tenants/<tenant>, is made by the onboarding
# workflow: tenants are data, and a plan is as long with ten of them as with a million.
locals {
  tags = { Service = "storage" }

  # Access points cannot be changed, so ids must not depend on which other shards there are: they come from the number in the shard's name.
  # 10000 to 10999 are the shards'; tenants' ids begin above.
  shard_posix_id = { for shard in keys(var.shards) : shard => 10000 + tonumber(regex("[0-9]+$", shard)) }
}

resource "aws_efs_file_system" "hot" {
  creation_token                  = "${var.context.prefix}-hot"
  encrypted                       = true
  kms_key_id                      = var.keys.data
  performance_mode                = "generalPurpose"
  throughput_mode                 = "provisioned"
  provisioned_throughput_in_mibps = local.hot_provisioned_mib_per_s

  # Frames live for minutes. What is still here after a month is left over: cheap, and back at the first touch.
  lifecycle_policy {
    transition_to_ia = "AFTER_30_DAYS"
  }
  lifecycle_policy {
    transition_to_primary_storage_class = "AFTER_1_ACCESS"
  }

  tags = merge(local.tags, { Name = "${var.context.prefix}-hot" })

  lifecycle {
    precondition {
      condition     = local.hot_needed_mib_per_s <= local.throughput_mib_per_s_max
      error_message = "hot needs ${local.hot_needed_mib_per_s} MiB/s, and EFS provisions at most ${local.throughput_mib_per_s_max} for a file system: lower hot.ingest_mib_per_s (${var.hot.ingest_mib_per_s}) or hot.query_mib_per_s (${var.hot.query_mib_per_s}) by placing tenants in another region."
    }
  }
}

# One in each zone: a function uses its own zone's, and another zone's when that one is gone.
resource "aws_efs_mount_target" "hot" {
  for_each = { for place, subnet_id in var.network.subnet_ids.data : tostring(place) => subnet_id }

  file_system_id  = aws_efs_file_system.hot.id
  subnet_id       = each.value
  security_groups = [var.network.security_group_ids.efs]
}

locals {
  nfs_actions = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientRootAccess", "elasticfilesystem:ClientWrite"]

  # No Allow: what may be done is in the roles. As soon as a file system has a policy, a client without an identity gets nothing; the last
  # statement says so for good.
  # https://docs.aws.amazon.com/efs/latest/ug/access-control-overview.html
  hot_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = local.nfs_actions
        Resource  = aws_efs_file_system.hot.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "AccessPointsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = local.nfs_actions
        Resource  = aws_efs_file_system.hot.arn
        Condition = { Null = { "elasticfilesystem:AccessPointArn" = "true" } }
      },
      {
        Sid       = "NobodyIsRoot"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["elasticfilesystem:ClientRootAccess"]
        Resource  = aws_efs_file_system.hot.arn
      },
      {
        Sid       = "RolesOfThisAccountOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = local.nfs_actions
        Resource  = aws_efs_file_system.hot.arn
        Condition = { StringNotEquals = { "aws:PrincipalAccount" = var.context.account_id } }
      },
    ]
  }
}

resource "aws_efs_file_system_policy" "hot" {
  file_system_id = aws_efs_file_system.hot.id
  policy         = jsonencode(local.hot_policy)
}

resource "aws_efs_access_point" "shard" {
  for_each = var.shards

  file_system_id = aws_efs_file_system.hot.id

  posix_user {
    uid = local.shard_posix_id[each.key]
    gid = local.shard_posix_id[each.key]
  }

  # The set-group-id bit hands the shard's group down to the tenants' folders.
  root_directory {
    path = "/shards/${each.key}"
    creation_info {
      owner_uid   = local.shard_posix_id[each.key]
      owner_gid   = local.shard_posix_id[each.key]
      permissions = "2770"
    }
  }

  tags = merge(local.tags, { Name = "${var.context.prefix}-${each.key}", Shard = each.key })
}

resource "aws_route53_record" "files" {
  zone_id = var.network.private_zone_id
  name    = "files.${var.network.private_zone_name}"
  type    = "CNAME"
  ttl     = 60
  records = [aws_efs_file_system.hot.dns_name]
}
