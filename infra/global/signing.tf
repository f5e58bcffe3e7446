# Who signs packages. A region's code signing configuration takes signatures of its own region's profile only.
resource "aws_signer_signing_profile" "this" {
  for_each = local.codes

  region      = each.key
  name        = replace("${local.context.prefix}-${each.value}", "-", "_") # no other separator is allowed
  platform_id = "AWSLambda-SHA384-ECDSA"

  signature_validity_period {
    type  = "MONTHS"
    value = 135 # Signer's longest: an old release must stay deployable for a rollback
  }

  tags = { Service = "delivery" }
}
