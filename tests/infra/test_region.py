"""What the regional stacks made, seen with boto3 and held against platform/*.json."""

import ipaddress
import json
import re

import kit
import pytest
from conftest import everything

FUNCTIONS = kit.platform("functions.json")["functions"]
NETWORK = kit.platform("network.json")
LIFECYCLE = kit.platform("lifecycle.json")
CONTRACT = kit.platform("api.openapi.json")
THROTTLING = CONTRACT["x-prism-throttling"]
ALARMS = kit.platform("alarms.json")
WORKFLOWS = kit.platform("workflows.json")
SHARDS = ["shard-0", "shard-1"]
DOMAIN = "prod.prism.example"
OTHER = {"us-east-1": "eu-west-1", "eu-west-1": "us-east-1"}


class Region:
    def __init__(self, name, aws):
        self.name, self.code, self.aws = name, kit.REGIONS[name], aws
        self.prefix, self.path = f"prism-prod-{self.code}", f"/prism/prod/{self.code}"

    def __call__(self, service):
        return self.aws(service, self.name)

    def functions(self):
        """AWS name -> (catalogue name, entry, shard)"""
        found = {}
        for name, spec in FUNCTIONS.items():
            for shard in SHARDS if spec.get("hot_mount") else [None]:
                found[f"{self.prefix}-{name}" + (f"-{shard}" if shard else "")] = (name, spec, shard)
        return found


@pytest.fixture(scope="module", params=list(kit.REGIONS))
def region(request, applied, aws):
    applied.applied(request.param)
    return Region(request.param, aws)


def test_second_plan_has_no_changes(applied, region):
    applied.plan_again(region.name).result()


# ---- network ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vpc(region):
    found, = [v for v in region("ec2").describe_vpcs()["Vpcs"] if any(t["Value"] == region.prefix for t in v.get("Tags", []))]
    return found


@pytest.fixture(scope="module")
def of_vpc(vpc):
    return [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]


def tag(thing, key):
    return next((t["Value"] for t in thing.get("Tags", thing.get("TagSet", [])) if t["Key"] == key), None)


def test_there_is_no_way_to_the_internet(region, vpc, of_vpc):
    ec2 = region("ec2")
    assert not ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}])["InternetGateways"]
    assert not ec2.describe_nat_gateways(Filters=of_vpc)["NatGateways"]
    assert not [g for g in ec2.describe_egress_only_internet_gateways()["EgressOnlyInternetGateways"]
                if any(a["VpcId"] == vpc["VpcId"] for a in g["Attachments"])]
    assert not ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
    for table in ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]:
        for route in table["Routes"]:
            assert route.get("GatewayId", "").startswith(("local", "vpce-")), route
    assert not [i for i in ec2.describe_network_interfaces(Filters=of_vpc)["NetworkInterfaces"] if "Association" in i]


def test_one_subnet_per_tier_and_zone(region, vpc, of_vpc):
    subnets = region("ec2").describe_subnets(Filters=of_vpc)["Subnets"]
    assert not any(s["MapPublicIpOnLaunch"] for s in subnets)
    zones = {}
    for subnet in subnets:
        zones.setdefault(tag(subnet, "Tier"), []).append(subnet["AvailabilityZone"])
        assert ipaddress.ip_network(subnet["CidrBlock"]).subnet_of(ipaddress.ip_network(vpc["CidrBlock"]))
    assert set(zones) == set(NETWORK["tiers"])
    for tier, names in zones.items():
        assert len(names) == 3 and len(set(names)) == 3, tier


def flows(proxy=True):
    return [f for f in NETWORK["flows"] if f.get("when") in (None, "proxy" if proxy else "no-proxy")]


@pytest.fixture(scope="module")
def groups(region, of_vpc):
    return {g["GroupId"]: g for g in region("ec2").describe_security_groups(Filters=of_vpc)["SecurityGroups"]}


def test_security_groups_allow_the_flows_and_nothing_else(region, of_vpc, groups):
    names = {i: g["GroupName"].removeprefix(f"{region.prefix}-") for i, g in groups.items()}
    assert set(names.values()) == {*NETWORK["groups"], "default"}
    lists = {p["PrefixListId"]: p["PrefixListName"].rsplit(".", 1)[1] for p in region("ec2").describe_prefix_lists()["PrefixLists"]}
    lists |= {p["PrefixListId"]: p["PrefixListName"].rsplit(".", 1)[1] for p in region("ec2").describe_managed_prefix_lists()["PrefixLists"]}
    egress, ingress = set(), set()
    for rule in everything(region("ec2"), "describe_security_group_rules", "SecurityGroupRules"):
        if rule["GroupId"] not in groups:
            continue
        assert rule["IpProtocol"] == "tcp" and rule["FromPort"] == rule["ToPort"], rule
        other = rule.get("ReferencedGroupInfo", {}).get("GroupId")
        end = names[other] if other else f"prefix:{lists[rule['PrefixListId']]}"
        (egress if rule["IsEgress"] else ingress).add((names[rule["GroupId"]], end, rule["FromPort"]))
    assert egress == {(f["from"], f["to"], f["port"]) for f in flows()}
    assert ingress == {(f["to"], f["from"], f["port"]) for f in flows() if not f["to"].startswith("prefix:")}


def test_network_acls_per_tier(region, of_vpc):
    subnets = {s["SubnetId"]: tag(s, "Tier") for s in region("ec2").describe_subnets(Filters=of_vpc)["Subnets"]}
    tiers = {}
    for acl in region("ec2").describe_network_acls(Filters=of_vpc)["NetworkAcls"]:
        tier = {subnets[a["SubnetId"]] for a in acl["Associations"]}
        if acl["IsDefault"]:
            assert not tier and not [e for e in acl["Entries"] if e["RuleAction"] == "allow"], "the default ACL allows nothing and is nobody's"
            continue
        assert len(tier) == 1
        tiers[tier.pop()] = [e for e in acl["Entries"] if e["RuleAction"] == "allow"]
    assert set(tiers) == set(NETWORK["tiers"])
    ports = {}
    tier_of = {name: group["tier"] for name, group in NETWORK["groups"].items()}
    for flow in flows():
        ports.setdefault((tier_of[flow["from"]], "out"), set()).add(flow["port"])
        if not flow["to"].startswith("prefix:"):
            ports.setdefault((tier_of[flow["to"]], "in"), set()).add(flow["port"])
    for tier, entries in tiers.items():
        for direction, egress in (("out", True), ("in", False)):
            fixed = {e["PortRange"]["From"] for e in entries if e["Egress"] == egress and e["PortRange"]["From"] == e["PortRange"]["To"]}
            assert fixed == ports.get((tier, direction), set()), (tier, direction)
            for entry in entries:
                assert entry["Protocol"] == "6", entry


