"""`prism verify` from the outside: exit codes, formats, filters, plans from files and from standard input."""

import json
import os
import re
import subprocess

import pytest
from conftest import PRISM, ROOT

DONE, FAILED, USAGE, FOUND = 0, 1, 2, 4


def verify(*args, stdin=None):
    return subprocess.run([PRISM, "verify", *map(str, args)], capture_output=True, text=True, input=stdin, timeout=120,
                          env={"PATH": os.environ["PATH"]})


def plan_of(*resources):
    return json.dumps({
        "variables": {name: {"value": value} for name, value in {"project": "prism", "environment": "prod", "region": "eu-west-1"}.items()},
        "configuration": {"root_module": {"resources": [{"mode": "managed", "type": type_, "name": "x"} for type_, _ in resources]}},
        "resource_changes": [{"address": f"{type_}.x", "type": type_, "name": "x", "mode": "managed",
                              "change": {"actions": ["create"], "after": {"tags_all": {"Stack": "region"}} | attributes, "after_unknown": {}}}
                             for type_, attributes in resources]})


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(plan_of(("aws_vpc", {"cidr_block": "10.0.0.0/16"}), ("aws_internet_gateway", {})))
    return path


def test_a_finding_is_exit_code_4_and_names_the_resource(plan):
    done = verify("--plan", plan, "--rule", "PV-NET-01")
    assert done.returncode == FOUND and done.stderr == ""
    assert done.stdout.startswith("PV-NET-01: error: aws_internet_gateway.x: ") and "fix: " in done.stdout


def test_nothing_found_is_exit_code_0(plan):
    done = verify("--plan", plan, "--rule", "PV-NET-16")
    assert done.returncode == DONE and "0 findings; 1 rules on 1 plan" in done.stdout


def test_a_plan_may_come_from_standard_input(plan):
    done = verify("-p", "-", "-r", "PV-NET-01", "--json", stdin=plan.read_text())
    assert done.returncode == FOUND and json.loads(done.stdout)["findings"][0]["plan"] == "stdin"


@pytest.mark.parametrize("text, said", [("", "empty"), ("{}", "terraform show -json"), ("nonsense", "JSON"), ('{"resource_changes": []}', "configuration")])
def test_what_is_no_plan_is_refused(tmp_path, text, said):
    path = tmp_path / "p.json"
    path.write_text(text)
    done = verify("--plan", path)
    assert done.returncode == FAILED and said in done.stderr and done.stdout == ""


@pytest.mark.parametrize("args, code, said", [
    ((), USAGE, "terraform show -json"), (("--plan", "/nowhere"), FAILED, "does not exist"), (("--rule", "PV-XYZ", "--list"), USAGE, "--list"),
    (("--list", "--platform", "/nowhere"), FAILED, "/nowhere"), (("--list", "--infra", "/nowhere"), FAILED, "/nowhere"),
    (("--format", "xml"), USAGE, "text json sarif"), (("plan.json",), USAGE, "what is 'plan.json'?")])
def test_mistakes_are_named(args, code, said):
    done = verify(*args)
    assert done.returncode == code and said in done.stderr


def test_json_tells_which_rules_applied(plan):
    told = json.loads(verify("--plan", plan, "--json").stdout)
    assert told["plans"][0] | {"name": ""} == {"name": "", "stack": "region", "environment": "prod", "region": "eu-west-1", "resources": 2,
                                               "sources": False, "note": told["plans"][0]["note"]}
    rules = {rule["id"]: rule for rule in told["rules"]}
    assert rules["PV-NET-01"]["applied"] and rules["PV-NET-01"]["looked_at"] > 0 and not rules["PV-GLB-01"]["applied"]
    assert sum(rule["findings"] for rule in rules.values()) == len(told["findings"])
    assert all(f["message"] and f["fix"] and f["level"] in ("error", "warning") for f in told["findings"])


def test_filters_leave_the_rest_out(plan):
    only = json.loads(verify("--plan", plan, "-r", "PV-NET-", "-x", "PV-NET-01", "--json").stdout)
    ids = {rule["id"] for rule in only["rules"]}
    assert ids and "PV-NET-01" not in ids and all(i.startswith("PV-NET-") for i in ids)
    assert {f["rule"] for f in only["findings"]} <= ids


def test_the_list_has_at_least_70_rules_each_with_its_sentence():
    rules = json.loads(verify("--list", "--json").stdout)["rules"]
    assert len(rules) >= 70 and len({rule["id"] for rule in rules}) == len(rules)
    assert all(re.fullmatch(r"PV-[A-Z]+-\d\d", rule["id"]) and rule["seed"].endswith(".") and rule["proves"] for rule in rules)
    assert "seed: " in verify("--list").stdout


def test_sarif_has_what_code_hosts_need(plan):
    log = json.loads(verify("--plan", plan, "--format", "sarif").stdout)
    assert log["version"] == "2.1.0" and len(log["runs"]) == 1
    driver, results = log["runs"][0]["tool"]["driver"], log["runs"][0]["results"]
    assert driver["name"] == "prism verify" and results
    for rule in driver["rules"]:
        assert rule["defaultConfiguration"]["level"] in ("error", "warning") and re.fullmatch(r"[A-Za-z0-9]+", rule["name"])
    for result in results:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] and result["message"]["text"].endswith(".")
        location = result["locations"][0]
        assert location["logicalLocations"][0]["fullyQualifiedName"] and location["physicalLocation"]["artifactLocation"]["uri"] == str(plan)


def test_several_plans_are_held_against_each_other(tmp_path, plan):
    other = tmp_path / "other.json"
    other.write_text(plan.read_text().replace("eu-west-1", "us-east-1"))
    done = verify("--plan", plan, "--plan", other, "--rule", "PV-NET-16", "--json")
    assert done.returncode == FOUND and json.loads(done.stdout)["findings"][0]["plan"] == str(other)


def test_verify_is_in_the_documentation():
    assert "## verify" in (ROOT / "docs" / "cli.md").read_text()
