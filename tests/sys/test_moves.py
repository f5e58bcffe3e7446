"""POST /v1/admin/tenants/{tenant}/moves goes from the gateway to Step Functions without a function between: what is sent and answered are made by the contract's
mapping templates. Here a tenant is asked to move to where it is at home, so that an execution begins and ends at once."""

import json
import time

import pytest

from conftest import Region
from region_kit import Tree, problem

MOVE = {"id": "first", "to": "local", "to_prefix": "prism", "to_shard": "shard-0"}


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    r = Region(tmp_path_factory.mktemp("moves") / "data").up()
    r.run("tenant", "create", "acme")
    yield r
    assert r.status()["phase"] == "serving"
    r.down()


def move(region, tenant="acme", key=None, body=None, media="application/json", **members):
    data = body if body is not None else json.dumps({**MOVE, **members})
    return region.call("POST", f"/v1/admin/tenants/{tenant}/moves", key=key or region.admin_key, data=data.encode(), headers={"Content-Type": media})


def by(region, key=None):
    return {"tenant": "_system", "key_id": (key or region.admin_key).split("_")[1]}


def execution(region, name):
    """What the machine was started with, when it has ended."""
    until = time.monotonic() + 100
    while True:
        about = region.json("workflow", "show", name)
        if about["status"] != "RUNNING" or time.monotonic() > until:
            return about
        time.sleep(0.2)


def test_a_move_begins_with_what_was_asked(region):
    answer = move(region, id="begins")
    assert answer.status_code == 202 and answer.headers["Content-Type"] == "application/json", answer.text
    assert answer.json()["execution"].endswith("-tenant-migration:begins") and list(answer.json()) == ["execution"]
    assert answer.headers["x-amzn-RequestId"] and answer.headers["Access-Control-Allow-Origin"] == "*"
    about = execution(region, "begins")
    given = about["input"] if isinstance(about["input"], dict) else json.loads(about["input"])
    assert given == {"tenant": "acme", "to": "local", "to_prefix": "prism", "to_shard": "shard-0", "by": by(region)}


@pytest.mark.parametrize("tenant", ["nobody", "%22", "%5C%22%2C%22to%22%3A%22x", "$input.body", "%23set(%24x%3D1)", "a'b", "%0A", "%C3%A4", "%F0%9F%98%80", "%5C", "%24%7Bx%7D"])
def test_a_name_that_no_tenant_has_is_a_value_and_nothing_else(region, tenant):
    from urllib.parse import unquote

    name = "odd-" + tenant.encode().hex()[:40]
    answer = move(region, tenant, id=name)
    assert answer.status_code == 202, answer.text
    about = execution(region, name)
    given = about["input"] if isinstance(about["input"], dict) else json.loads(about["input"])
    assert given == {"tenant": unquote(tenant), "to": "local", "to_prefix": "prism", "to_shard": "shard-0", "by": by(region)}
    assert about["status"] == "FAILED"


def test_the_same_request_twice_starts_nothing_twice_and_another_one_is_refused(region):
    assert move(region, id="twice").status_code == 202
    again, other = move(region, id="twice"), move(region, id="twice", to_shard="shard-1")
    assert again.status_code in (202, 409), again.text  # the execution runs still, or has ended
    assert problem(other, 409)["detail"].startswith("this id was given to another move")
    execution(region, "twice")
    assert problem(move(region, id="twice"), 409)["title"] == "Conflict"


@pytest.mark.parametrize("body", [
    "", "{", "[]", "null", "{}", json.dumps({**MOVE, "more": 1}), json.dumps({**MOVE, "to": 'x","tenant":"other'}), json.dumps({**MOVE, "id": "a b"}), json.dumps({**MOVE, "id": ""}),
    json.dumps({**MOVE, "to_prefix": "$context.requestId"}), json.dumps({**MOVE, "to_shard": "#set($x = 1)"}), json.dumps({**MOVE, "to": None}),
    '{"id":"dup","to":"local","to":"\\"","to_prefix":"prism","to_shard":"shard-0"}',
])
def test_bodies_are_held_against_the_model_before(region, body):
    assert problem(move(region, body=body), 400)["detail"].startswith("Invalid request body: ["), body


