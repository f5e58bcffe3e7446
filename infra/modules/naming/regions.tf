# Every region that Prism may run in, by partition, with the code that stands for it in names. A code is never changed and never given to
# another region: it is part of the names of buckets and tables that hold data.
# Regions: botocore's endpoints.json of 2026-11, partitions aws, aws-us-gov and aws-cn. The isolated partitions and the European sovereign one
# lack services that Prism needs.
locals {
  regions = {
    aws = {
      af-south-1     = "afs1"  # Cape Town
      ap-east-1      = "ape1"  # Hong Kong
      ap-east-2      = "ape2"  # Taipei
      ap-northeast-1 = "apne1" # Tokyo
      ap-northeast-2 = "apne2" # Seoul
      ap-northeast-3 = "apne3" # Osaka
      ap-south-1     = "aps1"  # Mumbai
      ap-south-2     = "aps2"  # Hyderabad
      ap-southeast-1 = "apse1" # Singapore
      ap-southeast-2 = "apse2" # Sydney
      ap-southeast-3 = "apse3" # Jakarta
      ap-southeast-4 = "apse4" # Melbourne
      ap-southeast-5 = "apse5" # Malaysia
      ap-southeast-6 = "apse6" # New Zealand
      ap-southeast-7 = "apse7" # Thailand
      ca-central-1   = "cac1"  # Montreal
      ca-west-1      = "caw1"  # Calgary
      eu-central-1   = "euc1"  # Frankfurt
      eu-central-2   = "euc2"  # Zurich
      eu-north-1     = "eun1"  # Stockholm
      eu-south-1     = "eus1"  # Milan
      eu-south-2     = "eus2"  # Spain
      eu-west-1      = "euw1"  # Ireland
      eu-west-2      = "euw2"  # London
      eu-west-3      = "euw3"  # Paris
      il-central-1   = "ilc1"  # Tel Aviv
      me-central-1   = "mec1"  # UAE
      me-south-1     = "mes1"  # Bahrain
      mx-central-1   = "mxc1"  # Mexico
      sa-east-1      = "sae1"  # São Paulo
      us-east-1      = "use1"  # Virginia
      us-east-2      = "use2"  # Ohio
      us-west-1      = "usw1"  # California
      us-west-2      = "usw2"  # Oregon
    }
    aws-us-gov = {
      us-gov-east-1 = "usge1" # Ohio
      us-gov-west-1 = "usgw1" # Oregon
    }
    aws-cn = {
      cn-north-1     = "cnn1"  # Beijing
      cn-northwest-1 = "cnnw1" # Ningxia
    }
  }
  codes      = merge(values(local.regions)...)
  partitions = merge([for partition, regions in local.regions : { for region in keys(regions) : region => partition }]...)
}
