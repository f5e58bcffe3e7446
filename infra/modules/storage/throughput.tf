# How much throughput the hot file system is given.
#
# Every accepted frame is written once (docs/design/hot.md: one write, one sync) and read once when it is sealed; queries read it besides. EFS meters
# reads at a third of writes, so "x MiB/s provisioned" is x MiB/s of writes or 3x of reads:
# https://docs.aws.amazon.com/efs/latest/ug/performance.html#throughput-modes
# At most 70 % of it is planned for: names, listings and syncs are metered as well (4 KiB each), and a peak is an average of shorter peaks. The alarm
# on use stands above that (platform/alarms.json).
#
#   provisioned = (write + read / 3) / 0.7, up to the next whole MiB/s
#
# More than 3,414 MiB/s EFS does not provision (CloudFormation schema of AWS::EFS::FileSystem).
locals {
  throughput_use_max        = 0.7
  throughput_read_discount  = 3
  throughput_mib_per_s_min  = 1
  throughput_mib_per_s_max  = 3414
  hot_write_mib_per_s       = var.hot.ingest_mib_per_s
  hot_read_mib_per_s        = var.hot.ingest_mib_per_s + var.hot.query_mib_per_s
  hot_metered_mib_per_s     = local.hot_write_mib_per_s + local.hot_read_mib_per_s / local.throughput_read_discount
  hot_needed_mib_per_s      = ceil(local.hot_metered_mib_per_s / local.throughput_use_max)
  hot_provisioned_mib_per_s = max(local.throughput_mib_per_s_min, local.hot_needed_mib_per_s)
}
