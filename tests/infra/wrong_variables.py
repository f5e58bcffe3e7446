"""Variables that are refused: by Terraform while planning (test_variables.py), by `prism config check` before it (tests/sys/test_config.py)."""

REGION = "us-east-1"

# name, stack, what is changed, what the message must say
CASES = [
    ("unknown region", "region", {"region": "mars-east-1"}, ["Unknown region", "Use one of"]),
    ("a range that overlaps another region's", "region", {"cidr": "10.49.0.0/17"}, ["overlap"]),
    ("a range too small", "region", {"cidr": "10.48.0.0/24"}, ["/16 to /20"]),
    ("a public range", "region", {"cidr": "8.8.0.0/16"}, ["RFC 1918"]),
    ("two zones", "region", {"availability_zones": ["us-east-1a", "us-east-1b"]}, ["exactly three"]),
    ("the same zone twice", "region", {"availability_zones": ["us-east-1a", "us-east-1a", "us-east-1b"]}, ["exactly three"]),
    ("zero throughput", "region", {"hot": {"ingest_mib_per_s": 0}}, ["must be over 0"]),
    ("more throughput than EFS has", "region", {"hot": {"ingest_mib_per_s": 4000, "query_mib_per_s": 4000}}, ["3414", "lower"]),
    ("a project's name that is too long", "region", {"project": "telemetryplatform"}, ["2 to 12"]),
    ("a project's name with a dash", "region", {"project": "pri-sm"}, ["lower-case"]),
    ("an unknown environment", "region", {"environment": "qa"}, ["dev, staging or prod"]),
    ("copies into the same region", "region", {"replica_region": REGION}, ["another region"]),
    ("no copies in prod", "region", {"replica_region": ""}, ["replica_region is needed"]),
    ("too many shards", "region", {"shards": {f"shard-{i}": {} for i in range(11)}}, ["10 stages"]),
    ("a shard with a foreign name", "region", {"shards": {"blue": {}}}, ["shard-"]),
    ("unsigned code in prod", "region", {"code_signing": False}, ["dev only"]),
    ("a retention that CloudWatch does not know", "region", {"log_retention_days": 100}, ["log_retention_days must be"]),
    ("a proxy before a database that pauses", "region", {"database": {"capacity_min": 0, "proxy": True}}, ["proxy"]),
    ("an artifact without a digest", "region", {"artifacts": {"ingest": {"kind": "zip", "sha256": "latest"}}}, ["64 lower-case hex"]),
    ("more provisioned than reserved", "region", {"concurrency": {"ingest": {"provisioned_min": 10, "provisioned_max": 500, "reserved": 100}}}, ["reserved"]),
    ("unknown region in the global stack", "global", {"regions": {"mars-east-1": {"primary": True}}}, ["Unknown region"]),
    ("no primary region", "global", {"regions": {"us-east-1": {}}}, ["primary = true"]),
    ("two primary regions", "global", {"regions": {"us-east-1": {"primary": True}, "eu-west-1": {"primary": True}}}, ["Exactly one"]),
    ("a region that is its own standby", "global", {"regions": {"us-east-1": {"primary": True, "standby": "us-east-1"}}}, ["another active region"]),
    ("a domain that is too long", "global", {"domain": "a" * 60 + ".example"}, ["at most 54"]),
    ("a domain without a dot", "global", {"domain": "prism"}, ["two labels"]),
    ("a home region that CloudFront does not take", "global", {"home_region": "eu-west-1"}, ["must be us-east-1"]),
    ("no budget", "global", {"budgets": {}}, ["at least one budget"]),
    ("a table that the catalogue does not have", "global", {"tables": {"provisioned": {"x": {"read": {"min": 1, "max": 2}, "write": {"min": 1, "max": 2}}}}},
     ["only tables of the catalogue"]),
    ("a digest that is none", "global", {"edge": {"router_sha256": "abc"}}, ["sha256sum"]),
]
