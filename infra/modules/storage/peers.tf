# What a move reads in the region that a tenant comes from: objects that are tenants' data, and what the source wrote down about them. Names there
# are computed, so no region asks another's stack. Accounts are the same, so that the role's own policy decides: bucket and key there leave it to IAM,
# the key through S3 of its region only.
locals {
  # Shapes of keys (src/svc/storage): a segment, an analytics file, a move's manifests. Not what was set aside, exported or proven.
  read_keys = { segments = ["*/*.parquet", "_moves/*"], analytics = ["*/*.parquet"] }

  peer_buckets = { for name, f in var.platform.functions : name => [
    for pair in setproduct(sort(keys(var.peers)), sort(keys(f.stores_elsewhere))) : {
      store = pair[1]
      arn   = "arn:${var.context.partition}:s3:::${var.peers[pair[0]]}-${pair[1]}-${var.context.account_id}"
    }
  ] if f.service == "storage" && length(try(f.stores_elsewhere, {})) > 0 && length(var.peers) > 0 }

  reads_elsewhere = { for name, buckets in local.peer_buckets : name => {
    statements = concat(
      [{
        sid       = "PeerObjects"
        actions   = ["s3:GetObject"]
        resources = flatten([for bucket in buckets : [for keys in local.read_keys[bucket.store] : "${bucket.arn}/${keys}"]])
        condition = {}
      }],
      # The key's id is the other stack's; its alias is known. https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
      [for region in sort(keys(var.peers)) : {
        sid       = "PeerKey${join("", [for part in split("-", region) : title(part)])}"
        actions   = ["kms:Decrypt"]
        resources = ["arn:${var.context.partition}:kms:${region}:${var.context.account_id}:key/*"]
        condition = {
          StringEquals               = { "kms:ViaService" = ["s3.${region}.${var.context.dns_suffix}"] }
          "ForAnyValue:StringEquals" = { "kms:ResourceAliases" = ["alias/${var.peers[region]}-data"] }
        }
      }],
    )
    environment        = {}
    security_group_ids = null
  } }
}