def test_endpoints(region, of_vpc):
    other, = set(kit.REGIONS) - {region.name}
    found = {}
    for endpoint in region("ec2").describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"]:
        kind = "peer" if endpoint.get("ServiceRegion", region.name) != region.name else endpoint["VpcEndpointType"].lower()
        assert kind != "peer" or (endpoint["ServiceName"].split(".")[2], endpoint["VpcEndpointType"]) == (other, "Interface") == (endpoint["ServiceRegion"], "Interface")
        found[kind, endpoint["ServiceName"].rsplit(".", 1)[1]] = endpoint
    assert set(found) == {(kind, name) for kind in ("interface", "gateway", "peer") for name in NETWORK["endpoints"][kind]}
    for (kind, name), endpoint in found.items():
        spec = NETWORK["endpoints"][kind][name]
        statements = json.loads(endpoint["PolicyDocument"])["Statement"]
        allowed = {a for s in statements if s["Effect"] == "Allow" for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
        assert allowed == set(spec["actions"]), (kind, name)
        if kind != "gateway":
            assert len(endpoint["SubnetIds"]) == 3
            assert endpoint["PrivateDnsEnabled"] == (spec.get("private_dns", True) is not False), name


def test_flow_logs_of_all_traffic(region, vpc):
    log, = [f for f in region("ec2").describe_flow_logs()["FlowLogs"] if f["ResourceId"] == vpc["VpcId"]]
    assert log["TrafficType"] == "ALL" and log["LogDestination"].split(":log-group:")[1].removesuffix(":*") == f"{region.path}/network/flow"


@pytest.fixture(scope="module")
def private_names(region, vpc):
    zones = region.aws("route53").list_hosted_zones()["HostedZones"]
    zone, = [z for z in zones if z["Name"] == f"{region.code}.prod.prism.internal."]
    assert zone["Config"]["PrivateZone"]
    found = region.aws("route53").get_hosted_zone(Id=zone["Id"])
    assert [(v["VPCId"], v["VPCRegion"]) for v in found["VPCs"]] == [(vpc["VpcId"], region.name)]
    records = everything(region.aws("route53"), "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"])
    return {r["Name"].split(".")[0]: r["ResourceRecords"][0]["Value"] for r in records if r["Type"] == "CNAME"}


def test_private_names_lead_to_proxy_reader_and_files(region, private_names):
    proxy = region("rds").describe_db_proxies(DBProxyName=f"{region.prefix}-catalog")["DBProxies"][0]
    assert private_names["proxy"] == proxy["Endpoint"]
    assert "reader" in private_names["reader"]
    files, = [f for f in region("efs").describe_file_systems()["FileSystems"] if f["Name"] == f"{region.prefix}-hot"]
    assert private_names["files"].startswith(files["FileSystemId"])


# ---- functions --------------------------------------------------------------------------------------------------


def test_functions_are_those_of_the_catalogue(applied, region, vpc, groups):
    found = {f["FunctionName"]: f for f in everything(region("lambda"), "list_functions", "Functions") if f["FunctionName"].startswith(f"{region.prefix}-")}
    assert set(found) == set(region.functions())
    defaults = kit.platform("functions.json")["defaults"]
    artifacts = applied.packages.artifacts
    for full, (name, spec, shard) in region.functions().items():
        f = found[full]
        assert (f["MemorySize"], f["Timeout"]) == (spec["memory_mb"], spec["timeout_s"]), full
        assert f["Architectures"] == [spec.get("architecture", defaults["architecture"])]
        assert f["PackageType"].lower() == spec["package"]
        assert f["TracingConfig"]["Mode"] == "Active"
        assert bool(f.get("VpcConfig", {}).get("SubnetIds")) == spec["vpc"]
        if spec["vpc"]:
            assert len(f["VpcConfig"]["SubnetIds"]) == 3 and [groups[g]["GroupName"] for g in f["VpcConfig"]["SecurityGroupIds"]] == [f"{region.prefix}-{name if name in kit.platform('network.json')['groups'] else 'function'}"]
        if spec["package"] == "image":
            code = region("lambda").get_function(FunctionName=full)["Code"]
            assert code["ImageUri"] == f"{kit.ACCOUNT}.dkr.ecr.{region.name}.amazonaws.com/prism-prod/{name}@sha256:{artifacts[name]['sha256']}"
        assert bool(f.get("FileSystemConfigs")) == bool(spec.get("hot_mount"))
        environment = f["Environment"]["Variables"]
        shards = {"PRISM_SHARDS": ",".join(SHARDS)} if name == "tenants" else {}  # the region's, over the catalogue's
        assert environment.items() >= {**spec["environment"], **shards, "PRISM_FUNCTION": name, "PRISM_SERVICE": spec["service"], "PRISM_ENVIRONMENT": "prod",
                                       "PRISM_REGION": region.name}.items()
        assert environment.get("PRISM_SHARD", "") == (shard or "")
        assert "PRISM_SHARDS" not in environment or shards
        assert not [v for v in environment.values() if re.search(r"(?i)password|AKIA|BEGIN .*KEY", v)]
        if spec["package"] == "zip":
            assert region("lambda").get_function_code_signing_config(FunctionName=full)["CodeSigningConfigArn"]


