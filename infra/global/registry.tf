# Repositories of the functions that are images. Replication would make a missing repository with plain settings, so each region's are made here
# with their own key and policies; replication fills them.
locals {
  repositories = { for pair in setproduct(local.regions, local.image_names) : "${pair[0]}/${pair[1]}" => { region = pair[0], function = pair[1] } }

  image_registries = { for region in local.regions : region => "${local.context.account_id}.dkr.ecr.${region}.${local.context.dns_suffix}/${local.context.prefix}" }
}

resource "aws_ecr_repository" "this" {
  for_each = local.repositories

  region               = each.value.region
  name                 = "${local.context.prefix}/${each.value.function}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.disposable

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = local.key_arns[each.value.region].artifacts
  }

  image_scanning_configuration {
    scan_on_push = true
  }

  tags = { Service = local.functions.functions[each.value.function].service }
}

# Lambda pulls for functions of this environment only. https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#gettingstarted-images-permissions
data "aws_iam_policy_document" "repository" {
  for_each = local.repositories

  statement {
    sid     = "LambdaPulls"
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.context.partition}:lambda:${each.value.region}:${local.context.account_id}:function:${local.context.prefix}-*"]
    }
  }
}

resource "aws_ecr_repository_policy" "this" {
  for_each = local.repositories

  region     = each.value.region
  repository = aws_ecr_repository.this[each.key].name
  policy     = data.aws_iam_policy_document.repository[each.key].json
}

# Releases are tagged; what lost its tag, or never had one, is a leftover of a build. A hundred releases are more than any rollback reaches back.
resource "aws_ecr_lifecycle_policy" "this" {
  for_each = local.repositories

  region     = each.value.region
  repository = aws_ecr_repository.this[each.key].name
  policy = jsonencode({ rules = [
    {
      rulePriority = 1
      description  = "untagged leftovers"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
      action       = { type = "expire" }
    },
    {
      rulePriority = 2
      description  = "the newest hundred releases stay"
      selection    = { tagStatus = "tagged", tagPatternList = ["*"], countType = "imageCountMoreThan", countNumber = 100 }
      action       = { type = "expire" }
    },
  ] })
}

# ---- once per account and region ----

resource "aws_ecr_replication_configuration" "this" {
  for_each = var.account_settings && length(local.remote_regions) > 0 ? { this = true } : {}

  replication_configuration {
    rule {
      dynamic "destination" {
        for_each = local.remote_regions

        content {
          region      = destination.key
          registry_id = local.context.account_id
        }
      }

      repository_filter {
        filter      = "${var.project}-"
        filter_type = "PREFIX_MATCH"
      }
    }
  }

  depends_on = [aws_ecr_repository.this]
}

resource "aws_ecr_registry_scanning_configuration" "this" {
  for_each = var.account_settings ? local.regions : []

  region    = each.key
  scan_type = "BASIC"

  rule {
    scan_frequency = "SCAN_ON_PUSH"

    repository_filter {
      filter      = "${var.project}-*"
      filter_type = "WILDCARD"
    }
  }
}
