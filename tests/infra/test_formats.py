"""What `prism verify` prints, against OASIS's schema of SARIF and against what docs/cli.md says of text and JSON."""

import json
import re
import subprocess

import jsonschema
import kit
import pytest

SCHEMA = json.loads((kit.part("sarif-schema") / "sarif-2.1.0.json").read_text())
DOCUMENTED = (kit.ROOT / "docs" / "cli.md").read_text().split("\n## verify\n")[1].split("\n## ")[0]

# RFC 3986, a relative or absolute path: the schema asks for a URI reference, and the validator leaves that unchecked.
PATH_REFERENCE = re.compile(r"(?:[A-Za-z0-9._~/!$&'()*+,;=@-]|%[0-9A-F]{2})+")


def verify(*arguments, infra=kit.ROOT / "infra"):
    done = subprocess.run([kit.PRISM, "verify", "--infra", infra, "--platform", kit.PLATFORM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=600)
    assert done.returncode in (0, 4), done.stderr
    return done.stdout


def plan_of(region, resources):
    """A plan as Terraform prints it, as far as it is read, from type and attributes."""
    variables = {"project": "prism", "environment": "prod", "region": region}
    return json.dumps({
        "variables": {name: {"value": value} for name, value in variables.items()},
        "configuration": {"root_module": {"resources": [{"mode": "managed", "type": kind, "name": "x"} for kind in resources]}},
        "resource_changes": [{"address": f"{kind}.x", "type": kind, "name": "x", "mode": "managed",
                              "change": {"actions": ["create"], "after": {"tags_all": {"Stack": "region"}, **attributes}, "after_unknown": {}}}
                             for kind, attributes in resources.items()]})


@pytest.fixture
def broken(tmp_path):
    """Two plans of one region with something wrong in each family; the first has a name that is no URI."""
    names = ["a plan: 100% \"b\u00e4d\".json", "other.json"]
    for name in names:
        (tmp_path / name).write_text(plan_of("eu-west-1", {
            "aws_vpc": {"cidr_block": "10.0.0.0/16"}, "aws_internet_gateway": {}, "aws_s3_bucket": {"bucket": "b"}, "aws_sqs_queue": {"name": "q\"\\\n\x1b[2J"}}))
    return [tmp_path / name for name in names]


def check_sarif(text):
    log = json.loads(text)
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    run, = log["runs"]
    for result in run["results"]:
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"] and rule["defaultConfiguration"]["level"] == result["level"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert PATH_REFERENCE.fullmatch(uri) and uri in [a["location"]["uri"] for a in run["artifacts"]]
    return run["results"]


def test_the_schema_is_the_standards():
    jsonschema.Draft4Validator.check_schema(SCHEMA)
    assert SCHEMA["id"] == "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    with pytest.raises(jsonschema.ValidationError):  # it does refuse what is none
        jsonschema.Draft4Validator(SCHEMA).validate({"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]})


def test_sarif_with_findings(broken):
    results = check_sarif(verify("--plan", broken[0], "--plan", broken[1], "--format", "sarif"))
    assert len(results) > 100 and len({r["ruleId"] for r in results}) > 50


def test_sarif_without_findings(broken):
    assert check_sarif(verify("--plan", broken[1], "--rule", "PV-NET-16", "--format", "sarif")) == []


def test_sarif_of_the_stacks(applied, scratch):
    """The real plans, held against a catalogue that is another one."""
    plans = [argument for name in ("global", *kit.REGIONS) for argument in ("--plan", applied.plan_json(name))]
    assert check_sarif(verify(*plans, "--format", "sarif")) == []
    nothing = scratch("no-platform")
    assert check_sarif(verify(*plans, "--platform", nothing, "--format", "sarif"))


def test_json_is_as_documented(broken):
    told = json.loads(verify("--plan", broken[0], "--plan", broken[1], "--format", "json"))
    shape = {part: re.findall(r'"(\w+)"', keys) for part, keys in re.findall(r'"(\w+)":\[\{([^}]*)\}\]', DOCUMENTED)}
    assert list(shape) == list(told) == ["plans", "findings", "rules"]
    for part, keys in shape.items():
        assert told[part]
        for entry in told[part]:
            assert [key for key in entry if key != "note"] == keys and ("note" not in entry or part == "plans")
    assert any(f["address"] == "" for f in told["findings"]) and any(f["address"] for f in told["findings"])


def test_text_is_as_documented(broken):
    assert "`RULE: LEVEL: [PLAN: ][ADDRESS: ]MESSAGE`" in DOCUMENTED
    both = ["--plan", str(broken[0]), "--plan", str(broken[1])]
    findings = json.loads(verify(*both, "--format", "json"))["findings"]
    lines = verify(*both).split("\n")
    assert lines.pop() == ""
    for f in findings:
        address = f"{f['address']}: " if f["address"] else ""
        message = re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\x{ord(m[0]):02x}", f["message"])  # or a plan could move a terminal's cursor
        assert lines.pop(0) == f"{f['rule']}: {f['level']}: {f['plan']}: {address}{message}"
        assert lines.pop(0) == f"    fix: {f['fix']}"
    while lines[0].startswith("note: "):
        lines.pop(0)
    assert re.fullmatch(rf"{len(findings)} findings; \d+ rules on 2 plans", *lines)
