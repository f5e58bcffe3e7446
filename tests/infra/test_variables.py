"""Bad variables are refused while planning, with a message that says what to do."""

import concurrent.futures
import json

import kit
import pytest

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


GOOD = [("as it stands", "global", {}, []), ("as it stands", "region", {}, [])]


@pytest.fixture(scope="module")
def planned(applied, request):
    """Every selected case's plan; two at a time, each with a file of variables of its own."""
    applied.applied("global")
    stacks = {"global": applied.stack("global", folder="variables-global"), "region": applied.stack(REGION, folder="variables-region")}
    for name, stack in stacks.items():
        stack.init(f"nothing/variables-{name}")
    good = {name: json.loads(stack.overrides.read_text()) for name, stack in stacks.items()}

    def work(case):
        name, which, change, _ = case
        stack = stacks[which]
        file = stack.tree.folder / f"{name.replace(' ', '-')}.tfvars.json"
        file.write_text(json.dumps({**good[which], **change}))
        return stack.run("plan", "-no-color", "-lock=false", "-refresh=false", stack.var_files[0], f"-var-file={file}", check=False)

    two = concurrent.futures.ThreadPoolExecutor(2)
    selected = [item.callspec.params["case"] for item in request.session.items if "planned" in item.fixturenames]
    yield {(case[0], case[1]): two.submit(work, case) for case in selected}
    two.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=[c[0] for c in CASES])
def test_refused(planned, case):
    done = planned[case[0], case[1]].result()
    assert done.returncode == 1, "the plan was accepted"
    message = " ".join(done.stdout.replace("│", " ").split())
    assert "Error: Invalid value for variable" in message or "precondition failed" in message or "postcondition failed" in message, message[-3000:]
    for word in case[3]:
        assert word in message, f"the message lacks {word!r}:\n{done.stdout[done.stdout.find('Error:'):][:3000]}"


@pytest.mark.parametrize("case", GOOD, ids=[c[1] for c in GOOD])
def test_good_ones_are_taken(planned, case):
    """So that a refusal above is the change's doing."""
    assert " to add, 0 to change, 0 to destroy" in planned[case[0], case[1]].result().stdout


ENVIRONMENTS = sorted((p.stem, name) for p in (kit.PLATFORM / "environments").glob("*.jsonnet") if p.stem != "local" for name in ("global", *kit.REGIONS))


@pytest.mark.parametrize("environment, name", ENVIRONMENTS, ids=map("/".join, ENVIRONMENTS))
def test_every_environments_files_plan(applied, environment, name):
    """dev, staging and prod as they are rendered. The emulator has one global stack, of prod; the others' regional stacks are told of it."""
    applied.applied("global")
    if name != "global" and environment != "prod":
        ssm = applied.emulator.client("ssm", name)
        text = ssm.get_parameter(Name="/prism/prod/global")["Parameter"]["Value"].replace("prism-prod", f"prism-{environment}").replace("prism_prod", f"prism_{environment}")
        ssm.put_parameter(Name=f"/prism/{environment}/global", Value=text, Type="String", Overwrite=True)
    stack = kit.Stack(applied.folder / "environments" / environment / name, applied.emulator, "global" if name == "global" else "region", name,
                      {} if name == "global" else {"artifacts": applied.packages.artifacts}, environment)
    stack.init(f"nothing/{environment}/{name}")
    assert " to add, 0 to change, 0 to destroy" in stack.plan(None, "-refresh=false").stdout