def test_alias_live_of_every_function(region):
    for full in region.functions():
        alias = region("lambda").get_alias(FunctionName=full, Name="live")
        assert re.fullmatch("[1-9][0-9]*", alias["FunctionVersion"]), full


def test_provisioned_concurrency_follows_the_catalogue(region):
    concurrency = {"ingest": (10, 200), "query": (5, 100), "authorizer": (5, 100)}
    targets = {t["ResourceId"]: (t["MinCapacity"], t["MaxCapacity"])
               for t in everything(region("application-autoscaling"), "describe_scalable_targets", "ScalableTargets", ServiceNamespace="lambda")}
    policies = {p["ResourceId"]: p for p in everything(region("application-autoscaling"), "describe_scaling_policies", "ScalingPolicies", ServiceNamespace="lambda")}
    want = {f"function:{full}:live": concurrency[name] for full, (name, spec, _) in region.functions().items() if spec["concurrency"]["class"] == "warm"}
    assert targets == want and set(policies) == set(want)
    for full, (name, spec, _) in region.functions().items():
        client = region("lambda")
        if spec["concurrency"]["class"] == "warm":
            got = client.get_provisioned_concurrency_config(FunctionName=full, Qualifier="live")
            assert got["RequestedProvisionedConcurrentExecutions"] == concurrency[name][0]
        else:
            with pytest.raises(client.exceptions.ClientError):
                client.get_provisioned_concurrency_config(FunctionName=full, Qualifier="live")
        assert client.get_function_concurrency(FunctionName=full)["ReservedConcurrentExecutions"] >= 1
    actions = everything(region("application-autoscaling"), "describe_scheduled_actions", "ScheduledActions", ServiceNamespace="lambda")
    assert {a["ResourceId"] for a in actions} == {f"function:{region.prefix}-{n}-{s}:live" for n in ("ingest", "query") for s in SHARDS}


def test_log_group_of_every_function_has_retention_and_key(region):
    groups = {g["logGroupName"]: g for g in everything(region("logs"), "describe_log_groups", "logGroups")}
    for full, (name, spec, shard) in region.functions().items():
        group = groups[f"{region.path}/function/{spec['service']}/{full.removeprefix(region.prefix + '-')}"]
        assert group["retentionInDays"] == 365 and group["kmsKeyId"]
        assert region("lambda").get_function_configuration(FunctionName=full)["LoggingConfig"]["LogGroup"] == group["logGroupName"]


def test_every_log_group_of_the_region_has_retention_and_key(region):
    for group in everything(region("logs"), "describe_log_groups", "logGroups"):
        if region.prefix in group["logGroupName"] or region.path in group["logGroupName"]:
            assert group.get("retentionInDays") and group.get("kmsKeyId"), group["logGroupName"]


def test_dead_letter_queues(region):
    for full, (name, spec, _) in region.functions().items():
        if spec.get("asynchronous", {}).get("dead_letter") or spec.get("schedules"):
            url = region("sqs").get_queue_url(QueueName=f"{full}-dead-letter")["QueueUrl"]
            attributes = region("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            assert attributes["KmsMasterKeyId"] and int(attributes["MessageRetentionPeriod"]) == 14 * 24 * 3600
            assert region("lambda").get_function_configuration(FunctionName=full)["DeadLetterConfig"]["TargetArn"] == attributes["QueueArn"]


def roles(region):
    return [r for r in everything(region.aws("iam"), "list_roles", "Roles") if r["RoleName"].startswith(region.prefix)]


def test_roles_of_functions_have_the_boundary_and_name_what_they_touch(region):
    iam = region.aws("iam")
    for full, (name, spec, _) in region.functions().items():
        role_name = region("lambda").get_function_configuration(FunctionName=full)["Role"].rsplit("/", 1)[1]
        role = iam.get_role(RoleName=role_name)["Role"]
        assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].startswith(f"arn:aws:iam::{kit.ACCOUNT}:policy/{region.prefix}"), role_name
        assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}
        actions = set()
        for policy in iam.list_role_policies(RoleName=role_name)["PolicyNames"]:
            for statement in iam.get_role_policy(RoleName=role_name, PolicyName=policy)["PolicyDocument"]["Statement"]:
                named = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                if statement["Effect"] == "Allow":
                    actions |= set(named)
        assert not [a for a in actions if "*" in a], (role_name, actions)
        stores = spec["stores"]
        assert ("rds-db:connect" in actions) == (stores.get("meta", "own") != "own"), role_name
        assert ("elasticfilesystem:ClientMount" in actions) == bool(spec.get("hot_mount")), role_name
        assert ("secretsmanager:GetSecretValue" in actions) == ("secrets" in stores or stores.get("meta") == "own"), role_name
        assert ("ssm:GetParametersByPath" in actions) == ("parameters" in stores), role_name
        writes = {s.split(".", 1)[1] for s, word in stores.items() if s.startswith("tables.") and word in ("append", "read-write")}
        assert ("dynamodb:PutItem" in actions) == bool(writes), role_name


def test_no_role_of_the_region_trusts_a_foreign_account(region):
    assert len(roles(region)) >= len(region.functions())
    for role in roles(region):
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            for principal in statement["Principal"].get("AWS", []) if isinstance(statement["Principal"].get("AWS"), list) else [statement["Principal"].get("AWS")]:
                assert principal is None or kit.ACCOUNT in principal or (principal == "*" and statement.get("Condition")), role["RoleName"]


# ---- storage ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(region):
    found, = [f for f in region("efs").describe_file_systems()["FileSystems"] if f["Name"] == f"{region.prefix}-hot"]
    return found


