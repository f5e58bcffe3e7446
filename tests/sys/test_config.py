"""`prism config` from the outside: what is rendered, and that everything wrong is refused at its place, with what to do."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest
from conftest import PRISM, ROOT

sys.path.append(str(ROOT / "tests/infra"))
from wrong_variables import CASES, REGION  # noqa: E402

DONE, FAILED, USAGE, REFUSED = 0, 1, 2, 4


def config(*args, cwd=None):
    return subprocess.run([PRISM, "config", *map(str, args)], capture_output=True, text=True, timeout=60, cwd=cwd, env={"PATH": os.environ["PATH"], "HOME": "/"})


class Platform:
    """A copy of the platform whose files a test changes."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "platform"
        shutil.copytree(ROOT / "platform", self.folder)

    def edit(self, file, old, new):
        path = self.folder / "environments" / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file}: {text.count(old)} times: {old}"
        path.write_text(text.replace(old, new))

    def line(self, file, part):
        return next(i for i, line in enumerate((self.folder / "environments" / file).read_text().splitlines(), 1) if (line.endswith(part[:-1]) if part.endswith("$") else part in line))

    def run(self, *args):
        return config(*args, "--platform", self.folder, "--infra", ROOT / "infra", cwd=self.folder.parent)


@pytest.fixture
def platform(tmp_path):
    return Platform(tmp_path)


def test_the_environments_that_are_there_are_fine():
    done = config("check")
    assert done.returncode == DONE and done.stdout == "dev: fine\nlocal: fine\nprod: fine\nstaging: fine\n"
    unsigned = [name for name, settings in json.loads((ROOT / "platform" / "pipeline.json").read_text())["environments"].items() if not settings.get("signers")]
    assert done.stderr == "" if not unsigned else f"no signers for {', '.join(unsigned)}:" in done.stderr and len(done.stderr.splitlines()) == 2


def test_environments_that_take_any_release_are_told(platform):
    """Whose releases an environment takes stands in pipeline.json; where that is nobody's in particular, whoever checks hears of it."""
    file = platform.folder / "pipeline.json"
    pipeline = json.loads(file.read_text())
    key = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    pipeline["environments"]["prod"]["signers"] = [key]
    pipeline["environments"]["dev"].pop("signers", None)
    file.write_text(json.dumps(pipeline))
    done = platform.run("check", "--environment", "dev")
    assert done.returncode == DONE and done.stdout == "dev: fine\n" and f"warning: {file.resolve()}: no signers for dev:" in done.stderr
    done = platform.run("check", "--environment", "prod")
    assert done.returncode == DONE and done.stderr == ""
    for settings in pipeline["environments"].values():
        settings["signers"] = [key]
    file.write_text(json.dumps(pipeline))
    assert platform.run("check", "--json").stderr == ""
    steps = pipeline["lists"]["region"]
    pipeline["lists"]["region"] = [step for step in steps if step["action"] != "sign"]
    file.write_text(json.dumps(pipeline))
    done = platform.run("check")
    assert done.returncode == DONE and [line.split(": ", 2)[2].split(" ")[0] for line in done.stderr.splitlines()[::2]] == ["prod", "staging"], done.stderr
    assert "takes signed code only (code_signing), and its regions are planned without a step `sign`" in done.stderr
    file.unlink()  # nothing to say of what is not there
    assert platform.run("check").stderr == ""


# ---- what is rendered -------------------------------------------------------------------------------------------

RENDERED = {  # environment, stack: values by path; computed ones among them
    ("prod", "us-east-1"): {"environment": "prod", "region": "us-east-1", "cidr": "10.48.0.0/16", "replica_region": "eu-west-1",
                            "peer_cidrs": {"eu-west-1": "10.49.0.0/16"}, "peer_shards": {"eu-west-1": ["shard-0", "shard-1"]},
                            "shards": {"shard-0": {}, "shard-1": {}}, "hot": {"ingest_mib_per_s": 64, "query_mib_per_s": 128, "replicate": True},
                            "database": {"capacity_min": 2, "capacity_max": 64, "readers_min": 2, "readers_max": 8, "backup_days": 35}},
    ("prod", "eu-west-1"): {"replica_region": "us-east-1", "log_retention_days": 365},
    ("staging", "eu-west-1"): {"cidr": "10.33.0.0/16", "replica_region": "us-east-1", "peer_shards": {"us-east-1": ["shard-0"]},
                               "database": {"capacity_min": 0.5, "capacity_max": 8, "readers_min": 1, "readers_max": 2, "backup_days": 7}},
    ("dev", "us-east-1"): {"replica_region": None, "code_signing": False, "concurrency": {f: {"provisioned_min": 0} for f in ("ingest", "query", "authorizer")}},
    ("dev", "global"): {"environment": "dev", "domain": "dev.prism.example", "regions": {"us-east-1": {"primary": True}, "eu-west-1": {"secondary": True}},
                        "budgets": {"total": {"limit_usd": 300}}, "region": None},
}


