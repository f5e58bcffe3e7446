# Roles of the pipeline. GitHub Actions proves who it is with a signed token (OpenID Connect); there are no stored credentials.
#   <prefix>-plan    reads configuration, never data; jobs of the planning environment
#   <prefix>-deploy  makes and changes what carries this environment's prefix or tags; jobs of GitHub environment <environment>, behind its approvals
# What they may do stands in delivery_policies.tf.
locals {
  github_host  = "token.actions.githubusercontent.com"
  delivery     = var.delivery == null ? {} : { this = var.delivery }
  github_arn   = "arn:${local.context.partition}:iam::${local.context.account_id}:oidc-provider/${local.github_host}"
  plan_context = try(coalesce(var.delivery.plan_environment, "${var.environment}-plan"), "")

  delivery_roles = var.delivery == null ? {} : {
    plan   = { environment = local.plan_context, description = "Plans: reads configuration", session_s = 3600 }
    deploy = { environment = var.environment, description = "Applies approved plans", session_s = 7200 }
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  for_each = { for key, delivery in local.delivery : key => delivery if delivery.create_provider }

  url            = "https://${local.github_host}"
  client_id_list = ["sts.amazonaws.com"] # no thumbprint: AWS checks GitHub's certificate against its own trust store

  tags = { Service = "delivery" }
}

# The subject names the repository and the GitHub environment, both literally: a branch, a fork or another environment gets nothing.
data "aws_iam_policy_document" "delivery_trust" {
  for_each = local.delivery_roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.github_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.github_host}:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.github_host}:sub"
      values   = ["repo:${var.delivery.repository}:environment:${each.value.environment}"]
    }
  }
}

resource "aws_iam_role" "delivery" {
  for_each = local.delivery_roles

  name                 = "${local.context.prefix}-${each.key}"
  description          = each.value.description
  assume_role_policy   = data.aws_iam_policy_document.delivery_trust[each.key].json
  max_session_duration = each.value.session_s
  permissions_boundary = aws_iam_policy.delivery_boundary[each.key].arn

  tags = { Service = "delivery" }

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_policy" "delivery" {
  for_each = var.delivery == null ? {} : local.delivery_policies

  name        = "${local.context.prefix}-${each.value.role}-${each.value.part}"
  description = "Part of role ${local.context.prefix}-${each.value.role}"
  policy      = each.value.json

  tags = { Service = "delivery" }

  lifecycle {
    precondition {
      # IAM counts characters without whitespace. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
      condition     = length(each.value.json) <= 6144
      error_message = "Policy ${each.key} has ${length(each.value.json)} characters, IAM takes 6144: split the part in delivery_policies.tf."
    }
  }
}

resource "aws_iam_role_policy_attachment" "delivery" {
  for_each = aws_iam_policy.delivery

  role       = aws_iam_role.delivery[local.delivery_policies[each.key].role].name
  policy_arn = each.value.arn
}

# Configuration of every service, no data: AWS's own list, kept up to date by AWS.
resource "aws_iam_role_policy_attachment" "audit" {
  for_each = { for pair in setproduct(keys(local.delivery_roles), ["SecurityAudit"]) : "${pair[0]}/${pair[1]}" => { role = pair[0], policy = pair[1] } }

  role       = aws_iam_role.delivery[each.value.role].name
  policy_arn = "arn:${local.context.partition}:iam::aws:policy/${each.value.policy}"
}

# ---- ceilings ----

data "aws_iam_policy_document" "delivery_boundary" {
  for_each = local.delivery_roles

  # A ceiling, not a grant: the role's policies name actions and resources. "*" is what leaves those as they are.
  statement {
    sid       = "Ceiling"
    actions   = ["*"]
    resources = ["*"]
  }

  statement {
    sid    = "NoIdentitiesOfPeople"
    effect = "Deny"
    actions = [
      "iam:AddUserToGroup", "iam:AttachGroupPolicy", "iam:AttachUserPolicy", "iam:CreateAccessKey", "iam:CreateGroup", "iam:CreateLoginProfile",
      "iam:CreateUser", "iam:PutGroupPolicy", "iam:PutUserPolicy", "iam:UpdateAccessKey", "iam:UpdateLoginProfile", "sts:GetFederationToken",
    ]
    resources = ["*"]
  }

  # The pipeline cannot lift itself: its own roles and ceilings change by hand only.
  statement {
    sid    = "NotItself"
    effect = "Deny"
    actions = [
      "iam:AttachRolePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:DeleteRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy",
      "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:SetDefaultPolicyVersion", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    ]
    resources = concat(
      [for role in keys(local.delivery_roles) : "arn:${local.context.partition}:iam::${local.context.account_id}:role/${local.context.prefix}-${role}"],
      [for role in keys(local.delivery_roles) : "arn:${local.context.partition}:iam::${local.context.account_id}:policy/${local.context.prefix}-${role}-*"],
    )
  }

  # What tenants sent is not the pipeline's to read.
  statement {
    sid       = "NotTheData"
    effect    = "Deny"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan", "secretsmanager:GetSecretValue"]
    resources = ["*"]
  }

  dynamic "statement" {
    for_each = each.key == "plan" ? { this = true } : {}

    content {
      sid       = "ReadsOnly"
      effect    = "Deny"
      actions   = ["iam:CreateRole", "iam:CreatePolicy", "iam:PassRole", "sts:AssumeRole", "kms:CreateGrant", "kms:ScheduleKeyDeletion", "lambda:InvokeFunction"]
      resources = ["*"]
    }
  }
}

resource "aws_iam_policy" "delivery_boundary" {
  for_each = local.delivery_roles

  name        = "${local.context.prefix}-${each.key}-boundary"
  description = "Ceiling of role ${local.context.prefix}-${each.key}"
  policy      = data.aws_iam_policy_document.delivery_boundary[each.key].json

  tags = { Service = "delivery" }
}