def test_file_system_has_provisioned_throughput_from_the_rates(region, files):
    # 64 MiB/s written and sealed, 128 queried; reads are metered at a third; 70 % of what is provisioned is used.
    want = -(-(64 + (64 + 128) / 3) // 0.7)
    assert files["ThroughputMode"] == "provisioned" and files["ProvisionedThroughputInMibps"] == want
    assert files["Encrypted"] and f":{region.name}:" in files["KmsKeyId"]


def test_mount_targets_in_every_zone(region, files):
    targets = region("efs").describe_mount_targets(FileSystemId=files["FileSystemId"])["MountTargets"]
    assert len({t["AvailabilityZoneName"] for t in targets}) == 3


def test_access_points_of_shards(region, files):
    points = region("efs").describe_access_points(FileSystemId=files["FileSystemId"])["AccessPoints"]
    assert {p["RootDirectory"]["Path"] for p in points} == {f"/shards/{s}" for s in SHARDS}
    assert len({(p["PosixUser"]["Uid"], p["PosixUser"]["Gid"]) for p in points}) == len(SHARDS)
    assert {p["RootDirectory"]["CreationInfo"]["Permissions"] for p in points} == {"2770"}
    arns = {p["RootDirectory"]["Path"].rsplit("/", 1)[1]: p["AccessPointArn"] for p in points}
    for full, (name, spec, shard) in region.functions().items():
        if shard:
            mounted, = region("lambda").get_function_configuration(FunctionName=full)["FileSystemConfigs"]
            assert mounted == {"Arn": arns[shard], "LocalMountPath": "/mnt/hot"}


def test_file_system_policy_wants_access_points_tls_and_no_root(region, files):
    statements = json.loads(region("efs").describe_file_system_policy(FileSystemId=files["FileSystemId"])["Policy"])["Statement"]
    denied = {s["Sid"]: s for s in statements if s["Effect"] == "Deny"}
    assert denied["TlsOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied["AccessPointsOnly"]["Condition"] == {"Null": {"elasticfilesystem:AccessPointArn": "true"}}
    assert "elasticfilesystem:ClientRootAccess" in denied["NobodyIsRoot"]["Action"]


def test_file_system_is_backed_up_and_copied(region, files):
    plans = [p for p in region("backup").list_backup_plans()["BackupPlansList"] if p["BackupPlanName"] == f"{region.prefix}-hot"]
    rule, = region("backup").get_backup_plan(BackupPlanId=plans[0]["BackupPlanId"])["BackupPlan"]["Rules"]
    assert f":{OTHER[region.name]}:" in rule["CopyActions"][0]["DestinationBackupVaultArn"]
    replica, = region("efs").describe_replication_configurations(FileSystemId=files["FileSystemId"])["Replications"]
    assert replica["Destinations"][0]["Region"] == OTHER[region.name]


@pytest.mark.parametrize("name", ["segments", "analytics"])
def test_data_bucket(region, name):
    s3, bucket = region("s3"), f"{region.prefix}-{name}-{kit.ACCOUNT}"
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == region.name
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rule, = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms" and rule["BucketKeyEnabled"]
    assert f":{region.name}:" in rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    sids = {s["Sid"] for s in json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] if s["Effect"] == "Deny"}
    assert sids >= {"TlsOnly", "OwnAccountOnly", "KmsOnly"}
    copied, = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]
    replica = copied["Destination"]["Bucket"].rsplit(":", 1)[1]
    assert replica == f"{region.prefix}-{name}-replica-{kit.ACCOUNT}"
    assert region.aws("s3", OTHER[region.name]).head_bucket(Bucket=replica)["BucketRegion"] == OTHER[region.name]


def test_lifecycle_follows_the_classes(region):
    rules = {r["ID"]: r for r in region("s3").get_bucket_lifecycle_configuration(Bucket=f"{region.prefix}-analytics-{kit.ACCOUNT}")["Rules"]}
    for entry in LIFECYCLE["classes"]:
        if not entry["transitions"]:
            assert f"class-{entry['name']}" not in rules
            continue
        rule = rules[f"class-{entry['name']}"]
        assert rule["Filter"]["Tag"] == {"Key": "class", "Value": entry["name"]}
        assert sorted((t["Days"], t["StorageClass"]) for t in rule["Transitions"]) == [(t["after_days"], t["storage_class"]) for t in entry["transitions"]]
    assert rules["upkeep"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] >= 1
    assert rules["exports"]["Filter"]["Prefix"] == "_exports/" and rules["exports"]["Expiration"]["Days"] == LIFECYCLE["upkeep"]["export_days"]
    segments = {r["ID"]: r for r in region("s3").get_bucket_lifecycle_configuration(Bucket=f"{region.prefix}-segments-{kit.ACCOUNT}")["Rules"]}
    assert not [r for r in segments.values() if r.get("Transitions")], "segments stay where they are read fast"