@pytest.mark.parametrize("environment", ["dev", "prod", "staging"])
def test_what_is_rendered(environment, tmp_path):
    done = config("render", "--environment", environment, "--out", tmp_path / "made" / "out")
    assert done.returncode == DONE, done.stderr
    assert sorted(p.name for p in (tmp_path / "made" / "out").iterdir()) == ["eu-west-1.tfvars.json", "global.tfvars.json", "us-east-1.tfvars.json"]
    for (of, stack), values in RENDERED.items():
        if of == environment:
            got = json.loads((tmp_path / "made" / "out" / f"{stack}.tfvars.json").read_text())
            assert {name: got.get(name) for name in values} == values


def test_hours_are_each_regions_own():
    whole = json.loads(config("render", "-e", "prod").stdout)
    for region, day, night in (("us-east-1", "0 11 ? * MON-FRI *", "0 1 ? * TUE-SAT *"), ("eu-west-1", "0 6 ? * MON-FRI *", "0 20 ? * MON-FRI *")):
        ingest = whole[region]["concurrency"]["ingest"]
        assert ingest == {"provisioned_min": 10, "provisioned_max": 200, "reserved": 400,
                          "schedule": {"day": {"cron": day, "min": 20, "max": 200}, "night": {"cron": night, "min": 5, "max": 200}}}


def test_settings_go_to_functions_in_the_standard_naming_and_parameters_to_ssm(platform):
    platform.edit("dev.jsonnet", "    code_signing: false,", """    code_signing: false,
    settings: { common: { log_level: 'debug' }, query: { timeout_ms: 20000, threads: 1 }, ingest: { log_level: 'warn' } },
    parameters: { common: { log_level: 'info' }, query: { rows_max: 5000000 } },""")
    got = json.loads(platform.run("render", "-e", "dev", "--region", "eu-west-1").stdout)
    assert got["settings"]["query"] == {"PRISM_LOG_LEVEL": "debug", "PRISM_QUERY_THREADS": "1", "PRISM_QUERY_TIMEOUT_MS": "20000"}
    assert got["settings"]["ingest"] == {"PRISM_LOG_LEVEL": "warn"} and got["settings"]["bridge"] == {"PRISM_LOG_LEVEL": "debug"}
    assert got["parameters"] == {"log_level": "info", "query/rows_max": "5000000"}
    environment = json.loads(platform.run("render", "-e", "dev", "--region", "eu-west-1", "--as", "environment").stdout)
    catalogue = json.loads((ROOT / "platform" / "functions.json").read_text())["functions"]
    assert environment["query"] == {**catalogue["query"]["environment"], **got["settings"]["query"]}
    assert environment.keys() == catalogue.keys()
    assert json.loads(platform.run("render", "-e", "dev", "--region", "eu-west-1", "--as", "parameters").stdout) == got["parameters"]


# ---- what is refused --------------------------------------------------------------------------------------------

ENV, BASE, SIZES, HOURS = "prod.jsonnet", "lib/base.libsonnet", "lib/sizes.libsonnet", "lib/hours.libsonnet"

