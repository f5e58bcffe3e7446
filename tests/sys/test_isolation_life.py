"""Isolation through a tenant's life: names that begin like another's, keys that ended, tenants that were suspended, deleted or moved to another region."""

import json
import os
import shutil

import pytest

from isolation_kit import CATALOGUE, CONTRACT, EU, US, Fleet, Tenant, Witness, ask
from region_kit import wait

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: run tools/setup test"),
    pytest.mark.skipif(os.environ.get("PRISM_TEST_STORES") == "aws", reason="several regions keep their stores in their folders"),
]

JSON = ("Content-Type", "application/json")
SELECT = {"sql": "SELECT * FROM logs"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    f = Fleet(tmp_path_factory.mktemp("l"), authorizer_ttl_s=2).up().settle()
    yield f
    f.down()


def admin(fleet, tenant, method, body=None, name=None, port=None):
    return ask(port or tenant.home(), method, f"/v1/admin/tenants/{name or tenant.name}", fleet.admin_key, [JSON], body)


def opens_nothing(fleet, tenant, key, statuses=(401,)):
    """At every door, on every route that takes a key."""
    for port in fleet.doors().values():
        for method, path in (("GET", "/v1/datasets"), ("GET", f"/v1/datasets/{tenant.only}"), ("GET", f"/v1/admin/tenants/{tenant.name}"), ("GET", f"/v1/admin/tenants/{tenant.name}/keys"),
                             ("DELETE", f"/v1/datasets/{tenant.only}")):
            answer = ask(port, method, path, key)
            assert answer.status in statuses and tenant.canary not in answer.text(), answer.text()
        answer = ask(port, "POST", "/v1/query", key, [JSON], SELECT)
        assert answer.status in statuses and tenant.canary not in answer.text(), answer.text()
        assert ask(port, "POST", "/v1/ingest/logs", key, [("Content-Type", "application/x-ndjson")], '{"n":1}\n').status in statuses


def kept(fleet, key, status):
    """Until the doors have forgotten what they knew of a key; the contract says for how long they may keep it."""
    for port in fleet.doors().values():
        wait(lambda: ask(port, "GET", "/v1/datasets", key).status in status, seconds=90, every=0.2)


# ---- names that begin alike ----


@pytest.mark.parametrize("name", ["pre/", "pre/x", "/pre", "../pre", "pre.", "pre ", "Pre", "PRE", "pr\u00e9", "pre\u0000", "pre%2f", "pre*", "pre?", "", "_pre", "1pre", "_moves", ".fence", "pre\n", "x" * 64])
def test_a_name_that_could_be_read_as_anothers_is_no_name(fleet, name):
    answer = ask(fleet.port_of(US), "POST", "/v1/admin/tenants", fleet.admin_key, [JSON], {"name": name})
    assert answer.status == 400, answer.text()


def test_what_is_done_to_a_tenant_is_not_done_to_those_whose_names_begin_alike(fleet):
    """Dropped datasets, the tenant deleted, everything that runs by itself run: the others' rows are all there, hot and sealed."""
    doomed, *others = tenants = [Tenant(fleet, name, US, "shard-0") for name in ("pre", "pre-2", "pre_2", "prex", "pr")]
    for tenant in tenants:
        tenant.fill()
        tenant.send("logs_2", [{"n": 1, "body": tenant.canary}])
    fleet.tick("seal", "compact")
    for tenant in tenants:
        tenant.fill(2)
    before = [t.state() for t in others]
    assert ask(doomed.home(), "DELETE", "/v1/datasets/logs", doomed.key).status == 200
    assert doomed.rows("SELECT count(*) FROM logs_2") == [[1]]  # a dataset's name that begins alike
    assert admin(fleet, doomed, "DELETE").status == 200
    for names in (("retain",), ("seal", "compact", "retain", "ttl"), ("retain",)):
        fleet.tick(*names)
    assert [t.state() for t in others] == before
    opens_nothing(fleet, doomed, doomed.key)
    for tenant in others:
        witness = Witness(tenant, [t for t in tenants if t is not tenant])
        for sql in ("SELECT * FROM logs", "SELECT * FROM logs_2", f"SELECT * FROM {tenant.only}", "SHOW TABLES"):
            assert witness.ask(tenant.home(), "POST", "/v1/query", headers=[JSON], body={"sql": sql}).status == 200
    assert admin(fleet, doomed, "POST", {"name": doomed.name}, name="").status in (403, 404, 405)
    again = ask(doomed.home(), "POST", "/v1/admin/tenants", fleet.admin_key, [JSON], {"name": doomed.name})
    assert again.status == 409  # nobody comes into what is left of it


# ---- keys and tenants that ended ----


def test_a_revoked_key_opens_nothing_anywhere(fleet):
    tenant = Tenant(fleet, "revoked", US, "shard-1")
    tenant.fill()
    fleet.known_everywhere([tenant])
    gone = tenant.key
    other = ask(tenant.home(), "POST", f"/v1/admin/tenants/{tenant.name}/keys", gone, [JSON], {"scopes": ["query", "admin"]}).json()["key"]
    assert ask(tenant.home(), "DELETE", f"/v1/admin/tenants/{tenant.name}/keys/{gone.split('_')[1]}", other).status == 200
    kept(fleet, gone, {401})
    opens_nothing(fleet, tenant, gone)
    assert ask(tenant.home(), "POST", "/v1/query", other, [JSON], SELECT).status == 200


def test_a_suspended_tenant_reaches_nothing_and_nobody_reaches_it(fleet):
    tenant, beside = Tenant(fleet, "paused", US, "shard-0"), Tenant(fleet, "paused-2", US, "shard-0")
    for t in (tenant, beside):
        t.fill()
    fleet.known_everywhere([tenant, beside])
    before = tenant.state()
    assert admin(fleet, tenant, "PATCH", {"status": "suspended"}).status == 200
    kept(fleet, tenant.key, {403})
    opens_nothing(fleet, tenant, tenant.key, (403,))
    for witness, attacker in ((Witness(beside, [tenant]), beside),):
        for sql in (f"SELECT * FROM {tenant.only}", "SELECT * FROM logs", f'SELECT * FROM "../{tenant.name}/logs"'):
            witness.ask(attacker.home(), "POST", "/v1/query", headers=[JSON], body={"sql": sql})
        assert witness.ask(attacker.home(), "PATCH", f"/v1/admin/tenants/{tenant.name}", headers=[JSON], body={"status": "active"}).status == 403
    assert admin(fleet, tenant, "PATCH", {"status": "active"}).status == 200
    kept(fleet, tenant.key, {200, 421})
    after = tenant.state()
    assert after[2:] == before[2:] and after[0]["status"] == "active"


# ---- a tenant that moved ----


def test_what_a_tenant_left_behind_is_nobodys(fleet):
    """In the region that it left and in the one where it is: its own key sees all of it at home and nothing elsewhere, others' keys nothing anywhere."""
    mover, here, there = Tenant(fleet, "mover", US, "shard-0"), Tenant(fleet, "mover-2", US, "shard-0"), Tenant(fleet, "mover-3", EU, "shard-0")
    for tenant in (mover, here, there):
        tenant.fill()
    fleet.tick("seal")
    for tenant in (mover, here, there):
        tenant.fill(2)
    fleet.known_everywhere([mover, here, there])
    before = mover.state()
    fleet.run("workflow", "start", "tenant-migration", "--region", US, "--input", '{"tenant":"mover","to":"%s","to_prefix":"prism","to_shard":"shard-0"}' % EU)
    wait(lambda: admin(fleet, mover, "GET", port=fleet.port_of(EU)).json().get("home_region") == EU, seconds=60, every=0.1)
    mover.region = EU
    wait(lambda: mover.query("SELECT 1").status == 200, seconds=60, every=0.1)
    after = mover.state()
    assert after[2:] == before[2:] and after[1] == before[1]
    left = ask(fleet.port_of(US), "POST", "/v1/query", mover.key, [JSON], SELECT)
    assert left.status in (421, 503) and mover.canary not in left.text()
    regions = fleet.data / "regions"
    for attacker in (here, there):
        witness = Witness(attacker, [mover])
        paths = [p for r in (US, EU) for p in (regions / r).rglob("*") if p.is_file() and (f"/{mover.name}/" in str(p) or "_moves" in str(p))]
        paths += [regions / r / s / "_moves" / mover.name / "**" for r in (US, EU) for s in ("segments", "analytics")]
        assert len(paths) > 4
        for port in fleet.doors().values():
            for sql in (f"SELECT * FROM {mover.only}", "SELECT * FROM logs", 'SELECT * FROM "_moves"', f'SELECT * FROM "_moves/{mover.name}"', *(f"SELECT * FROM '{p}'" for p in paths), *(f"SELECT * FROM read_text('{p}')" for p in paths)):
                answer = witness.ask(port, "POST", "/v1/query", headers=[JSON], body={"sql": sql})
                assert (answer.status == 200) == (sql == "SELECT * FROM logs" and port in (attacker.home(), fleet.port)), answer.text()
            assert witness.ask(port, "GET", f"/v1/admin/tenants/{mover.name}").status in (403, 421, 503)


def test_no_route_leads_to_what_moves_tenants():
    """Moving is storage's and the registry's, by direct events: no key of a tenant begins, fetches or cleans one."""
    assert CATALOGUE["functions"]["storage"]["concurrency"]["class"] == "from-zero"
    paths = json.dumps(CONTRACT["paths"])
    assert "-storage" not in paths and "move-" not in paths
