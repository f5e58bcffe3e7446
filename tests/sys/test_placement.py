"""Placement on a running region: `prism tenant placement` and `rebalance`, and what function tenants refuses."""

import json

import pytest


def invoke(region, event, tmp_path, check=True):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    done = region.run("invoke", "tenants", str(path), check=check)
    return json.loads(done.stdout)


def shards(region, *more):
    return {s["shard"]: s for s in json.loads(region.run("tenant", "placement", "--json", *more).stdout)["shards"]}


def test_tenants_take_places_and_give_them_back(fresh, tmp_path):
    before = shards(fresh)["shard-0"]["load"]["tenants"]  # the operator's and the first
    assert before == 2
    fresh.run("tenant", "create", "acme")
    assert shards(fresh)["shard-0"]["load"]["tenants"] == before + 1
    assert "3 of 2000" in fresh.run("tenant", "placement").stdout

    invoke(fresh, {"op": "shard", "shard": "shard-0", "bounds": {"tenants": 3}}, tmp_path)
    refused = fresh.run("tenant", "create", "late", check=False)
    assert refused.returncode != 0 and "no shard of this region may take it" in refused.stderr
    assert fresh.run("tenant", "show", "late", check=False).returncode != 0
    fresh.run("tenant", "delete", "acme")
    fresh.run("tenant", "create", "late")
    assert shards(fresh, "--recount")["shard-0"]["load"]["tenants"] == 3

    assert "even enough" in fresh.run("tenant", "rebalance", "--dry-run").stdout
    assert fresh.run("tenant", "rebalance", check=False).returncode != 0
    assert json.loads(fresh.run("tenant", "rebalance", "--dry-run", "--json").stdout)["proposals"] == []


@pytest.mark.parametrize("event, why", [
    ({"op": "shard", "shard": "shard-7"}, "no such shard"),
    ({"op": "shard", "shard": "shard-0", "bounds": {"tenants": -1}}, "whole numbers"),
    ({"op": "shard", "shard": "shard-0", "kind": "odd"}, "kind is"),
    ({"op": "observe", "loads": [{"tenant": "acme"}]}, "a load has"),
    ({"op": "create", "name": "x", "shard": "shard-7"}, "no such shard"),
])
def test_what_is_refused(region, tmp_path, event, why):
    assert why in invoke(region, event, tmp_path, check=False)["errorMessage"]