# name; file, what stands there, what a test writes there; the fault's file (as edited if None) and a part of its line; its key; words
# of the message; words of the remedy.
WRONG = [
    ("no Jsonnet", ENV, "budget_usd=20000,", "budget_usd=20000,,", None, "budget_usd", "", ["unexpected"], ["correct the template"]),
    ("an unknown variable", ENV, "budget_usd=20000", "budget_usd=budget", None, "budget_usd", "", ["Unknown variable: budget"], ["correct"]),
    ("an import that is not there", ENV, "lib/hours.libsonnet", "lib/ours.libsonnet", None, "lib/ours", "", ["couldn't open import", "no such file"], ["below platform/"]),
    ("an import from elsewhere", ENV, "import 'lib/hours.libsonnet'", "importstr '/etc/hostname'", None, "/etc/hostname", "", ["outside of the platform's folder"], ["below platform/"]),
    ("an import upwards", ENV, "import 'lib/hours.libsonnet'", "import '../../../../../../../../etc/hostname'", None, "etc/hostname", "", ["outside"], ["below platform/"]),
    ("a missing parameter", ENV, "  domain='prod.prism.example',\n", "", None, "base.environment(", "", ["parameter domain not bound"], ["needs this parameter"]),
    ("a parameter that there is not", ENV, "  name='prod',", "  name='prod', regional=1,", None, "base.environment(", "", ["regional"], ["parameters"]),
    ("a field that is not there", ENV, "sizes.large", "sizes.huge", None, "sizes.huge", "", ["field does not exist: huge"], ["set this field"]),
    ("a circle", ENV, "log_retention_days: 365", "log_retention_days: self.log_retention_days", None, "log_retention_days: self", "regions.eu-west-1.log_retention_days",
     ["follows from itself"], ["break the circle", "prod.jsonnet"]),
    ("a circle over two fields", ENV, "log_retention_days: 365", "a:: self.b, b:: self.a, log_retention_days: self.a", None, "self.b", "regions.eu-west-1.log_retention_days",
     ["follows from itself"], ["break the circle"]),
    ("no end of work", ENV, "budget_usd=20000", "budget_usd=std.length([x for x in std.range(0, 100000000)])", None, "budget_usd", "", ["evaluation was stopped"], ["shorten"]),
    ("an error of a template", BASE, "    environment: name,", "    environment: error 'no name',", None, "no name", "environment", ["no name"], ["correct the template"]),
    ("an assertion", ENV, "log_retention_days: 365", "assert false : 'not on Fridays', log_retention_days: 365", None, "not on Fridays", "", ["not on Fridays"], ["correct"]),
    ("a function as a value", ENV, "log_retention_days: 365", "log_retention_days: function(x) x", None, "function(x)", "regions.eu-west-1.log_retention_days", ["function is no value"], []),
    ("an unknown key", ENV, "log_retention_days: 365", "log_retention_dais: 365", None, "log_retention_dais", "regions.eu-west-1.log_retention_dais", ["no key log_retention_dais"],
     ["did you mean log_retention_days?"]),
    ("an unknown key inside", SIZES, "capacity_max: 64", "capacity_max: 64, capasity_min: 1", None, "capasity_min", "regions.eu-west-1.database.capasity_min", ["no key"],
     ["did you mean capacity_min?"]),
    ("an unknown key of all", ENV, "  regions+: {\n", "  region: {}, regions+: {\n", None, "region: {}", "region", ["no key region"], ["did you mean regions?"]),
    ("a missing value", BASE, "        cidr: regions[one].cidr,\n", "", None, "settings[other].cidr", "regions.eu-west-1.peer_cidrs.us-east-1", ["does not exist: cidr"], ["set this field"]),
    ("a missing variable", BASE, "      domain: domain,\n", "", None, "global: {", "global.domain", ["domain is missing"], ["set it here: domain: <a text>"]),
    ("a number as a text", ENV, "log_retention_days: 365", "log_retention_days: '365'", None, "log_retention_days", "regions.eu-west-1.log_retention_days",
     ["is a text and must be a number"], ["write a number"]),
    ("a text where a list is", ENV, "page: ['oncall@prism.example']", "page: 'oncall@prism.example'", None, "page:", "regions.eu-west-1.alert_emails.page",
     ["must be a list"], ["write a list"]),
    ("a list where an object is", ENV, "alert_emails: { page:", "hot: [], alert_emails: { page:", None, "hot: []", "regions.eu-west-1.hot", ["must be an object"], ["write an object"]),
    ("null where none may be", ENV, "log_retention_days: 365", "log_retention_days: null", None, "null", "regions.eu-west-1.log_retention_days", ["is null"], ["write a number"]),
    ("a region that AWS has not", ENV, "'eu-west-1': { cidr", "'eu-vest-1': { cidr", BASE, "      [one]: {$", "regions.eu-vest-1", ["no region eu-vest-1"], ["did you mean eu-west-1?"]),
    ("over AWS's limit", SIZES, "capacity_max: 64", "capacity_max: 300", None, "capacity_max: 300", "regions.eu-west-1.database.capacity_max", ["300 is too large"],
     ["choose 1 to 256, in steps of 0.5", "docs.aws.amazon.com"]),
    ("between AWS's steps", SIZES, "capacity_max: 64", "capacity_max: 64.25", None, "64.25", "regions.eu-west-1.database.capacity_max", ["between two steps"], ["steps of 0.5"]),
    ("a period that CloudWatch does not know", ENV, "log_retention_days: 365", "log_retention_days: 100", None, "100", "regions.eu-west-1.log_retention_days", ["100 is not taken"],
     ["CloudWatch Logs", "docs.aws.amazon.com"]),
    ("too many shards", SIZES, "std.range(0, 1)", "std.range(0, 10)", None, "shards:", "regions.eu-west-1.shards", ["11 parts"], ["API Gateway has 10"]),
    ("a shard's name", SIZES, "'shard-%d' % i", "'cell-%d' % i", None, "cell-", "regions.eu-west-1.shards.cell-0", ["no such name"], ["shard-<number>"]),
    ("no mail address", ENV, "ticket: ['platform@prism.example']", "ticket: ['platform']", None, "ticket:", "regions.eu-west-1.alert_emails.ticket.0", ["form"], ["mail address"]),
    ("more provisioned than reserved", SIZES, "provisioned_max: 200, reserved: 400", "provisioned_max: 500, reserved: 400", None, "ingest: { provisioned_min: 10",
     "regions.eu-west-1.concurrency.ingest.provisioned_max", ["does not fit into the reserved 400"], ["provisioned_max <= reserved"]),
    ("a function that there is not", SIZES, "      query: { provisioned_min", "      quary: { provisioned_min", None, "quary", "regions.eu-west-1.concurrency.quary",
     ["no function quary"], ["correct the name"]),
    ("a proxy before a database that pauses", SIZES, "capacity_min: 2,", "capacity_min: 0,", None, "capacity_min: 0, capacity_max: 64", "regions.eu-west-1.database.capacity_min",
     ["never pauses"], ["proxy to false"]),
    ("ranges that overlap", ENV, "10.49.0.0/16", "10.48.0.0/17", None, "10.48.0.0/17", "regions.eu-west-1.cidr", ["overlaps that of us-east-1"], ["range of its own"]),
    ("a public range", ENV, "10.49.0.0/16", "8.8.0.0/16", None, "8.8.0.0/16", "regions.eu-west-1.cidr", ["not private"], ["10.0.0.0/8"]),
    ("a small range", ENV, "10.49.0.0/16", "10.49.0.0/24", None, "10.49.0.0/24", "regions.eu-west-1.cidr", ["/16 to /20"], ["10.16.0.0/16"]),
    ("no copies in prod", ENV, "  region=sizes.large {", "  copies=false,\n  region=sizes.large {", None, "'eu-west-1'+: hours", "regions.eu-west-1.replica_region",
     ["without replica_region"], ["another region"]),
    ("unsigned code in prod", ENV, "log_retention_days: 365", "log_retention_days: 365, code_signing: false", None, "code_signing", "regions.eu-west-1.code_signing", ["dev only"],
     ["code_signing to true"]),
    ("two primary regions", ENV, "secondary: true", "primary: true", BASE, "regions: {", "global.regions", ["2 regions are primary"], ["exactly one"]),
    ("more than EFS has", SIZES, "ingest_mib_per_s: 64", "ingest_mib_per_s: 3000", None, "3000", "regions.eu-west-1.hot", ["EFS provisions at most 3414"], ["lower hot"]),
    ("a setting that there is not", ENV, "log_retention_days: 365", "settings: { query: { timeout: 5 } }, log_retention_days: 365", None, "timeout: 5",
     "regions.eu-west-1.settings.query.timeout", ["no setting timeout"], ["timeout_ms"]),
    ("a setting of no function", ENV, "log_retention_days: 365", "settings: { querry: { timeout_ms: 5 } }, log_retention_days: 365", None, "querry",
     "regions.eu-west-1.settings.querry", ["no function querry"], ["did you mean query?"]),
    ("a setting over its range", ENV, "log_retention_days: 365", "settings: { ingest: { lease_s: 7200 } }, log_retention_days: 365", None, "7200",
     "regions.eu-west-1.settings.ingest.lease_s", ["7200 is too large"], ["1 to 3600, a whole number"]),
    ("a setting as a text", ENV, "log_retention_days: 365", "settings: { ingest: { lease_s: '60' } }, log_retention_days: 365", None, "'60'",
     "regions.eu-west-1.settings.ingest.lease_s", ["must be a number"], ["without quotes"]),
    ("a setting over the function's time", ENV, "log_retention_days: 365", "settings: { query: { timeout_ms: 100000 } }, log_retention_days: 365", None, "100000",
     "regions.eu-west-1.settings.query.timeout_ms", ["query ends after"], ["timeout_s"]),
    ("a parameter that nobody reads", ENV, "log_retention_days: 365", "parameters: { storage: { threads: 2 } }, log_retention_days: 365", None, "threads: 2",
     "regions.eu-west-1.parameters.storage.threads", ["read from no parameter"], ["settings"]),
    ("a digest by hand", ENV, "log_retention_days: 365", "artifacts: {}, log_retention_days: 365", None, "artifacts", "regions.eu-west-1.artifacts", ["comes with the release"],
     ["leave it out"]),
    ("another environment's name", ENV, "  name='prod',", "  name='production',", None, "production", "environment", ["prod and must say so"], ["environment: 'prod'"]),
    ("a domain that is too long", ENV, "prod.prism.example", "p" * 60 + ".example", None, "domain=", "global.domain", ["54"], ["certificates"]),
]


