local base = import 'lib/base.libsonnet';
local hours = import 'lib/hours.libsonnet';
local sizes = import 'lib/sizes.libsonnet';

// How many instances are warm.
local warm = {
  ingest: { day: 20, night: 5 },
  query: { day: 10, night: 2 },
};

base.environment(
  name='prod',
  domain='prod.prism.example',
  budget_usd=20000,
  regions={
    'us-east-1': { cidr: '10.48.0.0/16', primary: true },
    'eu-west-1': { cidr: '10.49.0.0/16', secondary: true },
  },
  region=sizes.large {
    log_retention_days: 365,
    alert_emails: { page: ['oncall@prism.example'], ticket: ['platform@prism.example'] },
  },
) + {
  regions+: {
    'us-east-1'+: hours.office(11, 1, warm),
    'eu-west-1'+: hours.office(6, 20, warm),
  },
}