def test_who_asked_for_a_move_is_in_the_audit_log(region):
    region.run("tenant", "create", "told")
    key = region.call("POST", "/v1/admin/tenants/_system/keys", key=region.admin_key, json={"scopes": ["admin"]}).json()["key"]
    assert move(region, "told", key=key, id="told").status_code == 202
    execution(region, "told")
    calls = [call for call in region.json("audit", "list", "told")["calls"] if call["operation"] == "tenant.move"]
    assert [call["who"] | {"request_id": ""} for call in calls] == [by(region, key) | {"direct": True, "source": "", "request_id": ""}], calls
    assert calls[0]["target"] == "told" and calls[0]["status"] == 400  # it is at home there already
    asked = region.json("audit", "show", "told", calls[0]["seq"])["intent"]["asked"]["move"]
    assert asked["execution"].endswith("-tenant-migration:told") and asked["request"]["to"] == "local"


@pytest.mark.parametrize("where", [{"to": "nowhere"}, {"to_prefix": "nobodys"}], ids=["region", "prefix"])
def test_a_move_to_where_nothing_is_fails_and_asks_nobody(region, where):
    name = "to-" + "-".join(where.values())
    region.run("tenant", "create", name)
    assert move(region, name, id=name, **({"to": "elsewhere"} | where)).status_code == 202
    about = execution(region, name)
    assert about["status"] == "FAILED" and about["error"] == "NotAllowed", about
    assert not region.json("workflow", "list", "--interventions")["interventions"]
    assert "moving" not in region.json("tenant", "show", name)
    assert move(region, name, id=name + "-again", **({"to": "elsewhere"} | where)).status_code == 202  # nothing of the first stands in its way
    assert execution(region, name + "-again")["error"] == "NotAllowed"


def test_other_media_types_have_no_template(region):
    for media in ("text/plain", "application/x-www-form-urlencoded"):
        assert problem(move(region, media=media), 415)["requestId"]


def test_nobody_but_an_operator_with_the_scope_admin_starts_anything(region):
    def key(tenant, *scopes):
        return region.call("POST", f"/v1/admin/tenants/{tenant}/keys", key=region.admin_key, json={"scopes": list(scopes)}).json()["key"]

    for at, (tenant, scopes) in enumerate([("acme", ["ingest", "query", "admin"]), ("acme", ["admin"]), ("_system", ["ingest", "query"])]):
        refused = problem(move(region, key=key(tenant, *scopes), id=f"refused-{at}"), 403)
        assert refused["detail"] == "an operator's key with the scope admin moves tenants"
        assert region.run("workflow", "show", f"refused-{at}", check=False).returncode != 0
    assert problem(move(region, key="prism_0_0"), 401)["title"] == "Unauthorized"


@pytest.mark.parametrize("template, words", [
    ('{"input":"$input.body"}', "is escaped 0 time"),
    ("#foreach($x in $input.path('$'))1#end", "after # stands if"),
    ('"$context.nothing"', "$context.nothing is not known"),
])
def test_a_template_beyond_the_subset_fails_its_calls_and_starts_nothing(tmp_path, template, words):
    def with_template(contract):
        contract["paths"]["/v1/admin/tenants/{tenant}/moves"]["post"]["x-amazon-apigateway-integration"]["requestTemplates"]["application/json"] = template

    r = Tree(tmp_path, contract=with_template).up()
    problem(move(r, id="beyond"), 502)
    log = (r.data / "logs" / "region.log").read_text()
    assert "a mapping template failed" in log and words in log
    assert r.run("workflow", "show", "beyond", check=False).returncode != 0
    assert r.call("GET", "/v1/health").status_code == 200
    r.down()