@pytest.mark.parametrize("case", WRONG, ids=[w[0] for w in WRONG])
def test_refused(platform, case):
    _, file, old, new, at, part, key, message, remedy = case
    platform.edit(file, old, new)
    done = platform.run("check", "--environment", "prod", "--json")
    assert done.returncode == REFUSED, done.stdout + done.stderr
    found = [f for f in json.loads(done.stdout)["faults"] if (not key or f["key"] == key) and all(word in f["message"] for word in message)]
    assert found, done.stdout
    fault, at = found[0], at or file
    assert fault["file"] == f"platform/environments/{at}" and fault["line"] == platform.line(at, part) and fault["column"] > 0, fault
    assert all(word in fault["fix"] for word in remedy), fault


NOT_SET_HERE = {"artifacts", "environment"}  # the release's, the file's name


@pytest.mark.parametrize("case", [c for c in CASES if not NOT_SET_HERE & set(c[2])], ids=lambda c: c[0])
def test_what_terraform_refuses_is_refused_before_it(platform, case):
    _, stack, change, _ = case
    of_regions = {"regions+": {REGION + "+": change}} if stack == "region" else {"global+": change}
    file = platform.folder / "environments/prod.jsonnet"
    file.write_text(file.read_text() + " + " + json.dumps(of_regions).replace('+":', '"+:'))
    done = platform.run("check", "--environment", "prod", "--json")
    assert done.returncode == REFUSED, done.stdout + done.stderr
    faults = json.loads(done.stdout)["faults"]
    assert any(set(re.findall(r"\w+", f["key"] or "")) & set(change) and f["file"] and f["line"] and f["fix"] for f in faults), faults


