# What the environment may cost, and everything that is part of it in one list.
resource "aws_budgets_budget" "this" {
  for_each = var.budgets

  name         = "${local.context.prefix}-${each.key}"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(each.value.limit_usd)
  limit_unit   = "USD"

  # Both tags at once; a list of two tag values would mean either.
  filter_expression {
    and {
      tags {
        key    = "Project"
        values = [var.project]
      }
    }
    and {
      tags {
        key    = "Environment"
        values = [var.environment]
      }
    }

    dynamic "and" {
      for_each = length(each.value.services) > 0 ? { this = sort(each.value.services) } : {}

      content {
        dimensions {
          key    = "SERVICE"
          values = and.value
        }
      }
    }
  }

  dynamic "notification" {
    for_each = each.value.notices

    content {
      comparison_operator        = "GREATER_THAN"
      notification_type          = "ACTUAL"
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = sort(var.notification_emails)
    }
  }

  notification {
    comparison_operator        = "GREATER_THAN"
    notification_type          = "FORECASTED"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = sort(var.notification_emails)
  }

  tags = { Service = "delivery" }
}

resource "aws_resourcegroups_group" "this" {
  for_each = local.regions

  region      = each.key
  name        = local.context.prefix
  description = "Everything of ${local.context.prefix} in ${each.key}"

  resource_query {
    query = jsonencode({
      ResourceTypeFilters = ["AWS::AllSupported"]
      TagFilters = [
        { Key = "Project", Values = [var.project] },
        { Key = "Environment", Values = [var.environment] },
      ]
    })
  }

  tags = { Service = "delivery" }
}
