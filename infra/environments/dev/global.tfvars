environment = "dev"
owner       = "platform"
cost_center = "platform"
domain      = "dev.prism.example"

regions = {
  us-east-1 = { primary = true }
  eu-west-1 = { secondary = true }
}

notification_emails = ["platform@prism.example"]

budgets = {
  total = { limit_usd = 300 }
}