@pytest.mark.parametrize("old, new", [("log_retention_days: 365", "log_retention_days: 100"), ("sizes.large", "sizes.huge"), ("budget_usd=20000,", "budget_usd=20000,,")],
                         ids=["a value", "a field", "no Jsonnet"])
def test_nothing_is_rendered_of_what_is_wrong(platform, old, new):
    platform.edit("prod.jsonnet", old, new)
    out = platform.folder.parent / "out"
    done = platform.run("render", "--environment", "prod", "--out", out)
    assert done.returncode == REFUSED and done.stdout == "" and not out.exists()
    assert f"platform/environments/prod.jsonnet:{platform.line('prod.jsonnet', new)}:" in done.stderr and "nothing was touched" in done.stderr


def test_all_faults_are_told_at_once_for_all_environments(platform):
    platform.edit("prod.jsonnet", "log_retention_days: 365", "log_retention_days: 'x', code_sining: true, a: error 'broken'")
    platform.edit("dev.jsonnet", "budget_usd=300", "budget_usd=-1")
    platform.edit("staging.jsonnet", "base.environment(", "base.environment((")
    done = platform.run("check", "--json")
    assert done.returncode == REFUSED
    faults = json.loads(done.stdout)["faults"]
    said = {(f["environment"], f["message"].split(":")[0]) for f in faults}
    assert {("prod", "it is a text and must be a number"), ("prod", "there is no key code_sining"), ("dev", "-1 is too small")} <= said, said
    assert any(f["environment"] == "staging" for f in faults)
    done = platform.run("check")
    assert done.returncode == REFUSED and done.stdout.count("\n  fix: ") == len(faults) and f"{len(faults)} faults in 4 environments" in done.stdout


