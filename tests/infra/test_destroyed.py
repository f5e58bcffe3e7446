"""One region is destroyed alone; the other stays whole, and of the destroyed one nothing is left."""

import json

import kit
import pytest
from conftest import DESTROYED, KEPT, everything

CODE = kit.REGIONS[DESTROYED]
PREFIX = f"prism-prod-{CODE}"


@pytest.fixture(scope="module", autouse=True)
def destroyed(applied):
    return applied.destroy().result()


def test_the_destroy_ended_well(destroyed):
    assert "Destroy complete!" in destroyed


def test_the_databases_last_snapshot_stays(aws):
    snapshots = aws("rds", DESTROYED).describe_db_cluster_snapshots()["DBClusterSnapshots"]
    assert f"{PREFIX}-catalog-last" in {s["DBClusterSnapshotIdentifier"] for s in snapshots}


@pytest.mark.parametrize("service,operation,key,name", [
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("dynamodb", "list_tables", "TableNames", None),
    ("sqs", "list_queues", "QueueUrls", None),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("stepfunctions", "list_state_machines", "stateMachines", "name"),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    ("rds", "describe_db_proxies", "DBProxies", "DBProxyName"),
    ("efs", "describe_file_systems", "FileSystems", "Name"),
    ("apigateway", "get_rest_apis", "items", "name"),
    ("apigateway", "get_usage_plans", "items", "name"),
    ("backup", "list_backup_vaults", "BackupVaultList", "BackupVaultName"),
    ("athena", "list_work_groups", "WorkGroups", "Name"),
])
@pytest.mark.parametrize("region", [DESTROYED, KEPT])
def test_nothing_is_left(aws, service, operation, key, name, region):
    """In its own region and in the one that held its copies."""
    client = aws(service, region)
    items = everything(client, operation, key) if operation != "list_queues" else client.list_queues().get("QueueUrls", [])
    left = [str(item if name is None else item.get(name)) for item in items]
    assert not [n for n in left if PREFIX in n or f"/prism/prod/{CODE}/" in n], left


def test_no_network_no_buckets_no_roles_no_keys_are_left(aws):
    ec2 = aws("ec2", DESTROYED)
    assert not [v for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]]
    assert not [e for e in ec2.describe_vpc_endpoints()["VpcEndpoints"] if e["State"].lower() != "deleted"]  # AWS, too, tells of them for a while
    assert not [b["Name"] for b in aws("s3").list_buckets()["Buckets"] if b["Name"].startswith(PREFIX)]
    assert not [r["RoleName"] for r in everything(aws("iam"), "list_roles", "Roles") if r["RoleName"].startswith(PREFIX)]
    assert not [p["PolicyName"] for p in everything(aws("iam"), "list_policies", "Policies", Scope="Local") if p["PolicyName"].startswith(PREFIX)]
    for region in (DESTROYED, KEPT):
        aliases = [a for a in everything(aws("kms", region), "list_aliases", "Aliases") if a["AliasName"].startswith(f"alias/{PREFIX}")]
        assert not aliases
    zones = [z["Name"] for z in aws("route53").list_hosted_zones()["HostedZones"]]
    assert not [z for z in zones if z.startswith(f"{CODE}.")]


def test_the_state_is_empty(aws):
    state = json.loads(aws("s3").get_object(Bucket=kit.STATE_BUCKET, Key=f"prism/prod/{DESTROYED}.tfstate")["Body"].read())
    assert [r for r in state["resources"] if r["mode"] == "managed"] == []


@pytest.mark.parametrize("name", ["global", KEPT])
def test_the_others_plan_is_still_clean(applied, name):
    applied.applied(name).assert_no_changes()


def test_the_other_region_still_works(aws):
    names = [f["FunctionName"] for f in everything(aws("lambda", KEPT), "list_functions", "Functions") if f["FunctionName"].startswith("prism-prod-use1-")]
    assert len(names) == sum(2 if f.get("hot_mount") else 1 for f in kit.platform("functions.json")["functions"].values())
    for name in names:
        assert aws("lambda", KEPT).get_alias(FunctionName=name, Name="live")["FunctionVersion"] != "$LATEST"
    key = {"pk": {"S": "after"}, "sk": {"S": "#"}}
    aws("dynamodb", KEPT).put_item(TableName="prism-prod-tenants", Item=key)
    assert aws("dynamodb", DESTROYED).get_item(TableName="prism-prod-tenants", Key=key)["Item"] == key, "the registry is the global stack's and stays"
    assert aws("rds", KEPT).describe_db_clusters(DBClusterIdentifier="prism-prod-use1-catalog")["DBClusters"][0]["Status"] == "available"
    assert aws("ssm", DESTROYED).get_parameter(Name="/prism/prod/global")["Parameter"]["Value"], "what it takes to apply the region again is there"
