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

    assert json.loads(fresh.run("tenant", "shard", "shard-0", "--tenants", "3").stdout)["bounds"]["tenants"] == 3
    refused = fresh.run("tenant", "create", "late", check=False)
    assert refused.returncode != 0 and "no shard of this region may take it" in refused.stderr
    assert fresh.run("tenant", "show", "late", check=False).returncode != 0
    fresh.run("tenant", "delete", "acme")
    fresh.run("tenant", "create", "late")
    assert shards(fresh, "--recount")["shard-0"]["load"]["tenants"] == 3

    assert "even enough" in fresh.run("tenant", "rebalance", "--dry-run").stdout
    assert fresh.run("tenant", "rebalance", check=False).returncode != 0
    assert json.loads(fresh.run("tenant", "rebalance", "--dry-run", "--json").stdout)["proposals"] == []


def test_shards_are_changed_by_operators_and_the_audit_log_tells(fresh):
    fresh.run("tenant", "create", "acme")
    mine = fresh.json("key", "create", "acme", "--scopes", "ingest,query,admin")["key"]
    change = {"state": "closed", "kind": "pooled", "bounds": {"bytes": 7}}
    for method, path, body in [("GET", "/v1/admin/shards", None), ("PATCH", "/v1/admin/shards/shard-0", change), ("PATCH", "/v1/admin/shards/nosuch", change),
                               ("POST", "/v1/admin/placement/recount", None), ("GET", "/v1/admin/placement/proposals", None)]:
        assert fresh.call(method, path, key=mine, json=body).status_code == 403, path
    before = shards(fresh)["shard-0"]
    changed = fresh.call("PATCH", "/v1/admin/shards/shard-0", key=fresh.admin_key, json=change)
    assert changed.status_code == 200 and changed.json() == {**before, "state": "closed", "kind": "pooled", "bounds": {**before["bounds"], "bytes": 7}}
    assert fresh.call("GET", "/v1/admin/shards", key=fresh.admin_key).json()["shards"] == [changed.json()]
    assert fresh.run("tenant", "create", "late", check=False).returncode == 4
    told = [c for c in fresh.json("audit", "list", "--limit", "1000")["calls"] if c["operation"] == "shard.change"]
    # A refused one of a tenant's stands in its own chain.
    assert [(c["target"], c["status"], c["who"]["tenant"]) for c in told] == [("shard-0", 403, "acme"), ("nosuch", 403, "acme"), ("shard-0", 200, "_system")]
    shown = fresh.json("audit", "show", told[-1]["chain"], told[-1]["seq"])
    assert shown["intent"]["before"] == before and shown["intent"]["asked"] == change and shown["outcome"]["after"] == changed.json()
    assert "before" not in fresh.json("audit", "show", told[0]["chain"], told[0]["seq"])["intent"]
    fresh.run("tenant", "shard", "shard-0", "--state", "open", "--kind", "any", "--bytes", "0")
    assert shards(fresh) == {"shard-0": before}
    recounted = fresh.call("POST", "/v1/admin/placement/recount", key=fresh.admin_key)
    assert recounted.status_code == 200 and recounted.json() == {"mended": 0, "shards": [before]}


@pytest.mark.parametrize("path, body, status", [
    ("shard-7", {"state": "open"}, 404), ("shard-0", {"state": "ajar"}, 400), ("shard-0", {"bounds": {"tenants": -1}}, 400), ("shard-0", {"bounds": {"rows": 1}}, 400),
    ("shard-0", {"shard": "shard-1"}, 400), ("shard-0", [], 400), ("shard-0%2F..", {"state": "open"}, 404), ("%00", {"state": "open"}, 404),
])
def test_no_change_of_a_shard(region, path, body, status):
    before = shards(region)
    assert region.call("PATCH", f"/v1/admin/shards/{path}", key=region.admin_key, json=body).status_code == status
    assert region.run("tenant", "shard", "shard-0", check=False).returncode == 2 and shards(region) == before


@pytest.mark.parametrize("event, why", [
    ({"op": "shard", "shard": "shard-7"}, "no such shard"),
    ({"op": "shard", "shard": "shard-0", "bounds": {"tenants": -1}}, "whole numbers"),
    ({"op": "shard", "shard": "shard-0", "kind": "odd"}, "kind is"),
    ({"op": "observe", "loads": [{"tenant": "acme"}]}, "a load has"),
    ({"op": "create", "name": "x", "shard": "shard-7"}, "no such shard"),
])
def test_what_is_refused(region, tmp_path, event, why):
    assert why in invoke(region, event, tmp_path, check=False)["errorMessage"]
