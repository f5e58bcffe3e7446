environment    = "staging"
region         = "eu-west-1"
replica_region = "us-east-1"
cidr           = "10.33.0.0/16"
peer_cidrs     = { us-east-1 = "10.32.0.0/16" }
peer_shards    = { us-east-1 = ["shard-0"] }

database = { capacity_min = 0.5, capacity_max = 8, readers_min = 1, readers_max = 2, backup_days = 7 }
hot      = { ingest_mib_per_s = 4, query_mib_per_s = 8 }

log_retention_days = 30

alert_emails = { page = ["oncall@prism.example"], ticket = ["platform@prism.example"] }
