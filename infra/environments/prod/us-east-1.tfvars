environment    = "prod"
region         = "us-east-1"
replica_region = "eu-west-1"
cidr           = "10.48.0.0/16"
peer_cidrs     = { eu-west-1 = "10.49.0.0/16" }
peer_shards    = { eu-west-1 = ["shard-0", "shard-1"] }

shards = { "shard-0" = {}, "shard-1" = {} }

database = { capacity_min = 2, capacity_max = 64, readers_min = 2, readers_max = 8, backup_days = 35 }
hot      = { ingest_mib_per_s = 64, query_mib_per_s = 128, replicate = true }

# By day more is warm: office hours of the region's tenants, in UTC.
concurrency = {
  ingest = {
    provisioned_min = 10
    provisioned_max = 200
    reserved        = 400
    schedule = {
      day   = { cron = "0 11 ? * MON-FRI *", min = 20, max = 200 }
      night = { cron = "0 1 ? * TUE-SAT *", min = 5, max = 200 }
    }
  }
  query = {
    provisioned_min = 5
    provisioned_max = 100
    reserved        = 200
    schedule = {
      day   = { cron = "0 11 ? * MON-FRI *", min = 10, max = 100 }
      night = { cron = "0 1 ? * TUE-SAT *", min = 2, max = 100 }
    }
  }
  authorizer = { provisioned_min = 5, provisioned_max = 100, reserved = 200 }
}

log_retention_days = 365

alert_emails = { page = ["oncall@prism.example"], ticket = ["platform@prism.example"] }
