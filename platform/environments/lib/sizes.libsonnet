// How large a region is.
{
  // Asleep when nobody works: a paused cluster and a proxy exclude each other.
  small: {
    database: {
      capacity_min: 0,
      capacity_max: 2,
      readers_min: 0,
      readers_max: 1,
      proxy: false,
      backup_days: 1,
      deletion_protection: false,
    },
    hot: { ingest_mib_per_s: 1, query_mib_per_s: 2 },
    concurrency: { [name]: { provisioned_min: 0 } for name in ['ingest', 'query', 'authorizer'] },
  },

  medium: {
    database: { capacity_min: 0.5, capacity_max: 8, readers_min: 1, readers_max: 2, backup_days: 7 },
    hot: { ingest_mib_per_s: 4, query_mib_per_s: 8 },
  },

  large: {
    shards: { ['shard-%d' % i]: {} for i in std.range(0, 1) },
    database: { capacity_min: 2, capacity_max: 64, readers_min: 2, readers_max: 8, backup_days: 35 },
    hot: { ingest_mib_per_s: 64, query_mib_per_s: 128, replicate: true },
    concurrency: {
      ingest: { provisioned_min: 10, provisioned_max: 200, reserved: 400 },
      query: { provisioned_min: 5, provisioned_max: 100, reserved: 200 },
      authorizer: { provisioned_min: 5, provisioned_max: 100, reserved: 200 },
    },
  },
}
