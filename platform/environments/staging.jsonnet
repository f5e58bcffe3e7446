local base = import 'lib/base.libsonnet';
local sizes = import 'lib/sizes.libsonnet';

base.environment(
  name='staging',
  domain='staging.prism.example',
  budget_usd=1500,
  regions={
    'us-east-1': { cidr: '10.32.0.0/16', primary: true },
    'eu-west-1': { cidr: '10.33.0.0/16', secondary: true },
  },
  region=sizes.medium {
    log_retention_days: 30,
    alert_emails: { page: ['oncall@prism.example'], ticket: ['platform@prism.example'] },
  },
)
