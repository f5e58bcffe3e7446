"""The audit log of administrative calls: who did what, what was there before and after; nothing is done that it does not tell of first,
and nobody takes out of it or changes what it tells without being found."""

import concurrent.futures
import contextlib
import hashlib
import json
import random
import sqlite3
import threading
import time

import pytest

import conftest
from conftest import Region

REFUSED = 4


def calls(region, *more):
    return region.json("audit", "list", *more, "--limit", "1000")["calls"]


def entries(region, tenant):
    return [json.loads(line) for line in region.run("audit", "export", tenant).stdout.splitlines()]


def whole(region, **expect):
    report = region.json("audit", "verify")
    assert report["problems"] == [] and {name: report[name] for name in expect} == expect, report
    return report


def test_every_call_is_told_with_who_and_what_was_before_and_after(fresh):
    fresh.run("tenant", "create", "acme")
    key = fresh.json("key", "create", "acme", "--scopes", "ingest,query,admin", "--label", "theirs")
    assert fresh.ingest("logs", [{"a": 1}], key=key["key"]).status_code < 300
    assert fresh.call("PUT", "/v1/datasets/logs/retention", key=key["key"], json={"days": 7}).status_code == 200
    assert fresh.call("PUT", "/v1/datasets/logs/retention", key=key["key"], json={"days": 9}).status_code == 200
    assert fresh.call("DELETE", "/v1/datasets/logs", key=key["key"]).status_code == 200
    assert fresh.call("PUT", "/v1/retention", key=key["key"], json={"days": 30}).status_code == 200
    assert fresh.call("DELETE", "/v1/retention", key=key["key"]).status_code == 200
    fresh.run("tenant", "suspend", "acme")
    fresh.run("tenant", "resume", "acme")
    only = {"datasets": ["logs"], "rows": [{"column": "a", "in": [1, 2]}]}
    narrow = fresh.json("key", "create", "acme", "--scopes", "query", "--restrict", json.dumps(only))
    fresh.run("key", "revoke", "acme", narrow["id"])
    fresh.run("key", "revoke", "acme", key["id"])
    fresh.run("tenant", "delete", "acme")
    told = calls(fresh, "acme")
    assert [(c["operation"], c["target"], c["status"]) for c in told] == [
        ("tenant.create", "acme", 201), ("key.issue", "acme", 201), ("dataset.retention", "logs", 200), ("dataset.retention", "logs", 200),
        ("dataset.drop", "logs", 200), ("tenant.retention", "acme", 200), ("tenant.retention", "acme", 200), ("tenant.change", "acme", 200), ("tenant.change", "acme", 200), ("key.issue", "acme", 201), ("key.revoke", f"acme/{narrow['id']}", 200),
        ("key.revoke", f"acme/{key['id']}", 200), ("tenant.delete", "acme", 200)]
    assert {c["who"]["tenant"] for c in told} == {"_system", "acme"}
    assert all(c["who"]["key_id"] and c["who"]["source"] == "127.0.0.1" and c["who"]["request_id"] for c in told)
    assert [c["who"]["key_id"] for c in told if c["operation"].startswith("dataset.")] == [key["id"]] * 3

    def shown(i):
        return fresh.json("audit", "show", "acme", told[i]["seq"])
    assert shown(1)["outcome"]["after"]["id"] == key["id"] and shown(1)["intent"]["asked"]["label"] == "theirs"
    assert shown(3)["intent"]["before"]["retention_days"] == 7 and shown(3)["outcome"]["after"] == {"days": 9}
    assert "before" not in shown(5)["intent"] and shown(5)["outcome"]["after"] == {"days": 30}
    assert shown(6)["intent"]["before"] == {"from": "tenant", "days": 30} and shown(6)["outcome"]["after"] == {"from": "class"}
    assert shown(7)["intent"]["before"]["status"] == "active" and shown(7)["outcome"]["after"]["status"] == "suspended"
    assert shown(9)["intent"]["asked"]["restriction"] == shown(9)["outcome"]["after"]["restriction"] == only
    assert shown(10)["intent"]["before"]["restriction"] == shown(10)["outcome"]["after"]["restriction"] == only
    assert shown(11)["intent"]["before"]["status"] == "active" and shown(11)["outcome"]["after"]["status"] == "revoked"
    assert fresh.json("audit", "show", "acme", told[11]["seq"] + 1) == shown(11)  # by its outcome's number as well
    everything = fresh.run("audit", "export").stdout
    for secret in (key["key"], narrow["key"], fresh.key, fresh.admin_key):
        assert secret not in everything and secret.rsplit("_", 1)[1] not in everything
    report = whole(fresh, unfinished=0)
    assert report["entries"] == len(everything.splitlines())
    fresh.down()
    assert calls(fresh, "acme") == told  # it needs no region that runs
    tip = next(t["tip"] for t in report["tips"] if t["chain"].endswith("/acme"))
    assert fresh.run("audit", "verify", "--tip", tip).returncode == 0
    assert fresh.run("audit", "verify", "--tip", "0" * 63 + "1", check=False).returncode == REFUSED