def test_athena_reads_the_analytics(region):
    workgroup = region("athena").get_work_group(WorkGroup=region.prefix)["WorkGroup"]["Configuration"]
    assert workgroup["EnforceWorkGroupConfiguration"] and workgroup["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    tables = region("glue").get_tables(DatabaseName=region.prefix.replace("-", "_"))["TableList"]
    assert {t["Name"] for t in tables} == {"logs", "traces", "metrics"}


# ---- database ---------------------------------------------------------------------------------------------------


def test_aurora(region):
    rds = region("rds")
    cluster, = rds.describe_db_clusters(DBClusterIdentifier=f"{region.prefix}-catalog")["DBClusters"]
    assert cluster["Engine"] == "aurora-postgresql" and cluster["StorageEncrypted"] and f":{region.name}:" in cluster["KmsKeyId"]
    assert cluster["IAMDatabaseAuthenticationEnabled"] and cluster["BackupRetentionPeriod"] == 35
    assert (cluster["ServerlessV2ScalingConfiguration"]["MinCapacity"], cluster["ServerlessV2ScalingConfiguration"]["MaxCapacity"]) == (2, 64)
    assert cluster["MasterUserSecret"]["KmsKeyId"] and cluster["DeletionProtection"]
    with pytest.raises(rds.exceptions.ClientError):
        rds.delete_db_cluster(DBClusterIdentifier=f"{region.prefix}-catalog", SkipFinalSnapshot=True)
    instances = [i for i in rds.describe_db_instances()["DBInstances"] if i.get("DBClusterIdentifier") == f"{region.prefix}-catalog"]
    assert len(instances) == 3 and {i["DBInstanceClass"] for i in instances} == {"db.serverless"}
    assert len({i["AvailabilityZone"] for i in instances}) == 3 and not any(i["PubliclyAccessible"] for i in instances)


def test_proxy_authenticates_with_iam_over_tls(region):
    rds = region("rds")
    proxy, = rds.describe_db_proxies(DBProxyName=f"{region.prefix}-catalog")["DBProxies"]
    assert proxy["RequireTLS"] and not proxy.get("DebugLogging")
    pool, = rds.describe_db_proxy_target_groups(DBProxyName=f"{region.prefix}-catalog")["TargetGroups"]
    assert pool["ConnectionPoolConfig"]["MaxConnectionsPercent"] == 90
    reader, = rds.describe_db_proxy_endpoints(DBProxyName=f"{region.prefix}-catalog")["DBProxyEndpoints"]
    assert reader["TargetRole"] == "READ_ONLY"


def test_readers_scale_on_connections_and_cpu(region):
    scaling = region("application-autoscaling")
    target, = everything(scaling, "describe_scalable_targets", "ScalableTargets", ServiceNamespace="rds")
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (f"cluster:{region.prefix}-catalog", 2, 8)
    policies = everything(scaling, "describe_scaling_policies", "ScalingPolicies", ServiceNamespace="rds")
    assert {p["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"] for p in policies} == {
        "RDSReaderAverageCPUUtilization", "RDSReaderAverageDatabaseConnections"}


def test_secrets_have_the_regions_key_and_no_value_in_state(region, applied):
    names = {f"prism/prod/{region.code}/{n}" for n in ("token-signing-key",)}
    found = {s["Name"]: s for s in everything(region("secretsmanager"), "list_secrets", "SecretList") if s["Name"] in names}
    assert set(found) == names
    state = region.aws("s3").get_object(Bucket=kit.STATE_BUCKET, Key=f"prism/prod/{region.name}.tfstate")["Body"].read().decode()
    for secret in found.values():
        assert f":{region.name}:" in secret["KmsKeyId"]
        value = region("secretsmanager").get_secret_value(SecretId=secret["ARN"])["SecretString"]
        assert len(value) >= 32 and value not in state, "a secret's value is in the state"


def test_secrets_rotate_by_the_function_which_secrets_manager_alone_may_call(region, applied):
    """The region's own here; the pepper in the home region, by its function, for replicas follow."""
    own = f"prism/prod/{region.code}/token-signing-key"
    rotated = [own, "prism/prod/api-key-pepper"] if region.name == kit.HOME else [own]
    arns = []
    for name in rotated:
        told = region("secretsmanager").describe_secret(SecretId=name)
        assert told["RotationEnabled"] and told["RotationLambdaARN"].endswith(f":function:{region.prefix}-rotation:live"), told
        assert told["RotationRules"]["AutomaticallyAfterDays"] == 90
        arns.append(told["ARN"])
    policy = json.loads(region("lambda").get_policy(FunctionName=f"{region.prefix}-rotation", Qualifier="live")["Policy"])
    allowed = [s for s in policy["Statement"] if s["Principal"].get("Service") == "secretsmanager.amazonaws.com"]
    assert sorted(s["Condition"]["ArnLike"]["AWS:SourceArn"] for s in allowed) == sorted(arns)
    assert all(s["Condition"]["StringEquals"]["AWS:SourceAccount"] == kit.ACCOUNT for s in allowed)
    role = region("iam").get_role_policy(RoleName=f"{region.prefix}-fn-rotation", PolicyName="function")["PolicyDocument"]
    writes = [s for s in role["Statement"] if "secretsmanager:PutSecretValue" in s["Action"]]
    assert len(writes) == 1 and all(":secret:prism/prod/" in r for r in writes[0]["Resource"])
    for name in ("authorizer", "keys", "tenants"):
        other = region("iam").get_role_policy(RoleName=f"{region.prefix}-fn-{name}", PolicyName="function")["PolicyDocument"]
        assert not any("secretsmanager:PutSecretValue" in s["Action"] for s in other["Statement"]), name
    environment = region("lambda").get_function_configuration(FunctionName=f"{region.prefix}-rotation")["Environment"]["Variables"]
    for name in ("authorizer", "keys", "rotation"):  # what issues tokens and what takes them know the region's own keys by their name
        found = region("lambda").get_function_configuration(FunctionName=f"{region.prefix}-{name}")["Environment"]["Variables"]
        assert found["PRISM_SECRETS_URL"].removeprefix("secretsmanager://") + found["PRISM_TOKEN_SECRET_NAME"] == own, name
    assert environment.get("PRISM_SECRETS_PRIMARY") == (None if region.name == kit.HOME else kit.HOME)


def test_the_pepper_is_the_same_in_every_region_and_of_the_region(region, applied, aws):
    """By name, in the region itself, by whoever the catalogue lets read secrets."""
    pepper = region("secretsmanager").get_secret_value(SecretId="prism/prod/api-key-pepper")
    assert f":{region.name}:" in pepper["ARN"]
    assert len({aws("secretsmanager", other).get_secret_value(SecretId="prism/prod/api-key-pepper")["SecretString"] for other in kit.REGIONS}) == 1
    state = aws("s3").get_object(Bucket=kit.STATE_BUCKET, Key="prism/prod/global.tfstate")["Body"].read().decode()
    assert len(pepper["SecretString"]) >= 32 and pepper["SecretString"] not in state, "the pepper's value is in the state"
    environment = region("lambda").get_function_configuration(FunctionName=f"{region.prefix}-authorizer")["Environment"]["Variables"]
    assert environment["PRISM_SECRETS_URL"] == "secretsmanager://prism/prod/"
    role = region("iam").get_role_policy(RoleName=f"{region.prefix}-fn-authorizer", PolicyName="function")["PolicyDocument"]
    reads = [s for s in role["Statement"] if "secretsmanager:GetSecretValue" in s["Action"]]
    assert any(pepper["ARN"] in s["Resource"] for s in reads), reads


def test_only_the_bridge_calls_other_regions_and_what_the_catalogue_names(region):
    other, = set(kit.REGIONS) - {region.name}
    want = sorted([*(f"prism-prod-{kit.REGIONS[other]}-storage-{shard}" for shard in SHARDS), f"prism-prod-{kit.REGIONS[other]}-tenants"])
    environment = region("lambda").get_function_configuration(FunctionName=f"{region.prefix}-bridge")["Environment"]["Variables"]
    assert json.loads(environment["PRISM_BRIDGE_FUNCTIONS"]) == {other: want}
    for full, (name, spec, _) in region.functions().items():
        short = full.removeprefix(region.prefix + "-")
        policy = region("iam").get_role_policy(RoleName=f"{region.prefix}-fn-{short}", PolicyName="function")["PolicyDocument"]
        called = sorted(r for s in policy["Statement"] if "lambda:InvokeFunction" in s["Action"] for r in s["Resource"])
        assert called == ([f"arn:aws:lambda:{other}:{kit.ACCOUNT}:function:{w}:live" for w in want] if name == "bridge" else []), full


def test_only_storage_reads_other_regions_and_what_a_move_needs(region):
    other, = set(kit.REGIONS) - {region.name}
    there = f"prism-prod-{kit.REGIONS[other]}"
    for full, (name, spec, _) in region.functions().items():
        short = full.removeprefix(region.prefix + "-")
        policy = region("iam").get_role_policy(RoleName=f"{region.prefix}-fn-{short}", PolicyName="function")["PolicyDocument"]
        reads = {(a, r): s for s in policy["Statement"] for a in s["Action"] for r in s["Resource"] if f":::{there}-" in r or f":{other}:" in r and a.startswith("kms:")}
        buckets = {store: f"arn:aws:s3:::{there}-{store}-{kit.ACCOUNT}" for store in spec.get("stores_elsewhere", {})}
        want = {("s3:GetObject", f"{arn}/*/*.parquet") for arn in buckets.values()} | {("s3:GetObject", f"{arn}/_moves/*") for store, arn in buckets.items() if store == "segments"}
        keys = {("kms:Decrypt", f"arn:aws:kms:{other}:{kit.ACCOUNT}:key/*")} if buckets else set()
        assert set(reads) == want | keys and (name == "storage") == bool(buckets), full
        for key in keys:
            assert reads[key]["Condition"] == {"StringEquals": {"kms:ViaService": [f"s3.{other}.amazonaws.com"]}, "ForAnyValue:StringEquals": {"kms:ResourceAliases": [f"alias/{there}-data"]}}


# ---- API --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def api(region):
    found, = [a for a in region("apigateway").get_rest_apis()["items"] if a["name"].startswith(region.prefix) or a["name"] == CONTRACT["info"]["title"]]
    return found


def test_routes_are_those_of_the_contract(region, api):
    resources = everything(region("apigateway"), "get_resources", "items", restApiId=api["id"])
    found = {(r["path"], m) for r in resources for m in r.get("resourceMethods", {})}
    verbs = {"get", "put", "post", "delete", "patch", "options", "head"}
    assert found == {(path, verb.upper()) for path, item in CONTRACT["paths"].items() for verb in item if verb in verbs}


def filled(value, region):
    """The contract as Terraform fills it in."""
    text = json.dumps(value)
    for name, by in {"partition": "aws", "region": region.name, "account": kit.ACCOUNT, "prefix": region.prefix}.items():
        text = text.replace("${%s}" % name, by)
    return json.loads(text)


def required(operation):
    """API Gateway's names of parameters, each with whether it must be there."""
    found = [CONTRACT["components"]["parameters"][p["$ref"].rsplit("/", 1)[1]] if "$ref" in p else p for p in operation.get("parameters", [])]
    return {f"method.request.{ {'query': 'querystring'}.get(p['in'], p['in'])}.{p['name']}": p.get("required", False) for p in found}


# What a local gateway reads of the contract (src/region/openapi*.c) is what stands behind each route when it is applied. The emulator keeps neither schemas of
# models nor responseTransferMode; that whole file is its body, so nothing in between could have changed them (test_second_plan_has_no_changes).
def test_methods_are_those_that_a_local_gateway_reads(region, api):
    ask = region("apigateway")
    authorizers = {a["id"]: a["name"] for a in ask.get_authorizers(restApiId=api["id"])["items"]}
    validators = {v["id"]: v["name"] for v in ask.get_request_validators(restApiId=api["id"])["items"]}
    seen = 0
    for resource in everything(ask, "get_resources", "items", restApiId=api["id"]):
        for verb in resource.get("resourceMethods", {}):
            operation = filled(CONTRACT["paths"][resource["path"]][verb.lower()], region)
            method = ask.get_method(restApiId=api["id"], resourceId=resource["id"], httpMethod=verb)
            what, needs = f"{verb} {resource['path']}", {n for s in operation["security"] for n in s}
            assert method["authorizationType"] == ("CUSTOM" if needs else "NONE"), what
            assert (authorizers[method["authorizerId"]] in needs and method["apiKeyRequired"]) if needs else not method["apiKeyRequired"], what
            name = operation.get("x-amazon-apigateway-request-validator", CONTRACT["x-amazon-apigateway-request-validator"])
            assert validators[method["requestValidatorId"]] == name, what
            assert method.get("requestParameters", {}) == required(operation), what
            bodies = {t: c["schema"]["$ref"].rsplit("/", 1)[1] for t, c in operation.get("requestBody", {}).get("content", {}).items() if "$ref" in c["schema"]}
            assert method.get("requestModels", {}) == bodies, what
            assert set(method["methodResponses"]) == set(operation["responses"]), what
            want, got = operation["x-amazon-apigateway-integration"], method["methodIntegration"]
            assert got["type"].lower() == want["type"] and got.get("uri") == want.get("uri"), what
            for key in ("passthroughBehavior", "requestTemplates", "contentHandling", "timeoutInMillis"):
                assert got.get(key) in (want.get(key), {} if key == "requestTemplates" else None if key != "timeoutInMillis" else 29000), f"{what}: {key} {got.get(key)}"
            for answer in want.get("responses", {}).values():
                given = got["integrationResponses"][answer["statusCode"]]
                assert given.get("responseParameters", {}) == answer.get("responseParameters", {}), what
                assert given.get("responseTemplates", {}) == answer.get("responseTemplates", {}), what
            seen += 1
    assert seen == sum(len(item) for item in CONTRACT["paths"].values())


def test_gateway_responses_and_validators_are_the_contract_s(region, api):
    ask = region("apigateway")
    given = {r["responseType"]: r for r in ask.get_gateway_responses(restApiId=api["id"])["items"] if not r.get("defaultResponse")}
    assert set(given) == set(CONTRACT["x-amazon-apigateway-gateway-responses"])
    for name, want in CONTRACT["x-amazon-apigateway-gateway-responses"].items():
        assert {k: given[name].get(k) for k in ("statusCode", "responseParameters", "responseTemplates")} == {k: want.get(k) for k in ("statusCode", "responseParameters", "responseTemplates")}, name
    found = {v["name"]: {k: v[k] for k in ("validateRequestBody", "validateRequestParameters")} for v in ask.get_request_validators(restApiId=api["id"])["items"]}
    assert found == CONTRACT["x-amazon-apigateway-request-validators"]
    whole = ask.get_rest_api(restApiId=api["id"])
    assert whole["binaryMediaTypes"] == CONTRACT["x-amazon-apigateway-binary-media-types"] and whole["apiKeySource"] == CONTRACT["x-amazon-apigateway-api-key-source"]
    assert whole.get("minimumCompressionSize") is None, "docs/design/gateway.md says why"


def test_every_route_leads_to_an_alias(region, api):
    for resource in everything(region("apigateway"), "get_resources", "items", restApiId=api["id"]):
        for verb in resource.get("resourceMethods", {}):
            integration = region("apigateway").get_integration(restApiId=api["id"], resourceId=resource["id"], httpMethod=verb)
            if integration["type"].upper() == "MOCK":
                continue
            if integration["type"].upper() == "AWS":  # straight to Step Functions, which the template names the alias of
                assert integration["credentials"].endswith(f":role/{region.prefix}-api-start"), integration
                assert f":stateMachine:{region.prefix}-tenant-migration:live" in integration["requestTemplates"]["application/json"]
                continue
            name = re.search(rf":function:{region.prefix}-([a-z-]+?)(-\$\{{stageVariables\.shard\}})?:live/", integration["uri"])
            assert name and bool(name[2]) == bool(FUNCTIONS[name[1]].get("hot_mount")), integration["uri"]


def test_a_stage_per_shard(region, api):
    stages = {s["stageName"]: s for s in region("apigateway").get_stages(restApiId=api["id"])["item"]}
    assert set(stages) == set(SHARDS)
    for name, stage in stages.items():
        assert stage["variables"] == {"shard": name} and stage["tracingEnabled"]
        fields = json.loads(stage["accessLogSettings"]["format"])
        assert any("tenant" in str(v).lower() for v in fields.values()), "access logs name the tenant"
        settings = stage["methodSettings"]["*/*"]
        assert settings["metricsEnabled"] and not settings["dataTraceEnabled"]
        assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (THROTTLING["system"]["rate"], THROTTLING["system"]["burst"])


def test_usage_plan_per_tier(region, api):
    plans = {p["name"].removeprefix(f"{region.prefix}-"): p for p in region("apigateway").get_usage_plans()["items"] if p["name"].startswith(region.prefix)}
    assert set(plans) == set(THROTTLING["tiers"])
    for tier, limits in THROTTLING["tiers"].items():
        plan = plans[tier]
        assert (plan["throttle"]["rateLimit"], plan["throttle"]["burstLimit"]) == (limits["rate"], limits["burst"])
        assert (plan["quota"]["limit"], plan["quota"]["period"]) == (limits["quota_per_day"], "DAY")
        assert {(s["apiId"], s["stage"]) for s in plan["apiStages"]} == {(api["id"], s) for s in SHARDS}


def test_authorizer_caches(region, api):
    authorizers = region("apigateway").get_authorizers(restApiId=api["id"])["items"]
    assert authorizers
    for authorizer in authorizers:
        assert f"{region.prefix}-authorizer:live" in authorizer["authorizerUri"] and authorizer["authorizerResultTtlInSeconds"] > 0


@pytest.mark.parametrize("shared", [None, "origin", "failover"])
def test_the_regions_names_lead_to_the_api(region, api, shared):
    own = f"{region.code}.api.{DOMAIN}"
    name, target = (f"{shared}.{DOMAIN}", f"{shared}.{own}") if shared else (own, own)
    domain = region("apigateway").get_domain_name(domainName=name)
    assert domain["securityPolicy"] == "TLS_1_2"
    paths = {m.get("basePath", "(none)"): m["stage"] for m in region("apigateway").get_base_path_mappings(domainName=name)["items"]}
    assert paths == {"(none)": "shard-0", **{s: s for s in SHARDS}}
    zone, = [z for z in region.aws("route53").list_hosted_zones()["HostedZones"] if z["Name"] == f"{DOMAIN}."]
    records = everything(region.aws("route53"), "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"])
    assert [r["AliasTarget"]["DNSName"].rstrip(".") for r in records if r["Name"] == f"{target}." and "AliasTarget" in r] == [domain["regionalDomainName"]]
    certificate = region("acm").describe_certificate(CertificateArn=domain["regionalCertificateArn"])["Certificate"]
    assert certificate["DomainName"] == own and f"*.{DOMAIN}" in certificate["SubjectAlternativeNames"]


