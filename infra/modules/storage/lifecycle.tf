# Ages. Which class an object belongs to is told by its tag `class`, which the storage service sets from the same file. When data is too old is the
# catalog's business (docs/design/storage.md): no rule here expires a tenant's current data.
locals {
  moving_classes = { for class in var.lifecycle_spec.classes : class.name => class if length(class.transitions) > 0 }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  region = each.value.region
  bucket = aws_s3_bucket.this[each.key].id

  # Moving a small object costs more than it saves; compaction leaves hardly any.
  transition_default_minimum_object_size = "all_storage_classes_128K"

  # A rule with a tag may neither abort uploads nor remove delete markers, so this is one without.
  rule {
    id     = "upkeep"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
    noncurrent_version_expiration {
      noncurrent_days = each.value.noncurrent_days
    }
    expiration {
      days                         = each.value.expire_days
      expired_object_delete_marker = each.value.expire_days == null ? true : null
    }
  }

  dynamic "rule" {
    for_each = each.value.classes ? { exports = var.lifecycle_spec.upkeep.export_days } : {}
    content {
      id     = rule.key
      status = "Enabled"
      filter {
        prefix = "_exports/"
      }
      expiration {
        days = rule.value
      }
    }
  }

  dynamic "rule" {
    for_each = each.value.classes ? local.moving_classes : {}
    content {
      id     = "class-${rule.key}"
      status = "Enabled"
      filter {
        tag {
          key   = "class"
          value = rule.key
        }
      }
      dynamic "transition" {
        for_each = rule.value.transitions
        content {
          days          = transition.value.after_days
          storage_class = transition.value.storage_class
        }
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