def test_a_token_that_was_issued_is_told_without_itself(region):
    region.run("tenant", "create", "tokens")
    key = region.json("key", "create", "tokens", "--scopes", "query")
    issued = region.call("POST", "/v1/tokens", key=key["key"], json={"scopes": ["query"], "expires_in_s": 60, "restriction": {"datasets": ["logs"]}}).json()
    assert region.call("POST", "/v1/tokens", key=key["key"], json={"scopes": ["ingest"]}).status_code == 403
    told = [c for c in calls(region, "tokens") if c["operation"] == "token.issue"]
    assert [(c["target"], c["status"], c["who"]["tenant"], c["who"]["key_id"]) for c in told] == [(key["id"], status, "tokens", key["id"]) for status in (201, 403)]
    first = region.json("audit", "show", "tokens", told[0]["seq"])
    assert first["outcome"]["after"] == {name: value for name, value in issued.items() if name != "token"}
    assert first["intent"]["asked"]["restriction"] == {"datasets": ["logs"]}
    everything = region.run("audit", "export", "tokens").stdout
    assert issued["token"] not in everything and issued["token"].rsplit(".", 1)[1] not in everything


def test_a_refused_call_stands_in_the_chain_of_who_made_it(region):
    mine = region.tenant("nosy", scopes="admin")
    region.tenant("quiet")
    before = len(calls(region, "quiet"))
    assert region.call("POST", "/v1/admin/tenants/quiet/keys", key=mine, json={"scopes": ["admin"]}).status_code == 403
    assert region.call("DELETE", "/v1/admin/tenants/quiet", key=mine).status_code == 403
    assert region.call("PATCH", "/v1/admin/tenants/nosy", key=mine, json={"tier": "dedicated"}).status_code == 403
    assert region.call("DELETE", "/v1/admin/tenants/nosy/keys/0123456789abcdef", key=mine).status_code == 404
    told = [(c["operation"], c["target"], c["status"]) for c in calls(region, "nosy") if c["who"]["tenant"] == "nosy"]
    assert told == [("key.issue", "quiet", 403), ("tenant.delete", "quiet", 403), ("tenant.change", "nosy", 403), ("key.revoke", "nosy/0123456789abcdef", 404)]
    assert len(calls(region, "quiet")) == before
    # what nobody is is nobody's chain
    assert region.call("DELETE", "/v1/admin/tenants/No%2Fbody", key=region.admin_key).status_code == 404
    assert not [c for c in calls(region) if "No" in c["chain"]]
    whole(region)


def test_a_direct_event_is_told_as_such_and_what_changes_nothing_is_not(region):
    region.bare("straight")
    first = calls(region, "straight")[0]
    assert first["operation"] == "tenant.create" and first["who"]["direct"] and first["who"]["tenant"] == ""
    count = len(calls(region))
    region.run("tenant", "list")
    region.run("tenant", "show", "straight")
    region.run("key", "list", "straight")
    assert len(calls(region)) == count


def test_calls_at_once_by_several_instances_never_fork_a_chain(region):
    region.run("tenant", "create", "busy")

    def issue(i):
        return region.call("POST", "/v1/admin/tenants/busy/keys", key=region.admin_key, json={"label": str(i)}).status_code
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(issue, range(40)))
    told = [c for c in calls(region, "busy") if c["operation"] == "key.issue"]
    assert statuses.count(201) == sum(c["status"] == 201 for c in told) > 0, statuses
    whole(region)


def test_a_kill_leaves_every_effect_with_its_intent(tmp_path):
    region = Region(tmp_path / "data").up()
    chance, made, stop = random.Random(5), [], threading.Event()

    def make():
        i = 0
        while not stop.is_set():
            with contextlib.suppress(Exception):
                if region.call("POST", "/v1/admin/tenants", key=region.admin_key, json={"name": f"t{i}"}).status_code == 201:
                    made.append(f"t{i}")
            i += 1
    worker = threading.Thread(target=make)
    worker.start()
    try:
        for _ in range(4):
            count = len(made)
            deadline = time.time() + 60
            while len(made) < count + 2 and time.time() < deadline:
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 0.1))
            region.kill()
            region.up()
    finally:
        stop.set()
        worker.join()
    there = {t["name"] for t in region.json("tenant", "list")["tenants"]} - {"default", "_system"}
    told = [c for c in calls(region) if c["operation"] == "tenant.create"]
    assert len(made) >= 4 and set(made) <= there
    assert there <= {c["target"] for c in told}
    assert set(made) <= {c["target"] for c in told if c.get("status") == 201}
    whole(region)
    region.down()