def test_the_firewall_stands_before_the_stages(region, api):
    acl, = [a for a in region("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"] if a["Name"].startswith(region.prefix)]
    for shard in SHARDS:
        arn = f"arn:aws:apigateway:{region.name}::/restapis/{api['id']}/stages/{shard}"
        assert region("wafv2").get_web_acl_for_resource(ResourceArn=arn)["WebACL"]["ARN"] == acl["ARN"]


# ---- workflows and observability --------------------------------------------------------------------------------


def test_state_machines(region):
    found = {m["name"]: m for m in everything(region("stepfunctions"), "list_state_machines", "stateMachines")}
    assert {n for n in found if n.startswith(f"{region.prefix}-")} == {f"{region.prefix}-{n}" for n in WORKFLOWS["machines"]}
    for name, spec in WORKFLOWS["machines"].items():
        machine = region("stepfunctions").describe_state_machine(stateMachineArn=found[f"{region.prefix}-{name}"]["stateMachineArn"])
        assert machine["type"] == spec["type"] and machine["tracingConfiguration"]["enabled"]
        assert machine["loggingConfiguration"]["level"] != "OFF"
        definition = json.loads(machine["definition"])
        source = json.loads(re.sub(r'(?<!")\$\{\w+\}(?!")', "0", (kit.PLATFORM / "workflows" / f"{name}.asl.json").read_text()))
        assert list(definition["States"]) == list(source["States"]) and definition["StartAt"] == source["StartAt"]
        assert "${" not in machine["definition"].replace("$${", ""), "a template's variable was left"
        aliases = region("stepfunctions").list_state_machine_aliases(stateMachineArn=machine["stateMachineArn"])["stateMachineAliases"]
        assert [a["stateMachineAliasArn"].rsplit(":", 1)[1] for a in aliases] == ["live"]