def test_two_regions_with_one_mistake_are_told_once(platform):
    platform.edit("prod.jsonnet", "log_retention_days: 365", "log_retention_days: 100")
    assert len(json.loads(platform.run("check", "--json").stdout)["faults"]) == 1


@pytest.mark.parametrize("args, code, said", [
    (("render",), USAGE, "--environment"), (("render", "-e", "pro"), USAGE, "did you mean prod?"), (("render", "-e", "prod", "--region", "mars"), USAGE, "no region mars"),
    (("render", "-e", "local"), USAGE, "no Terraform"), (("check", "-e", "qa"), USAGE, "no environment qa"), (("check", "--platform", "/nowhere"), FAILED, "/nowhere"),
    (("render", "-e", "prod", "--as", "yaml"), USAGE, "yaml"),
])
def test_wrong_use_is_told(args, code, said):
    done = config(*args)
    assert done.returncode == code and said in done.stderr, done.stderr


# ---- where a value comes from -----------------------------------------------------------------------------------


def explain(platform, key, *args):
    done = platform.run("explain", key, "--json", *args)
    assert done.returncode == DONE, done.stderr
    return json.loads(done.stdout)["keys"]


def test_a_value_is_explained_with_its_layers(platform):
    platform.edit("prod.jsonnet", "    'eu-west-1'+: hours.office(6, 20, warm),", "    'eu-west-1'+: hours.office(6, 20, warm) + { database+: { capacity_max: 32 } },")
    europe, america = explain(platform, "database.capacity_max", "-e", "prod")
    assert (europe["key"], europe["value"], europe["set"], europe["default"]) == ("regions.eu-west-1.database.capacity_max", 32, True, 16)
    assert europe["from"]["file"] == "platform/environments/prod.jsonnet" and europe["from"]["line"] == platform.line("prod.jsonnet", "capacity_max: 32")
    assert [(o["file"], o["line"]) for o in europe["over"]] == [("platform/environments/lib/sizes.libsonnet", platform.line("lib/sizes.libsonnet", "capacity_max: 64"))]
    assert (america["value"], america["over"]) == (64, [])
    assert europe["limit"]["max"] == 256 and "docs.aws.amazon.com" in europe["limit"]["source"]
    assert "ACU" in europe["about"] and europe["declared"] == "infra/region/variables.tf"
    assert europe["goes"] == "variable database of infra/region" and europe["file"] == "eu-west-1.tfvars.json"
    said = platform.run("explain", "database.capacity_max", "-e", "prod", "--region", "eu-west-1").stdout
    assert "= 32\n" in said and "\n  over      platform/environments/lib/sizes.libsonnet:" in said and "us-east-1" not in said


def test_a_value_is_followed_through_a_templates_parameters(platform):
    cidr, = explain(platform, "peer_cidrs.eu-west-1", "-e", "prod", "--region", "us-east-1")
    assert cidr["value"] == "10.49.0.0/16" and cidr["from"]["file"] == "platform/environments/prod.jsonnet"
    assert cidr["from"]["line"] == platform.line("prod.jsonnet", "10.49.0.0/16") and cidr["at"]["file"] == "platform/environments/lib/base.libsonnet"