@pytest.fixture
def own_tables(fresh):
    if conftest.stores:
        pytest.skip("the tables are in an emulator")
    with contextlib.closing(sqlite3.connect(fresh.data / "tables.db", isolation_level=None)) as db:
        yield fresh, db


def test_a_call_that_cannot_be_told_is_not_done(own_tables):
    region, db = own_tables
    region.run("tenant", "create", "acme")
    keys = region.json("key", "list", "acme")
    db.execute("UPDATE items SET document = '{}' WHERE tbl = 'audit_heads' AND pk LIKE '%/acme'")
    assert region.call("POST", "/v1/admin/tenants/acme/keys", key=region.admin_key, json={}).status_code >= 500
    assert region.call("PATCH", "/v1/admin/tenants/acme", key=region.admin_key, json={"status": "suspended"}).status_code >= 500
    assert region.json("key", "list", "acme") == keys and region.json("tenant", "show", "acme")["status"] == "active"
    region.run("tenant", "create", "other")  # another chain


@pytest.mark.parametrize("sql, kind, seq", [
    ("UPDATE items SET document = replace(document, '\"status\":201', '\"status\":403') WHERE tbl = 'audit' AND sk = '000000000002'", "changed", 2),
    ("DELETE FROM items WHERE tbl = 'audit' AND sk = '000000000003'", "removed", 3),
    ("DELETE FROM items WHERE tbl = 'audit' AND sk >= '000000000005'", "truncated", 5),
    ("UPDATE items SET version = 2 WHERE tbl = 'audit' AND sk = '000000000004'", "rewritten", 4),
    ("UPDATE items SET document = (SELECT document FROM items i WHERE i.tbl = 'audit' AND i.pk = items.pk AND i.sk = '000000000002')"
     " WHERE tbl = 'audit' AND sk = '000000000004'", "moved", 4),
    ("DELETE FROM items WHERE tbl = 'audit_heads'", "head", 0),
], ids=lambda v: v if isinstance(v, str) and " " not in v else None)
def test_what_is_done_to_it_is_found(own_tables, sql, kind, seq):
    region, db = own_tables
    region.run("tenant", "create", "acme")
    region.run("key", "create", "acme")
    region.run("key", "create", "acme")
    whole(region)
    chain = next(c["chain"] for c in calls(region, "acme"))
    before, after = sql.split(" WHERE tbl = ")
    assert db.execute(f"{before} WHERE pk = ? AND tbl = {after}", [chain]).rowcount > 0
    done = region.run("audit", "verify", "--json", check=False)
    assert done.returncode == REFUSED
    problems = json.loads(done.stdout)["problems"]
    assert (chain, seq, kind) in [(p["chain"], p["seq"], p["kind"]) for p in problems], problems
    assert region.run("audit", "verify", "acme", check=False).stdout.startswith(f"{chain}: ")
    assert region.run("audit", "verify", "nobody", check=False).returncode == REFUSED


def test_a_name_says_which_chain_and_mistakes_are_named(region):
    region.run("tenant", "create", "named")
    chain = calls(region, "named")[0]["chain"]
    assert calls(region, chain) == calls(region, "named")
    assert region.run("audit", "show", "named", "x", check=False).returncode == 2
    assert region.run("audit", "show", "named", "99", check=False).returncode == REFUSED
    assert region.run("audit", "list", "nobody", check=False).returncode == REFUSED
    assert region.run("audit", "verify", "--tip", "abc", check=False).returncode == 2
    assert "OPERATION" in region.run("audit", "list").stdout


# ---- by the API ----


def lines_of(where, tenant, limit, **query):
    """All pages of one chain, each behind the one before."""
    got, after = [], 0
    while True:
        page = where.call("GET", f"/v1/admin/audit/{tenant}", key=where.admin_key, params={"limit": limit, "after": after, **query})
        assert page.status_code == 200 and page.headers["Content-Type"] == "application/x-ndjson", page.text
        if not page.text:
            return got
        assert len(page.text.splitlines()) <= limit and page.text.endswith("\n")
        got += page.text.splitlines()
        after = json.loads(got[-1])["seq"]