def test_schedules_start_aliases(region):
    schedules = everything(region("scheduler"), "list_schedules", "Schedules", GroupName=f"{region.prefix}-workflows")
    want = {f"{region.prefix}-{name}-{s}" for name, m in WORKFLOWS["machines"].items() for s in m.get("schedules", {})}
    assert {s["Name"] for s in schedules} == want
    for schedule in schedules:
        target = region("scheduler").get_schedule(Name=schedule["Name"], GroupName=f"{region.prefix}-workflows")["Target"]
        assert target["Arn"].endswith(":live") and target["DeadLetterConfig"]["Arn"]


@pytest.fixture(scope="module")
def alarms(region):
    return {a["AlarmName"]: a for a in everything(region("cloudwatch"), "describe_alarms", "MetricAlarms") if a["AlarmName"].startswith(f"{region.prefix}-")}


def test_every_function_has_every_alarm_of_its_scope(region, alarms):
    templates = [a for a in ALARMS["alarms"] if a["scope"] == "function"]
    assert templates
    for full, (_, spec, _) in region.functions().items():
        facts = {"class": spec["concurrency"]["class"], "asynchronous": str("asynchronous" in spec).lower()}
        mine = [a for a in alarms.values() if any(d["Name"] == "FunctionName" and d["Value"] == full for d in dimensions(a))]
        assert {metric(a) for a in mine} == {t["metric"] for t in templates if t.get("only", {}).items() <= facts.items()}, full