def test_a_default_is_explained_too(platform):
    found = explain(platform, "database.pause_after_s", "--region", "us-east-1")
    assert len(found) == 3 and all((f["set"], f["value"], f["default"], f["at"]) == (False, None, 900, None) for f in found)
    query, = explain(platform, "PRISM_QUERY_TIMEOUT_MS", "-e", "local")
    catalogue = json.loads((ROOT / "platform" / "functions.json").read_text())["functions"]
    assert query["key"] == "regions.local.settings.query.timeout_ms" and query["default"] == int(catalogue["query"]["environment"]["PRISM_QUERY_TIMEOUT_MS"])
    assert query["goes"] == "PRISM_QUERY_TIMEOUT_MS in the environment of query"
    assert explain(platform, "query/timeout_ms", "-e", "local")[0]["goes"] == "parameter config/query/timeout_ms of SSM"


@pytest.mark.parametrize("key, said", [("databas.proxy", "did you mean database?"), ("database.proxi", "did you mean proxy?"), ("nonsense", "no environment has a key nonsense"),
                                       ("regions", "no environment"), ("", "no environment")])
def test_a_key_that_there_is_not_is_told(key, said):
    done = config("explain", key)
    assert done.returncode == USAGE and said in done.stderr


# ---- differences ------------------------------------------------------------------------------------------------


def test_two_environments_differ(platform):
    got = json.loads(platform.run("diff", "staging", "prod", "--json").stdout)
    found = {d["key"]: (d["change"], d["left"], d["right"]) for d in got["differences"]}
    assert found["eu-west-1.database.capacity_max"] == ("changed", 8, 64) and found["global.domain"][0] == "changed"
    assert found["us-east-1.shards.shard-1"] == ("added", None, {}) and found["us-east-1.concurrency.query.reserved"] == ("added", None, 200)
    assert "eu-west-1.owner" not in found
    said = platform.run("diff", "prod", "staging").stdout
    assert said.startswith("--- prod\n+++ staging\n") and "\n~ eu-west-1.database.capacity_max: 64 -> 8\n" in said and "\n- us-east-1.shards.shard-1: {}\n" in said


def test_an_environment_differs_from_what_was_rendered(platform):
    out = platform.folder.parent / "out"
    assert platform.run("render", "-e", "prod", "--out", out).returncode == DONE
    assert platform.run("diff", out, "prod").stdout.endswith("no difference\n")
    platform.edit("prod.jsonnet", "log_retention_days: 365", "log_retention_days: 400")
    assert json.loads(platform.run("diff", out, "prod", "--json").stdout)["differences"] == [
        {"key": f"{region}.log_retention_days", "change": "changed", "left": 365, "right": 400} for region in ("eu-west-1", "us-east-1")]


