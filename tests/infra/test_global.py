"""What the global stack made, seen with boto3."""

import hashlib
import io
import json
import os
import subprocess
import zipfile

import kit
import pytest
from conftest import everything

PREFIX = "prism-prod"
DOMAIN = "prod.prism.example"
TABLES = kit.platform("functions.json")["stores"]["tables"]["tables"]
PROVISIONED = kit.settings("global")["tables"]["provisioned"]
IMAGES = sorted(n for n, f in kit.platform("functions.json")["functions"].items() if f["package"] == "image")


@pytest.fixture(scope="module", autouse=True)
def stack(applied):
    return applied.applied("global")


def test_second_plan_has_no_changes(applied):
    applied.plan_again("global").result()


@pytest.mark.parametrize("table", TABLES)
def test_table_and_its_replica(aws, table):
    name = f"{PREFIX}-{table}"
    home = aws("dynamodb").describe_table(TableName=name)["Table"]
    assert {r["RegionName"] for r in home["Replicas"]} == set(kit.REGIONS) - {kit.HOME}
    for region in kit.REGIONS:
        ddb = aws("dynamodb", region)
        found = ddb.describe_table(TableName=name)["Table"]
        assert [(k["AttributeName"], k["KeyType"]) for k in found["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]
        assert found["SSEDescription"]["SSEType"] == "KMS" and f":{region}:" in found["SSEDescription"]["KMSMasterKeyArn"]
        assert ddb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"][
            "PointInTimeRecoveryStatus"] == "ENABLED"
    assert aws("dynamodb").describe_time_to_live(TableName=name)["TimeToLiveDescription"] == {"AttributeName": "expires_at",
                                                                                                "TimeToLiveStatus": "ENABLED"}
    if table in PROVISIONED:
        assert home["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    else:
        assert home["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert home["OnDemandThroughput"] == {"MaxReadRequestUnits": 12000, "MaxWriteRequestUnits": 4000}


@pytest.mark.parametrize("region", kit.REGIONS)
def test_provisioned_tables_scale_in_every_region(aws, region):
    scaling = aws("application-autoscaling", region)
    targets = {(t["ResourceId"], t["ScalableDimension"]): (t["MinCapacity"], t["MaxCapacity"])
               for t in everything(scaling, "describe_scalable_targets", "ScalableTargets", ServiceNamespace="dynamodb")}
    want = {(f"table/{PREFIX}-{table}", f"dynamodb:table:{way.title()}CapacityUnits"): (units["min"], units["max"])
            for table, ways in PROVISIONED.items() for way, units in ways.items()}
    assert targets == want
    policies = everything(scaling, "describe_scaling_policies", "ScalingPolicies", ServiceNamespace="dynamodb")
    assert {(p["ResourceId"], p["ScalableDimension"]) for p in policies} == set(want)


def test_an_item_written_at_home_is_read_elsewhere(aws):
    """The emulator's replicas share their items at once; that the tables are replicas of each other is what is shown."""
    key = {"pk": {"S": "probe"}, "sk": {"S": "#"}}
    aws("dynamodb").put_item(TableName=f"{PREFIX}-tenants", Item=key)
    for region in kit.REGIONS:
        assert aws("dynamodb", region).get_item(TableName=f"{PREFIX}-tenants", Key=key)["Item"] == key
    aws("dynamodb").delete_item(TableName=f"{PREFIX}-tenants", Key=key)


@pytest.fixture(scope="module")
def zone(aws):
    zones = [z for z in aws("route53").list_hosted_zones()["HostedZones"] if z["Name"] == f"{DOMAIN}."]
    assert len(zones) == 1 and not zones[0]["Config"]["PrivateZone"]
    return zones[0]["Id"].rsplit("/", 1)[1]


@pytest.fixture(scope="module")
def records(aws, zone):
    return everything(aws("route53"), "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone)


def test_latency_records_follow_the_regions_and_their_health(aws, records):
    found = {r["Region"]: r for r in records if r["Name"] == f"origin.{DOMAIN}."}
    assert set(found) == set(kit.REGIONS)
    checks = {c["Id"]: c["HealthCheckConfig"] for c in aws("route53").list_health_checks()["HealthChecks"]}
    for region, code in kit.REGIONS.items():
        assert found[region]["ResourceRecords"] == [{"Value": f"origin.{code}.api.{DOMAIN}"}]
        check = checks[found[region]["HealthCheckId"]]
        assert (check["Type"], check["FullyQualifiedDomainName"], check["ResourcePath"]) == ("HTTPS", f"{code}.api.{DOMAIN}", "/v1/health")


def test_failover_records(records):
    found = {r["Failover"]: r["ResourceRecords"][0]["Value"] for r in records if r["Name"] == f"failover.{DOMAIN}."}
    assert found == {"PRIMARY": f"failover.use1.api.{DOMAIN}", "SECONDARY": f"failover.euw1.api.{DOMAIN}"}
    assert all(r.get("HealthCheckId") for r in records if r["Name"] == f"failover.{DOMAIN}.")


def test_zone_is_signed_and_says_who_may_issue(aws, zone, records):
    signing = aws("route53").get_dnssec(HostedZoneId=zone)
    assert signing["Status"]["ServeSignature"] == "SIGNING" and signing["KeySigningKeys"][0]["Status"] == "ACTIVE"
    assert any(r["Type"] == "CAA" and any("amazon.com" in v["Value"] for v in r["ResourceRecords"]) for r in records)


@pytest.fixture(scope="module")
def distribution(aws):
    found, = aws("cloudfront").list_distributions()["DistributionList"]["Items"]
    return aws("cloudfront").get_distribution_config(Id=found["Id"])["DistributionConfig"]


def test_the_edge_router_stands_at_every_behaviour(aws, distribution):
    router = aws("lambda").get_function_configuration(FunctionName=f"{PREFIX}-edge", Qualifier="1")
    assert router["Runtime"].startswith("nodejs") and not router.get("VpcConfig", {}).get("SubnetIds") and "Environment" not in router
    assert sorted(distribution["Aliases"]["Items"]) == [f"api.{DOMAIN}", DOMAIN]
    behaviours = [distribution["DefaultCacheBehavior"], *distribution["CacheBehaviors"].get("Items", [])]
    for behaviour in behaviours:
        associated = behaviour["LambdaFunctionAssociations"]["Items"]
        assert {a["EventType"] for a in associated} == {"origin-request", "origin-response"}
        assert {a["LambdaFunctionARN"] for a in associated} == {router["FunctionArn"]}
        assert behaviour["ViewerProtocolPolicy"] == "https-only"
    assert {o["DomainName"] for o in distribution["Origins"]["Items"]} == {f"origin.{DOMAIN}", f"failover.{DOMAIN}"}
    for origin in distribution["Origins"]["Items"]:
        assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert distribution["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"


def test_the_firewall_stands_before_the_edge(aws, distribution):
    acls = aws("wafv2").list_web_acls(Scope="CLOUDFRONT")["WebACLs"]
    assert [a["ARN"] for a in acls] == [distribution["WebACLId"]]
    rules = aws("wafv2").get_web_acl(Name=acls[0]["Name"], Id=acls[0]["Id"], Scope="CLOUDFRONT")["WebACL"]["Rules"]
    groups = {r["Statement"]["ManagedRuleGroupStatement"]["Name"] for r in rules if "ManagedRuleGroupStatement" in r["Statement"]}
    assert groups == {"AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"}
    assert any("RateBasedStatement" in r["Statement"] for r in rules)
    logged = aws("wafv2").get_logging_configuration(ResourceArn=acls[0]["ARN"])["LoggingConfiguration"]
    assert {f["SingleHeader"]["Name"] for f in logged["RedactedFields"]} >= {"authorization", "x-api-key"}


def test_the_domain_leads_to_the_edge(records):
    names = {(r["Name"], r["Type"]): r["AliasTarget"]["DNSName"] for r in records if "AliasTarget" in r and r["Name"] in (f"{DOMAIN}.", f"api.{DOMAIN}.")}
    assert set(names) == {(n, t) for n in (f"{DOMAIN}.", f"api.{DOMAIN}.") for t in ("A", "AAAA")}
    assert all(".cloudfront.net" in v for v in names.values())


def test_certificate_is_for_the_domain_and_in_us_east_1(aws, distribution):
    arns = [c["CertificateArn"] for c in aws("acm").list_certificates()["CertificateSummaryList"]]
    assert distribution["ViewerCertificate"]["ACMCertificateArn"] in arns
    certificate = aws("acm").describe_certificate(CertificateArn=distribution["ViewerCertificate"]["ACMCertificateArn"])["Certificate"]
    assert certificate["Status"] == "ISSUED" and set(certificate["SubjectAlternativeNames"]) == {DOMAIN, f"*.{DOMAIN}"}


@pytest.mark.parametrize("region", kit.REGIONS)
@pytest.mark.parametrize("image", IMAGES)
def test_image_repository(aws, image, region):
    ecr = aws("ecr", region)
    repository, = ecr.describe_repositories(repositoryNames=[f"{PREFIX}/{image}"])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE" and repository["imageScanningConfiguration"]["scanOnPush"]
    assert repository["encryptionConfiguration"]["encryptionType"] == "KMS"
    assert f":{region}:" in repository["encryptionConfiguration"]["kmsKey"]
    rules = json.loads(ecr.get_lifecycle_policy(repositoryName=f"{PREFIX}/{image}")["lifecyclePolicyText"])["rules"]
    assert {r["selection"]["tagStatus"] for r in rules} == {"tagged", "untagged"}
    policy = json.loads(ecr.get_repository_policy(repositoryName=f"{PREFIX}/{image}")["policyText"])
    assert [s["Principal"] for s in policy["Statement"]] == [{"Service": "lambda.amazonaws.com"}]


def test_images_are_replicated(aws):
    rules = aws("ecr").describe_registry()["replicationConfiguration"]["rules"]
    assert {d["region"] for r in rules for d in r["destinations"]} == set(kit.REGIONS) - {kit.HOME}


@pytest.mark.parametrize("region,code", kit.REGIONS.items())
def test_artifact_bucket(aws, region, code):
    s3, bucket = aws("s3", region), f"{PREFIX}-artifacts-{code}-{kit.ACCOUNT}"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rule, = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert f":{region}:" in rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    denied = [s for s in json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] if s["Effect"] == "Deny"]
    assert any(s["Condition"].get("Bool", {}).get("aws:SecureTransport") == "false" for s in denied)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]


def test_the_pipelines_store(aws):
    """The environment that platform/pipeline.json names has the bucket: versions, a key of its own, an append-only journal; roles that use it and no more."""
    store = kit.platform("pipeline.json")["store"]
    assert f"prism-{store['environment']}" == PREFIX
    s3, bucket = aws("s3", kit.HOME), f"{PREFIX}-{store['name']}-{kit.ACCOUNT}"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rule, = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms" and rule["BucketKeyEnabled"]
    key = aws("kms", kit.HOME).describe_key(KeyId=rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"])["KeyMetadata"]
    assert key["KeyManager"] == "CUSTOMER" and key["Enabled"]
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    expiring, = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert "NoncurrentVersionExpiration" in expiring and "Expiration" not in expiring  # runs themselves stay
    denied = {s["Sid"]: s for s in json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] if s["Effect"] == "Deny"}
    assert denied["TlsOnly"]["Condition"]["Bool"]["aws:SecureTransport"] == "false"
    assert denied["EntriesNeverReplaced"]["Resource"] == f"arn:aws:s3:::{bucket}/{store['prefix']}/runs/??????/??????.json"

    def allowed(role):
        iam = aws("iam")
        for policy in everything(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=f"{PREFIX}-{role}"):
            if f":{kit.ACCOUNT}:" not in policy["PolicyArn"]:
                continue
            version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"]
            for statement in document["Statement"]:
                if any(bucket in resource for resource in statement["Resource"]):
                    yield from ((action, resource) for action in statement["Action"] for resource in statement["Resource"])

    objects = f"arn:aws:s3:::{bucket}/{store['prefix']}/*"
    reads = {("s3:GetObject", objects), ("s3:ListBucket", f"arn:aws:s3:::{bucket}")}
    assert set(allowed("plan")) == reads
    assert set(allowed("deploy")) == reads | {("s3:PutObject", objects), ("s3:AbortMultipartUpload", objects)}


def test_artifacts_are_replicated_from_home(aws):
    rules = aws("s3").get_bucket_replication(Bucket=f"{PREFIX}-artifacts-use1-{kit.ACCOUNT}")["ReplicationConfiguration"]["Rules"]
    assert [(r["Destination"]["Bucket"], r["Status"]) for r in rules] == [(f"arn:aws:s3:::{PREFIX}-artifacts-euw1-{kit.ACCOUNT}", "Enabled")]
    assert ":eu-west-1:" in rules[0]["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"]


@pytest.mark.parametrize("region", kit.REGIONS)
def test_signing_profile(aws, region):
    name = f"{PREFIX}-{kit.REGIONS[region]}".replace("-", "_")
    assert aws("signer", region).get_signing_profile(profileName=name)["platformId"] == "AWSLambda-SHA384-ECDSA"


def test_the_pipeline_signs_zips_for_each_region(aws, world, scratch):
    """It finds bucket and profile by what the stack published, and leaves a signed copy where the region's functions are deployed from."""
    path, data = scratch("signing"), io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        z.writestr("bootstrap", "#!/bin/sh")
    digest = hashlib.sha256(data.getvalue()).hexdigest()
    key, buckets = f"functions/keys/{digest}.zip", {region: f"{PREFIX}-artifacts-{code}-{kit.ACCOUNT}" for region, code in kit.REGIONS.items()}
    for folder in ("package/functions/keys", "platform", "config"):
        (path / folder).mkdir(parents=True)
    (path / "package" / key).write_bytes(data.getvalue())
    (path / "package/artifacts.tfvars.json").write_text(json.dumps({"artifacts": {"keys": {"kind": "zip", "sha256": digest}}}))
    for region, bucket in buckets.items():
        (path / f"config/{region}.tfvars.json").write_text("{}")
        if region != kit.HOME:  # S3 replicates it there; the emulator remembers the rule only
            aws("s3", region).put_object(Bucket=bucket, Key=key, Body=data.getvalue())
    (path / "platform/pipeline.json").write_text(json.dumps({"version": 1, "environments": {"prod": {"approval": {"by_starter": True}}}, "stages": [
        {"name": "build", "steps": [
            {"name": "release", "action": "release", "with": {"package": "package", "source": "test", "platform": str(kit.PLATFORM)}},
            {"name": "publish", "action": "publish", "with": {"to": f"s3://{buckets[kit.HOME]}"}}]},
        {"name": "prod", "environment": "prod", "waves": [{"name": f"to-{region}", "regions": [region], "bake": {"time_s": 0}} for region in sorted(buckets)],
         "region_steps": [{"name": "sign", "action": "sign", "with": {"config": "config", "parameter": "/prism/${environment}/global", "every_s": 1}}]}]}))
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PRISM_")) and k.lower() not in ("http_proxy", "https_proxy", "no_proxy")}
    done = subprocess.run([kit.PRISM, "pipeline", "run", "--json", "--root", path, "--state", path / "state", "--as", "ada"], cwd=path, capture_output=True, text=True,
                          env={**keep, **world.emulator.environment()}, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    results = {s["step"].split("/")[2]: s["result"]["signed"]["keys"] for stage in json.loads(done.stdout)["run"]["stages"] for s in stage["steps"] if s["step"].endswith("/sign")}
    assert set(results) == set(kit.REGIONS) and len({r["signed_sha256"] for r in results.values()}) == len(results)
    for region, bucket in buckets.items():
        copy = aws("s3", region).get_object(Bucket=bucket, Key=f"functions/keys/{results[region]['signed_sha256']}.zip")["Body"].read()
        assert results[region]["sha256"] == digest and hashlib.sha256(copy).hexdigest() == results[region]["signed_sha256"]
        with zipfile.ZipFile(io.BytesIO(copy)) as z:
            assert z.read("bootstrap") == b"#!/bin/sh" and any(name.startswith("META-INF/") for name in z.namelist())


def test_delivery_roles_trust_one_repository_and_environment(aws):
    for role, environment in (("plan", "prod-plan"), ("deploy", "prod")):
        found = aws("iam").get_role(RoleName=f"{PREFIX}-{role}")["Role"]
        assert found["PermissionsBoundary"]["PermissionsBoundaryArn"].startswith(f"arn:aws:iam::{kit.ACCOUNT}:policy/{PREFIX}-{role}")
        statement, = found["AssumeRolePolicyDocument"]["Statement"]
        conditions = statement["Condition"]["StringEquals"]
        assert conditions["token.actions.githubusercontent.com:sub"] == f"repo:prism/prism:environment:{environment}"
        assert conditions["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert len(aws("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1


def test_budget(aws):
    budgets = aws("budgets").describe_budgets(AccountId=kit.ACCOUNT)["Budgets"]
    assert [(b["BudgetName"], b["BudgetType"], float(b["BudgetLimit"]["Amount"])) for b in budgets] == [(f"{PREFIX}-total", "COST", 20000)]
    notices = aws("budgets").describe_notifications_for_budget(AccountId=kit.ACCOUNT, BudgetName=f"{PREFIX}-total")["Notifications"]
    assert {(n["NotificationType"], n["Threshold"]) for n in notices} == {("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}


@pytest.mark.parametrize("region,code", kit.REGIONS.items())
def test_what_is_published_to_a_region(aws, region, code):
    parameter = aws("ssm", region).get_parameter(Name="/prism/prod/global")["Parameter"]
    assert len(parameter["Value"]) <= 4096
    published = json.loads(parameter["Value"])
    assert published["version"] == 1 and published["domain"] == DOMAIN and set(published["regions"]) == set(kit.REGIONS)
    assert published["artifact_bucket"] == f"{PREFIX}-artifacts-{code}-{kit.ACCOUNT}"
    assert {name: table["arn"] for name, table in published["tables"].items()} == {
        t: f"arn:aws:dynamodb:{region}:{kit.ACCOUNT}:table/{PREFIX}-{t}" for t in TABLES}
    for key in ("tables_key_arn", "artifacts_key_arn"):
        assert aws("kms", region).describe_key(KeyId=published[key])["KeyMetadata"]["Enabled"]


@pytest.mark.parametrize("region", kit.REGIONS)
def test_log_groups_have_retention_and_a_key(aws, region):
    groups = everything(aws("logs", region), "describe_log_groups", "logGroups")
    mine = [g for g in groups if PREFIX + "-edge" in g["logGroupName"] or DOMAIN in g["logGroupName"]]
    assert mine
    for group in mine:
        assert group.get("retentionInDays") and group.get("kmsKeyId"), group["logGroupName"]


def test_alarms_watch_the_edge(aws):
    names = {a["AlarmName"] for a in everything(aws("cloudwatch"), "describe_alarms", "MetricAlarms")}
    assert {f"{PREFIX}-{n}" for n in ("region-down-use1", "region-down-euw1", "edge-errors", "router-errors", "router-throttles")} <= names