def dimensions(alarm):
    return [*alarm.get("Dimensions", []), *[d for m in alarm.get("Metrics", []) for d in m.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])]]


def metric(alarm):
    return alarm.get("MetricName") or next(m["MetricStat"]["Metric"]["MetricName"] for m in alarm["Metrics"] if "MetricStat" in m)


def test_every_alarm_tells_somebody(region, alarms):
    topics = {t["TopicArn"] for t in everything(region("sns"), "list_topics", "Topics")}
    assert alarms
    for alarm in alarms.values():
        if not alarm["AlarmName"].endswith("-acknowledged"):  # by which somebody tells, and is told nothing
            assert alarm["AlarmActions"] and set(alarm["AlarmActions"]) <= topics, alarm["AlarmName"]
    for scope in {a["scope"] for a in ALARMS["alarms"]}:
        ids = [a["id"] for a in ALARMS["alarms"] if a["scope"] == scope]
        assert [n for n in alarms if any(i in n for i in ids)], f"no alarm of scope {scope}"


def test_composite_alarms(region):
    found = {a["AlarmName"]: a for a in region("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]}
    alarms = {a["AlarmName"] for a in everything(region("cloudwatch"), "describe_alarms", "MetricAlarms")}
    for composite in ALARMS["composites"]:
        alarm = found[f"{region.prefix}-{composite['id']}"]
        watched = set(re.findall(r'ALARM\("([^"]+)"\)', alarm["AlarmRule"]))
        assert watched and watched <= alarms
        assert alarm["AlarmActions"] == [a for a in alarm["AlarmActions"] if a.endswith(f"-{composite['severity']}")]
        severity = ALARMS["severities"][composite["severity"]]
        if "escalate_to" in severity:
            escalated = found[f"{region.prefix}-{composite['id']}-escalated"]
            assert escalated["ActionsSuppressorWaitPeriod"] == severity["escalate_after_s"]
            assert all(a.endswith(f"-{severity['escalate_to']}") for a in escalated["AlarmActions"])


def test_severities_have_topics_with_keys(region):
    topics = [t["TopicArn"] for t in everything(region("sns"), "list_topics", "Topics") if f":{region.prefix}" in t["TopicArn"]]
    for severity in ALARMS["severities"]:
        mine, = [t for t in topics if t.endswith(f"-{severity}")]
        assert region("sns").get_topic_attributes(TopicArn=mine)["Attributes"].get("KmsMasterKeyId"), mine


def test_dashboards_and_queries(region):
    names = [d["DashboardName"] for d in everything(region("cloudwatch"), "list_dashboards", "DashboardEntries") if d["DashboardName"].startswith(region.prefix)]
    assert len(names) == len(ALARMS["dashboards"])
    queries = [q["name"] for q in region("logs").describe_query_definitions()["queryDefinitions"]]
    for query in ALARMS["queries"]:
        assert [q for q in queries if query["name"] in q and (region.prefix in q or region.code in q)], query["name"]


def test_tracing_group_and_sampling(region):
    assert [g for g in region("xray").get_groups()["Groups"] if g["GroupName"].startswith(region.prefix)]
    assert [r for r in region("xray").get_sampling_rules()["SamplingRuleRecords"] if r["SamplingRule"]["RuleName"].startswith(region.prefix)]
