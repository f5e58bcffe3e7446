environment = "dev"
region      = "eu-west-1"
cidr        = "10.17.0.0/16"
peer_cidrs  = { us-east-1 = "10.16.0.0/16" }
peer_shards = { us-east-1 = ["shard-0"] }

# Small, and asleep when nobody works: a paused cluster and a proxy exclude each other.
database = {
  capacity_min        = 0
  capacity_max        = 2
  readers_min         = 0
  readers_max         = 1
  proxy               = false
  backup_days         = 1
  deletion_protection = false
}

hot = { ingest_mib_per_s = 1, query_mib_per_s = 2 }

concurrency = {
  ingest     = { provisioned_min = 0 }
  query      = { provisioned_min = 0 }
  authorizer = { provisioned_min = 0 }
}

code_signing       = false
log_retention_days = 14