def test_an_environment_differs_from_a_revision(platform):
    root = platform.folder.parent
    shutil.copytree(ROOT / "infra", root / "infra", ignore=shutil.ignore_patterns(".terraform"))
    git = ["git", "-C", root, "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for args in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *args], check=True, timeout=60)
    platform.edit("prod.jsonnet", "budget_usd=20000", "budget_usd=25000")
    assert json.loads(platform.run("diff", "HEAD:prod", "prod", "--json").stdout)["differences"] == [
        {"key": "global.budgets.total.limit_usd", "change": "changed", "left": 20000, "right": 25000}]
    done = platform.run("diff", "nothing:prod", "prod")
    assert done.returncode == FAILED and "nothing" in done.stderr
    assert platform.run("diff", "--", "-x:prod", "prod").returncode == USAGE


def test_what_cannot_be_compared_is_told(platform):
    (platform.folder.parent / "empty").mkdir()
    done = platform.run("diff", platform.folder.parent / "empty", "prod")
    assert done.returncode == FAILED and "tfvars.json" in done.stderr
    platform.edit("prod.jsonnet", "log_retention_days: 365", "log_retention_days: 'x'")
    done = platform.run("diff", "staging", "prod")
    assert done.returncode == REFUSED and "prod.jsonnet:" in done.stderr and done.stdout == ""


# ---- one description --------------------------------------------------------------------------------------------


def schema():
    return json.loads((ROOT / "platform" / "config.json").read_text())


def test_every_setting_of_a_function_is_described_and_its_default_fits():
    described = schema()["settings"]
    for function, spec in json.loads((ROOT / "platform" / "functions.json").read_text())["functions"].items():
        for variable, text in spec.get("environment", {}).items():
            if not variable.startswith(f"PRISM_{function.upper()}_"):
                continue  # it follows from where the function stands, such as PRISM_SHARDS, and is set by nobody
            name = variable.removeprefix(f"PRISM_{function.upper()}_").lower()
            says = described[function][name]
            assert says["min"] <= int(text) <= says["max"], variable
            assert "default" not in says, f"{variable}: its default stands in functions.json"


def specs_of(function):
    """The table of settings in a function's source: variable, parameter, ceiling, live."""
    text = (ROOT / "src" / "fn" / function / "main.c").read_text()
    table = re.search(r"setting_spec specs\[SETTINGS\] = \{(.*?)\n\};", text, re.S)[1]
    for variable, parameter, most, live in re.findall(r'\{"(\w+)", "([\w/]+)",\s*(.*?),\s*(true|false)\}', table, re.S):
        yield variable, parameter, eval(re.sub(r"\(uint64_t\)|U?INT64_C", "", most)), live == "true"  # numbers, shifts and products


@pytest.mark.parametrize("function", ["ingest", "query"])
def test_ranges_are_those_that_the_function_takes(function):
    described = schema()["settings"][function]
    specs = {parameter: (variable, most, live) for variable, parameter, most, live in specs_of(function)}
    assert {f"{function}/{name}" for name in described} == specs.keys()
    for name, says in described.items():
        variable, most, live = specs[f"{function}/{name}"]
        assert (says["min"], says["max"], says["live"]) == (1, most, live), name
        assert variable == f"PRISM_{function.upper()}_{name.upper()}"


def test_every_limit_is_of_a_variable():
    """A limit of a key that no stack has would limit nothing."""
    variables = {stack: set(re.findall(r'^variable "(\w+)"', (ROOT / "infra" / stack / "variables.tf").read_text(), re.M)) for stack in ("global", "region")}
    for key in (*schema()["limits"], *schema()["given"]):
        parts = key.split(".")
        if parts[0] == "global":
            assert parts[1] in variables["global"], key
        elif len(parts) > 2:
            assert parts[:2] == ["regions", "*"] and parts[2] in variables["region"], key


def test_drift_takes_what_is_rendered(platform, tmp_path):
    """Without --config; a wrong environment ends it before Terraform is asked."""
    def drift():
        return subprocess.run([PRISM, "drift", "-e", "prod", "--terraform", "/bin/false", "--platform", platform.folder, "--infra", ROOT / "infra"], capture_output=True,
                              text=True, timeout=60, cwd=platform.folder.parent,
                              env={"PATH": os.environ["PATH"], "PRISM_STATE_BUCKET": "b", "PRISM_STATE_REGION": "r", "TMPDIR": str(tmp_path)})

    done = drift()
    assert done.returncode == FAILED and "global of prod: terraform init ended" in done.stderr
    platform.edit("prod.jsonnet", "log_retention_days: 365", "log_retention_days: 100")
    done = drift()
    assert done.returncode == REFUSED and "prod.jsonnet:" in done.stderr and not list(tmp_path.glob("prism-drift-*"))


# ---- a region on one machine ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def up(data, *args, **env):
    return subprocess.run([PRISM, "--data", data, "up", "--detach", *map(str, args)], capture_output=True, text=True, timeout=120,
                          env={"PATH": os.environ["PATH"], "HOME": str(data.parent), **env})


def test_what_the_build_rendered_of_local_is_what_a_first_start_takes(tmp_path, port):
    """tests/unit/config/test_local.c has what follows when a file was changed since."""
    built = json.loads((PRISM.resolve().parent / "settings.json").read_text())
    assert built["functions"]["query"]["PRISM_METRICS_INTERVAL_MS"] == "10000"
    assert built["functions"] == json.loads(config("render", "-e", "local", "--as", "environment").stdout)
    assert set(built["inputs"]) == {"environments/local.jsonnet", "functions.json", "config.json"}
    data = tmp_path / "data"
    done = up(data, "--port", port)
    assert done.returncode == DONE, done.stderr
    subprocess.run([PRISM, "--data", data, "down"], capture_output=True, timeout=120)
    assert (data / "prism.json").exists() and not (data / "settings.json").exists()


@pytest.mark.parametrize("args, code, said", [
    (("--environment", "lokal"), USAGE, "no environment lokal"), (("--environment", "prod"), USAGE, "no region local"),
])
def test_a_region_of_no_environment_is_refused(tmp_path, args, code, said):
    done = up(tmp_path / "data", *args)
    assert done.returncode == code and said in done.stderr, done.stderr
