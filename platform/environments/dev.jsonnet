local base = import 'lib/base.libsonnet';
local sizes = import 'lib/sizes.libsonnet';

base.environment(
  name='dev',
  domain='dev.prism.example',
  budget_usd=300,
  regions={
    'us-east-1': { cidr: '10.16.0.0/16', primary: true },
    'eu-west-1': { cidr: '10.17.0.0/16', secondary: true },
  },
  copies=false,
  region=sizes.small {
    code_signing: false,
    log_retention_days: 14,
  },
)