def chains_of(region, limit):
    got, after = {}, None
    while True:
        page = region.call("GET", "/v1/admin/audit", key=region.admin_key, params={"limit": limit, **({"after": after} if after else {})}).json()
        assert len(page["chains"]) <= limit and not set(got) & {c["chain"] for c in page["chains"]}
        got |= {c["chain"]: c for c in page["chains"]}
        after = page.get("next")
        if not after:
            return got


def test_the_api_gives_what_is_stored_line_by_line_with_tips(fresh):
    for name in ("acme", "other"):
        fresh.run("tenant", "create", name)
        fresh.run("key", "create", name)
    chain = next(c["chain"] for c in calls(fresh, "acme"))
    lines, chains = lines_of(fresh, "acme", 3), chains_of(fresh, 1)
    assert len(lines) == 4 and chains == chains_of(fresh, 1000)
    assert hashlib.sha256(lines[-1].encode()).hexdigest() == chains[chain]["tip"] and chains[chain]["seq"] == 4
    assert [json.loads(b)["prev"] for b in lines[1:]] == [hashlib.sha256(a.encode()).hexdigest() for a in lines[:-1]]
    assert lines == lines_of(fresh, "acme", 1000, region=chain.split("/")[0])
    everything = fresh.run("audit", "export").stdout
    assert sorted(everything.splitlines()) == sorted(line for name in chains for line in lines_of(fresh, name.split("/")[1], 1000))
    assert fresh.call("GET", "/v1/admin/audit/nobody", key=fresh.admin_key).status_code == 404
    assert fresh.call("GET", "/v1/admin/audit/acme?region=elsewhere", key=fresh.admin_key).status_code == 404
    tips = {t["chain"]: t["tip"] for t in whole(fresh)["tips"]}
    assert tips == {name: c["tip"] for name, c in chains.items()}
    before = len(calls(fresh))
    fresh.down()
    assert fresh.run("audit", "export").stdout == everything and len(calls(fresh)) == before  # to read is no call


def test_an_export_is_verified_wherever_it_is_kept(region, tmp_path):
    region.run("tenant", "create", "kept")
    region.run("key", "create", "kept")
    text = region.run("audit", "export", "kept").stdout
    tip = hashlib.sha256(text.splitlines()[-1].encode()).hexdigest()

    def verify(text, *more):
        done = region.run("audit", "verify", "--json", "--file", "-", *more, input=text, check=False)
        assert done.returncode in (0, REFUSED), done.stderr
        report = json.loads(done.stdout)
        assert (done.returncode == 0) == (report["problems"] == [] and report.get("tip_found", True))
        return [(p["kind"], p["seq"]) for p in report["problems"]], report
    problems, report = verify(text, "--tip", tip)
    assert problems == [] and report["entries"] == 4 and report["unfinished"] == 0 and report["tips"][0]["tip"] == tip
    assert verify(text.replace('"status":201', '"status":403', 1))[0] == [("changed", 2)]
    assert verify("".join(text.splitlines(True)[:3]))[0] == [] and not verify("".join(text.splitlines(True)[:3]), "--tip", tip)[1]["tip_found"]
    assert verify("".join(text.splitlines(True)[i] for i in (0, 1, 3)))[0][0] == ("removed", 3)
    assert verify("no entry\n" + "x" * 3000000 + "\n")[0] == [("unreadable", 1), ("unreadable", 2)]
    (tmp_path / "log.ndjson").write_text(text)
    assert region.run("audit", "verify", "--file", tmp_path / "log.ndjson").stdout.startswith("4 entries in 1 chains")
    assert region.run("audit", "verify", "--file", tmp_path / "nothing", check=False).returncode == 1
    assert region.run("audit", "verify", "kept", "--file", tmp_path / "log.ndjson", check=False).returncode == 2


def test_operators_alone_read_it_and_the_command_asks_the_region_that_runs(region):
    mine = region.tenant("reader", scopes="ingest,query,admin")
    reads = region.json("key", "create", "_system", "--scopes", "query")["key"]
    for path in ("/v1/admin/audit", "/v1/admin/audit/reader", "/v1/admin/audit/default", "/v1/admin/audit/nobody"):
        for key, status in ((mine, 403), (reads, 403), (None, 401), ("prism_0_0", 401)):
            answer = region.call("GET", path, key=key, headers={} if key else {"Authorization": ""})
            assert answer.status_code == status and "chain" not in answer.text, (path, key, answer.text)
    assert region.run("audit", "list", "--key", mine, check=False).returncode == REFUSED
    assert region.run("audit", "export", "reader", "--key", mine, check=False).returncode == REFUSED
    assert region.run("audit", "verify", "--key", mine).returncode == 0  # by its tables, whoever may read them
