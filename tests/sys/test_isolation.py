"""A tenant reaches its own data and nobody else's: every route of the contract, every function and every store of the catalogue, in each region and
through the router, with another tenant's ids, names, keys and headers that claim to be it. Cases are made from platform/api.openapi.json and
platform/functions.json, so what is added there fails here until somebody says how it is attacked.

All that the attacker is answered goes by a witness that knows the others' canaries; at the end the others are what they were."""

import base64
import itertools
import json
import os
import secrets
import shutil
import sqlite3

import pytest

from isolation_kit import CATALOGUE, CONTRACT, EU, PREFLIGHTS, ROUTES, US, Answer, Fleet, Leak, Tenant, Witness, ask, encoded, some
from region_kit import UnixConnection, wait

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: run tools/setup test"),
    pytest.mark.skipif(os.environ.get("PRISM_TEST_STORES") == "aws", reason="several regions keep their stores in their folders"),
]

JSON = ("Content-Type", "application/json")
NDJSON = ("Content-Type", "application/x-ndjson")


class World:
    def __init__(self, folder):
        self.fleet = Fleet(folder, env={"PRISM_REGION_IDLE_MS": "600000"}).up().settle()
        made = lambda name, region, shard="shard-0": Tenant(self.fleet, name, region, shard)
        self.acme = made("acme", US)  # the attacker
        self.same = made("acme-2", US)  # of the same shard, and with the attacker's name as the beginning of its own
        self.shard = made("acme_shard", US, "shard-1")
        self.far = made("far", EU)
        self.dora = made("dora", EU)  # an attacker in the other region, beside far
        self.all = [self.acme, self.same, self.shard, self.far, self.dora]
        self.fleet.known_everywhere(self.all)
        for tenant in self.all:
            tenant.fill()
        self.fleet.tick("seal", "compact")
        for tenant in self.all:
            tenant.fill(5)  # fresh beside sealed
        self.secret = [self.fleet.admin_key.split("_")[2]]

    def others(self, attacker):
        return [t for t in self.all if t is not attacker]

    def witness(self, attacker):
        return Witness(attacker, self.others(attacker), self.secret)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("i"))
    before = {t.name: t.state() for t in w.all}
    yield w
    after = {t.name: t.state() for t in w.all}
    w.fleet.down()
    for name in ("acme-2", "acme_shard", "far"):
        assert after[name] == before[name], f"{name} was changed by somebody else"


@pytest.fixture(params=["acme", "dora"])
def attacker(world, request):
    return getattr(world, request.param)


# ---- the test can fail ----


def test_a_tenant_sees_its_own_canary_everywhere(world):
    """What the witness listens for is really there to be heard, in every kind of answer."""
    for tenant in world.others(world.acme):
        about = {
            "rows": tenant.query("SELECT * FROM logs"),
            "csv": tenant.query("SELECT body FROM logs", format="csv"),
            "arrow": tenant.query("SELECT body FROM logs", format="arrow"),
            "parquet": tenant.query("SELECT body FROM logs", format="parquet"),
            "a column's name": ask(tenant.home(), "GET", f"/v1/datasets/{tenant.only}", tenant.key),
            "a key's label": ask(tenant.home(), "GET", f"/v1/admin/tenants/{tenant.name}/keys", tenant.key),
            "an error": tenant.query(f"SELECT CAST(body AS INT) + nope_{tenant.canary} FROM logs"),
        }
        for what, answer in about.items():
            with pytest.raises(Leak):
                world.witness(world.acme).look(answer, what)
        assert tenant.rows("SELECT count(*) FROM logs") == [[8]] and tenant.rows(f"SELECT count(*) FROM {tenant.only}") == [[8]]


def test_the_witness_sees_through_disguises(world):
    listens, word = world.witness(world.acme), world.same.canary
    for text in (word, word.upper(), word.encode().hex(), f"xx{word}yy"):
        with pytest.raises(Leak):
            listens.look(Answer(200, [("X", text)], b""))
        with pytest.raises(Leak):
            listens.look(Answer(200, [], text.encode()))
    for before in ("", "a", "bc"):
        with pytest.raises(Leak):
            listens.look(Answer(200, [], base64.b64encode(f"{before}{word}. and so on".encode())))
    listens.look(Answer(200, [], b"nothing of the kind"))


# ---- every route ----

REFUSED = {400, 403, 404}
# What may come of a request that aims at somebody else; 421 besides where the attacker is not at home.
ROUTE_ANSWERS = {
    ("GET", "/v1/health"): {200},
    ("POST", "/v1/logs"): {200},  # the attacker's own rows, whatever the request claims
    ("POST", "/v1/traces"): {200},
    ("POST", "/v1/metrics"): {200},
    ("POST", "/v1/ingest/{dataset}"): {200, 400},
    ("POST", "/v1/query"): REFUSED,
    ("GET", "/v1/datasets"): {200},
    ("GET", "/v1/datasets/{dataset}"): REFUSED,
    ("DELETE", "/v1/datasets/{dataset}"): REFUSED,
    ("GET", "/v1/datasets/{dataset}/retention"): REFUSED,
    ("PUT", "/v1/datasets/{dataset}/retention"): REFUSED,
    ("DELETE", "/v1/datasets/{dataset}/retention"): REFUSED,
    ("GET", "/v1/retention"): {200},
    ("PUT", "/v1/retention"): {200, 400},  # the attacker's own rows, whatever the request claims
    ("DELETE", "/v1/retention"): {200},
    ("POST", "/v1/tokens"): {201, 400},  # of the attacker's own key, whatever the request claims
    ("GET", "/v1/usage"): {200},
    ("POST", "/v1/admin/tenants"): {403},
    ("GET", "/v1/admin/tenants"): {403},
    ("GET", "/v1/admin/tenants/{tenant}"): REFUSED,
    ("GET", "/v1/admin/tenants/{tenant}/usage"): REFUSED,
    ("PATCH", "/v1/admin/tenants/{tenant}"): REFUSED,
    ("DELETE", "/v1/admin/tenants/{tenant}"): REFUSED,
    ("POST", "/v1/admin/tenants/{tenant}/keys"): REFUSED,
    ("GET", "/v1/admin/tenants/{tenant}/keys"): REFUSED,
    ("DELETE", "/v1/admin/tenants/{tenant}/keys/{key_id}"): REFUSED,
    ("POST", "/v1/admin/tenants/{tenant}/moves"): REFUSED,
    ("GET", "/v1/admin/audit"): {403},
    ("GET", "/v1/admin/audit/{tenant}"): REFUSED,
    ("GET", "/v1/admin/workflows"): {403},
    ("GET", "/v1/admin/workflows/{machine}/executions"): REFUSED,
    ("POST", "/v1/admin/workflows/{machine}/executions"): REFUSED,
    ("GET", "/v1/admin/workflows/{machine}/executions/{execution}"): REFUSED,
    ("GET", "/v1/admin/workflows/{machine}/executions/{execution}/history"): REFUSED,
    ("POST", "/v1/admin/workflows/{machine}/executions/{execution}/stop"): REFUSED,
    ("POST", "/v1/admin/workflows/{machine}/executions/{execution}/redrive"): REFUSED,
    ("POST", "/v1/admin/workflows/{machine}/executions/{execution}/answer"): REFUSED,
    ("GET", "/v1/admin/shards"): {403},
    ("PATCH", "/v1/admin/shards/{shard}"): REFUSED,
    ("POST", "/v1/admin/placement/recount"): {403},
    ("GET", "/v1/admin/placement/proposals"): {403},
}
OTLP = '{"resourceLogs":[{"resource":{"attributes":[{"key":"tenant","value":{"stringValue":"%(tenant)s"}}]},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"mine"}}]}]}],"tenant":"%(tenant)s"}'
BODIES = {  # of the operations that take one
    "exportLogs": [(JSON, OTLP)],
    "exportTrace": [(JSON, '{"resourceSpans":[],"tenant":"%(tenant)s"}')],
    "exportMetrics": [(JSON, '{"resourceMetrics":[],"tenant":"%(tenant)s"}')],
    "ingestRecords": [(NDJSON, '{"n":1,"body":"mine","tenant":"%(tenant)s","_tenant":"%(tenant)s"}\n')],
    "query": [(JSON, '{"sql":"SELECT * FROM %(dataset)s","tenant":"%(tenant)s"}'), (JSON, '{"sql":"SELECT * FROM %(dataset)s"}'),
              (JSON, '{"sql":"SELECT * FROM \\"%(tenant)s\\".%(dataset)s"}'), (JSON, '{"sql":"SELECT * FROM \\"%(tenant)s/%(dataset)s\\""}'),
              (JSON, '{"sql":"SELECT * FROM \\"../%(tenant)s/logs\\"","start":"-1h"}')],
    "setRetention": [(JSON, '{"days":1}'), (JSON, '{"days":1,"tenant":"%(tenant)s"}')],
    "setTenantRetention": [(JSON, '{"days":36500}'), (JSON, '{"days":36500,"tenant":"%(tenant)s"}')],
    "createToken": [(JSON, '{"scopes":["query"]}'), (JSON, '{"scopes":["query"],"tenant":"%(tenant)s"}'), (JSON, '{"sub":"%(tenant)s"}')],
    "createTenant": [(JSON, '{"name":"%(tenant)s"}'), (JSON, '{"name":"%(tenant)s-x","shard":"shard-0"}')],
    "changeTenant": [(JSON, '{"status":"suspended"}'), (JSON, '{"tier":"dedicated"}'), (JSON, '{"quotas":{"requests_per_day":1}}')],
    "moveTenant": [(JSON, '{"id":"mine","to":"local","to_prefix":"prism","to_shard":"shard-0"}')],
    "startExecution": [(JSON, '{"input":{"tenant":"%(tenant)s","confirm":"%(tenant)s"}}'), (JSON, '{"name":"mine","input":{}}')],
    "stopExecution": [(JSON, '{}'), (JSON, '{"error":"Mine","cause":"%(tenant)s"}')],
    "answerExecution": [(JSON, '{"output":{"action":"stop"}}'), (JSON, '{"error":"Mine"}')],
    "changeShard": [(JSON, '{"state":"closed"}'), (JSON, '{"bounds":{"tenants":0}}')],
    "createKey": [(JSON, '{"scopes":["admin"],"label":"mine"}'), (JSON, '{"scopes":["admin"],"tenant":"%(tenant)s"}')],
}


def operation(route):
    method, path = route
    return CONTRACT["paths"][path][method.lower()]


def parameters(route):
    return [part[1:-1] for part in route[1].split("/") if part.startswith("{")]


def spellings(name):
    """Of a name in a path: as it is, and as somebody may hope that two readers take it for different things."""
    wide = "".join(chr(ord(c) + 0xFEE0) for c in name)
    return [name, name.upper(), encoded(f"../{name}"), f"..%2f..%2F{name}", f"%2e%2e/{name}", f".%2e%2f{name}", f"./{name}", encoded(f"acme/../{name}"), f"acme/../{name}",
            encoded(f"{name}/"), f"{name}/", f"{name}//", f"/{name}", f"//{name}", f"{name};x=1", f"{name}%3Bx", f"{name}%00", f"%00{name}", f"{name}%00acme", f"acme%00{name}",
            f"{name}%20", f"%20{name}", f"+{name}", f"{name}%0a", f"{name}%0d%0aX:1", f"{name}#", f"{name}%23", f"{name}%3Ftenant=acme", encoded(wide), encoded(name[0] + "\u200d" + name[1:]),
            encoded("\uff0e\uff0e\uff0f" + name), f"%c0%ae%c0%ae%c0%af{name}", encoded(encoded(f"../{name}")), f"%25{name}", "%ff%fe" + name, "".join(f"%{ord(c):02x}" for c in name), "*", "%2a",
            "acme*", encoded(name[:3] + "%"), ".", "..", "%2e", "%2e%2e", "_system", "%5fsystem", encoded("' OR ''='"), encoded(f"{name}' --"), encoded('"' + name), encoded("\\" + name)]


def targets_of(value):
    """What a path parameter is tried with; a parameter that is new has no case yet."""
    return {"tenant": spellings(value["tenant"]), "dataset": spellings(value["dataset"]) + spellings(f"{value['tenant']}/logs") + [encoded(value["tenant"] + "/" + value["dataset"])],
            "key_id": spellings(value["key_id"]) + [encoded(f"{value['tenant']}/{value['key_id']}")], "shard": spellings(value["shard"]),
            "machine": spellings(value["machine"]), "execution": spellings(value["execution"])}


def claims(tenant):
    """Headers that say to be somebody else."""
    names = ("X-Tenant", "X-Tenant-Id", "X-Prism-Tenant", "Prism-Tenant", "tenant", "X-Amzn-Tenant", "X-Amz-Tenant-Id", "X-Scope-OrgID", "X-Forwarded-User", "X-Forwarded-Tenant", "Remote-User", "From",
             "X-Amzn-Authorizer-Tenant", "X-Authorizer-Tenant", "requestContext.authorizer.tenant", "authorizer", "principalId", "usageIdentifierKey")
    found = [[(name, tenant.name)] for name in names]
    found += [[("X-Prism-Shard", tenant.shard)], [("X-Prism-Home-Region", tenant.region)], [("X-Prism-Epoch", "99")], [("Host", f"{tenant.name}.prism.internal")], [("Cookie", f"tenant={tenant.name}")],
              [("X-Original-URL", f"/v1/admin/tenants/{tenant.name}")], [("X-Rewrite-URL", f"/v1/admin/tenants/{tenant.name}/keys")], [("X-HTTP-Method-Override", "DELETE")],
              [("X-Api-Key", f"prism_{tenant.key_ids[0]}_{'0' * 48}")], [("X-Amz-Security-Token", tenant.name)], [("X-Amzn-Trace-Id", f"Root=1-0-0;tenant={tenant.name}")],
              [("Forwarded", f"for={tenant.name}")], [("X-Amz-Client-Context", '{"custom":{"tenant":"%s"}}' % tenant.name)], [("baggage", f"tenant={tenant.name}")],
              [(name, tenant.name) for name in names]]
    return found


def values(victim):
    return {"tenant": victim.name, "dataset": victim.only, "key_id": victim.key_ids[0], "shard": victim.shard, "machine": "tenant-offboarding", "execution": victim.name}


def aims(route, victim):
    """At the victim; rows go to the attacker whatever the name, so they have one that does not make the attacker an owner of the victim's name."""
    return values(victim) | ({"dataset": "mine"} if route[1] == "/v1/ingest/{dataset}" else {})


def path_of(route, given):
    path = route[1]
    for name in parameters(route):
        path = path.replace("{" + name + "}", given[name])
    return path


def bodies(route, given):
    if "requestBody" not in operation(route):
        return [((), None)]
    return [([kind], text % given) for kind, text in BODIES[operation(route)["operationId"]]]


def check_status(world, attacker, door, route, answer, what):
    """By the contract's own words, or by API Gateway's for a path that is no route's or is not to be read."""
    may = ROUTE_ANSWERS[route] | ({421, 503} if world.fleet.doors()[door] != attacker.home() else set())
    assert answer.status in may, f"{what}: {answer.status} {answer.text()[:400]}"


def test_every_route_and_operation_has_its_case():
    assert set(ROUTE_ANSWERS) == set(ROUTES)
    taking = {operation(r)["operationId"] for r in ROUTES if "requestBody" in operation(r)}
    assert set(BODIES) == taking
    known = set(targets_of({"tenant": "acme", "dataset": "logs", "key_id": "0123", "shard": "shard-0", "machine": "tenant-offboarding", "execution": "x"}))
    assert {name for route in ROUTES for name in parameters(route)} <= known
    for route in ROUTES:  # whoever is let in without a key is told nothing of anybody
        assert operation(route).get("security") or route == ("GET", "/v1/health")
    for preflight in PREFLIGHTS:  # they reach no function and tell one thing to everybody
        assert preflight["x-amazon-apigateway-integration"]["type"] == "mock" and list(preflight["responses"])[0] == "204"


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r[0]} {r[1]}")
def test_a_route_aimed_at_others_tells_and_changes_nothing(world, attacker, route):
    listens, doors = world.witness(attacker), world.fleet.doors()
    for (door, port), victim in itertools.product(doors.items(), some(world.others(attacker), 4)):
        for kind, body in bodies(route, values(victim)):
            target = path_of(route, aims(route, victim))
            for more in ("", f"?tenant={victim.name}", f"?after={encoded(victim.name[:-1])}&limit=1000&tenant_id={victim.name}"):
                answer = listens.ask(port, route[0], target + more, headers=kind, body=body)
                check_status(world, attacker, door, route, answer, target + more)
    assert listens.heard >= len(doors) * 3


@pytest.mark.parametrize("route", [r for r in ROUTES if parameters(r)], ids=lambda r: f"{r[0]} {r[1]}")
def test_other_spellings_of_others_names_reach_nothing(world, attacker, route):
    listens = world.witness(attacker)
    for victim in some(world.others(attacker)[:2], 2):
        for name in parameters(route):
            for spelling in some(targets_of(aims(route, victim))[name], 6):
                kind, body = bodies(route, values(victim))[0]
                target = path_of(route, values(victim) | {name: spelling})
                answer = listens.ask(attacker.home(), route[0], target, headers=kind, body=body)
                assert answer.status in ROUTE_ANSWERS[route] | REFUSED | {405, 414}, f"{target}: {answer.status} {answer.text()[:400]}"
                if name == "key_id":  # below its own name, too
                    target = path_of(route, values(victim) | {"tenant": attacker.name, name: spelling})
                    assert listens.ask(attacker.home(), route[0], target).status in REFUSED | {405}, target


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r[0]} {r[1]}")
def test_headers_that_claim_to_be_somebody_else_are_words(world, attacker, route):
    """What comes of a request is the same with them and without."""
    listens = world.witness(attacker)
    victim = world.others(attacker)[0]
    own = {"tenant": attacker.name, "dataset": attacker.only, "key_id": "0" * 16, "shard": attacker.shard, "machine": "tenant-offboarding", "execution": "x"}
    kind, body = bodies(route, own)[0]
    target = path_of(route, own)
    if route[0] in ("DELETE", "PUT", "PATCH") or route[1].endswith("/keys"):
        target = path_of(route, values(victim))  # aimed at the other again, so that nothing of the attacker's changes
    plain = listens.ask(attacker.home(), route[0], target, headers=kind, body=body)
    for headers in some(claims(victim), 6):
        if route[0] == "POST" and plain.status == 200:
            headers = [*headers, ("Idempotency-Key", secrets.token_hex(8))]
        answer = listens.ask(attacker.home(), route[0], target, headers=[*kind, *headers], body=body)
        assert answer.status == plain.status, f"{headers}: {answer.status} {answer.text()[:300]}"
        if plain.status == 201:  # a token, which is another each time, of the attacker's own key
            assert answer.json()["tenant"] == attacker.name
        elif route[0] == "GET" or plain.status != 200:
            # Upkeep may have sealed meanwhile: then it is what comes now without them.
            assert answer.shape() == plain.shape() or answer.shape() == listens.ask(attacker.home(), route[0], target, headers=kind, body=body).shape(), headers


@pytest.mark.parametrize("route", [r for r in ROUTES if operation(r).get("security")], ids=lambda r: f"{r[0]} {r[1]}")
def test_keys_that_are_put_together_open_nothing(world, route):
    attacker, victim = world.acme, world.same
    listens = world.witness(attacker)
    kind, body = bodies(route, values(victim))[0]
    target = path_of(route, values(victim))
    mine, theirs = attacker.key.split("_"), victim.key.split("_")
    forged = [f"prism_{theirs[1]}_{mine[2]}", f"prism_{mine[1]}_{theirs[2][:-1]}", f"prism_{theirs[1]}_", f"prism_{theirs[1]}", theirs[1], f"prism_{theirs[1]}_{'0' * 48}", victim.key.upper(),
              victim.key[:-1], victim.key + "0", f"{victim.name}:{attacker.key}", f"{attacker.key},{theirs[1]}"]
    for port in world.fleet.doors().values():
        for key in some(forged, 4):
            assert listens.ask(port, route[0], target, key=key, headers=kind, body=body).status in (401, 403), key
        assert listens.look(ask(port, route[0], target, None, kind, body)).status in (401, 403)
        doubled = listens.look(ask(port, route[0], target, attacker.key, [*kind, ("Authorization", f"Bearer {forged[0]}")], body))
        assert doubled.status in (400, 401, 403), doubled.text()


def test_a_key_with_fewer_scopes_opens_less(world):
    """Of the tenant itself: what a reader or a writer of it is told is no more than its scope."""
    for tenant in world.all[:2]:
        home = tenant.home()
        for key, may in ((tenant.reader, {"/v1/query", "/v1/datasets"}), (tenant.writer, {"/v1/ingest/logs"})):
            assert (ask(home, "POST", "/v1/query", key, [JSON], {"sql": "SELECT 1"}).status == 200) == ("/v1/query" in may)
            assert (ask(home, "GET", "/v1/datasets", key).status == 200) == ("/v1/datasets" in may)
            assert ask(home, "DELETE", f"/v1/datasets/{tenant.only}", key).status == 403
            assert ask(home, "GET", f"/v1/admin/tenants/{tenant.name}/keys", key).status == 403
            assert ask(home, "POST", f"/v1/admin/tenants/{tenant.name}/keys", key, [JSON], {"scopes": ["admin"]}).status == 403


def test_a_restriction_that_names_anothers_datasets_opens_none_of_them(world, attacker):
    """A key that may see two datasets by name: of these what is the tenant's own, and nothing of who has the other."""
    listens, home = world.witness(attacker), attacker.home()
    for victim in world.others(attacker):
        wish = {"scopes": ["query"], "restriction": {"datasets": ["logs", victim.only]}}
        made = listens.look(ask(home, "POST", f"/v1/admin/tenants/{attacker.name}/keys", attacker.key, [JSON], wish))
        assert made.status == 201, made.text()
        key = made.json()["key"]
        for sql, status in (("SELECT * FROM logs", 200), ("SHOW TABLES", 200), (f"SELECT * FROM {victim.only}", 404), (f"SELECT * FROM {attacker.only}", 404)):
            answer = listens.ask(home, "POST", "/v1/query", key=key, headers=[JSON], body={"sql": sql})
            assert answer.status == status and (attacker.only in sql or attacker.only not in answer.text()), answer.text()
        for method, path in (("GET", "/v1/datasets"), ("GET", "/v1/usage"), ("GET", f"/v1/admin/tenants/{victim.name}/keys"), ("GET", f"/v1/admin/tenants/{attacker.name}/keys")):
            assert listens.ask(home, method, path, key=key).status == 403, path


# ---- whether something exists ----


def test_what_others_have_is_answered_like_what_nobody_has(world, attacker):
    listens, home = world.witness(attacker), attacker.home()
    for victim in some(world.others(attacker), 4):
        absent = {"tenant": victim.name[:-1] + "q", "dataset": "only_" + secrets.token_hex(6), "key_id": secrets.token_hex(8), "shard": "shard-9", "machine": "nothing", "execution": "nobody"}
        there = values(victim)
        for route in [r for r in ROUTES if parameters(r) and r[1] != "/v1/ingest/{dataset}"]:
            for kind, body in bodies(route, {"tenant": "x", "dataset": "x"}):
                shapes = [listens.ask(home, route[0], path_of(route, given), headers=kind, body=body).shape(*given.values()) for given in (there, absent)]
                assert shapes[0] == shapes[1], route
            if "key_id" in parameters(route):
                shapes = [listens.ask(home, route[0], path_of(route, given | {"tenant": attacker.name})).shape(*given.values()) for given in (there, absent)]
                assert shapes[0] == shapes[1] and shapes[0][0] == 404, shapes
        for sql in ("SELECT * FROM %s", "DESCRIBE %s", "SUMMARIZE %s", "FROM %s, logs", "WITH a AS (FROM %s) FROM a", "SELECT (SELECT count(*) FROM %s)", "FROM logs WHERE EXISTS (FROM %s)"):
            shapes = [listens.ask(home, "POST", "/v1/query", headers=[JSON], body={"sql": sql % given["dataset"]}).shape(given["dataset"]) for given in (there, absent)]
            assert shapes[0] == shapes[1] and shapes[0][0] in (400, 404), (sql, shapes)
        for name in (there["tenant"], absent["tenant"]):  # a name that is taken is the operator's to know
            assert listens.ask(home, "POST", "/v1/admin/tenants", headers=[JSON], body={"name": name}).status == 403


# ---- idempotency ----


def test_the_same_idempotency_key_of_two_tenants_is_two(world):
    for how in ("key", "content"):
        headers = [("Idempotency-Key", f"order-{secrets.token_hex(4)}")] if how == "key" else []
        body = [{"n": 1, "body": f"same {secrets.token_hex(4)}", "dataset": how}]
        seen = []
        for tenant in (world.same, world.acme, world.far):
            first, again = (tenant.send(f"twins_{how}", body, headers) for _ in range(2))
            seen.append((first["duplicate"], again["duplicate"]))
        assert seen == [(False, True)] * 3, how
        for tenant in (world.same, world.acme, world.far):
            assert tenant.rows(f"SELECT count(*) FROM twins_{how}") == [[1]]
    # another body under the other's key is no mismatch that would tell of it
    world.same.send("twins_key", [{"n": 2}], [("Idempotency-Key", "told")])
    answer = ask(world.acme.home(), "POST", "/v1/ingest/twins_key", world.acme.key, [NDJSON, ("Idempotency-Key", "told")], '{"n":3}\n')
    assert answer.status == 200 and not answer.json()["duplicate"]
    for tenant in (world.same, world.acme, world.far):  # so that they are what they were
        for dataset in ("twins_key", "twins_content"):
            assert ask(tenant.home(), "DELETE", f"/v1/datasets/{dataset}", tenant.key).status in (200, 404)


def test_idempotency_keys_that_look_like_others_items_are_only_keys(world):
    attacker, victim = world.acme, world.same
    world.same.send("odd_keys", [{"n": 1}], [("Idempotency-Key", "k")])
    odd = [f"../{victim.name}/odd_keys/k", f"{victim.name}/k", "_move/1", "_move/2", f"{victim.name}\x1fk", "%00", "k%2F..", "'; DROP TABLE items; --", "k" * 200, "\u212aey".encode().decode("latin-1")]
    for key in odd:
        answer = ask(attacker.home(), "POST", "/v1/ingest/odd_keys", attacker.key, [NDJSON, ("Idempotency-Key", key)], json.dumps({"n": key}) + "\n")
        assert answer.status in (200, 400), answer.text()
        assert answer.status == 400 or not answer.json()["duplicate"], key
    assert victim.rows("SELECT n FROM odd_keys") == [[1]]
    with sqlite3.connect(f"file:{world.fleet.data}/regions/{US}/tables.db?mode=ro", uri=True) as db:
        partitions = {pk for pk, in db.execute("SELECT pk FROM items WHERE tbl = 'idempotency'")}
    assert partitions <= {t.name for t in world.all} | {"_system", "default"}, partitions
    for tenant in (attacker, victim):
        ask(tenant.home(), "DELETE", "/v1/datasets/odd_keys", tenant.key)


# ---- every store, through SQL ----


def files_of(world, victim):
    """What a store of the catalogue is on the disk of the victim's region; a store that is new has no case yet."""
    region = world.fleet.data / "regions" / victim.region
    first = lambda folder, pattern: [str(p) for p in sorted((region / folder).rglob(pattern)) if f"/{victim.name}/" in str(p)][:2]
    return {
        "hot": [*first("hot", "*.wal"), str(region / "hot" / victim.name), str(region / "hot" / victim.name / "**" / "*"), str(region / "hot" / "*" / victim.only / "*.wal")],
        "segments": [*first("segments", "*.parquet"), str(region / "segments" / victim.name / "**"), f"s3://prism-segments/{victim.name}/{victim.only}/x.parquet"],
        "analytics": [*first("analytics", "*.parquet"), str(region / "analytics" / "*" / "*" / "*.parquet"), f"s3://prism-analytics/{victim.name}/**"],
        "tables": [str(region / "tables.db"), str(region / "tables.db-wal")],
        "meta": [str(region / "meta.db"), f"sqlite:{region / 'meta.db'}"],
        "secrets": [*map(str, sorted(p for p in (region / "secrets").rglob("*") if p.is_file())[:2]), str(region / "secrets" / "*")],
        "parameters": [str(region / "parameters.json")],
    }


def other_files(world, victim):
    region = world.fleet.data / "regions" / victim.region
    sibling = world.fleet.data / "regions" / (EU if victim.region == US else US)
    return [str(region / "admin.key"), str(region / "tenant.key"), str(region / "logs" / "*"), str(region / "tmp" / "**" / "*"), str(region / "async" / "*"), str(region / "executions.db"), str(sibling / "replicas" / victim.region / "segments" / victim.name / "**"),
            str(world.fleet.data / "fleet.json"), "/proc/self/environ", "/proc/self/maps", "/proc/self/fd/3", "/proc/self/mem", "/etc/passwd", f"file://{region / 'admin.key'}", f"http://127.0.0.1:{world.fleet.port}/v1/health",
            f"../../{victim.name}/{victim.only}/x.parquet", f"../{victim.name}/*/*.parquet", f"{victim.name}/{victim.only}", "*", "**", ".", "~/.ssh/id_rsa", "hf://datasets/x", "gcs://x/y", "r2://x/y", "azure://x/y", f"prism_hot({victim.only})"]


READERS = """
SELECT * FROM read_text('{p}')
SELECT * FROM read_blob('{p}')
SELECT * FROM read_csv('{p}')
SELECT * FROM read_csv_auto('{p}', header = false, delim = '')
SELECT * FROM read_json('{p}')
SELECT * FROM read_json_objects('{p}')
SELECT * FROM read_ndjson_auto('{p}')
SELECT * FROM read_parquet('{p}')
SELECT * FROM parquet_scan(['{p}'])
SELECT * FROM parquet_metadata('{p}')
SELECT * FROM parquet_schema('{p}')
SELECT * FROM parquet_file_metadata('{p}')
SELECT * FROM parquet_kv_metadata('{p}')
SELECT * FROM parquet_bloom_probe('{p}', 'n', 1)
SELECT * FROM glob('{p}')
SELECT * FROM sniff_csv('{p}')
SELECT * FROM sqlite_scan('{p}', 'items')
SELECT * FROM postgres_scan('{p}', 'public', 'items')
SELECT * FROM read_xlsx('{p}')
SELECT * FROM '{p}'
SELECT * FROM "{p}"
SELECT * FROM logs UNION ALL BY NAME SELECT * FROM '{p}'
FROM (SELECT * FROM '{p}')
WITH x AS MATERIALIZED (SELECT * FROM '{p}') FROM x
SELECT (SELECT max(content) FROM read_text('{p}'))
SELECT * FROM query('SELECT * FROM read_text(''{p}'')')
SELECT * FROM query_table('{p}')
DESCRIBE '{p}'
SUMMARIZE '{p}'
DESCRIBE SELECT * FROM '{p}'
ATTACH '{p}' AS other
ATTACH '{p}' AS other (TYPE sqlite, READ_ONLY)
COPY (SELECT 1) TO '{p}.mine'
COPY logs FROM '{p}'
COPY logs TO '{p}'
EXPORT DATABASE '{p}'
IMPORT DATABASE '{p}'
INSTALL '{p}'
LOAD '{p}'
CREATE VIEW v AS SELECT * FROM '{p}'
CREATE TABLE t AS SELECT * FROM '{p}'
CREATE SECRET s (TYPE s3, SCOPE '{p}')
INSERT INTO logs SELECT * FROM '{p}'
SET file_search_path = '{p}'
SET temp_directory = '{p}'
SET home_directory = '{p}'
SET secret_directory = '{p}'
SET extension_directory = '{p}'
PRAGMA enable_profiling('{p}')
PRAGMA profiling_output = '{p}'
PRAGMA database_list
CALL read_text('{p}')
EXPLAIN SELECT * FROM '{p}'
SELECT 1; SELECT * FROM '{p}'
SELECT getenv('{p}')
SELECT * FROM logs WHERE body IN (SELECT content FROM read_text('{p}'))
SELECT * FROM logs, LATERAL (SELECT * FROM read_text('{p}'))
SELECT * FROM logs TABLESAMPLE 1% UNION SELECT * FROM read_text('{p}')
""".strip().splitlines()

INSIDE = """
SELECT * FROM information_schema.tables
SELECT * FROM information_schema.schemata
SELECT * FROM information_schema.columns
SELECT * FROM pg_catalog.pg_tables
SELECT * FROM pg_catalog.pg_settings
SELECT * FROM sqlite_master
SELECT * FROM main.logs
SELECT * FROM system.main.duckdb_tables
SELECT * FROM memory.main.{only}
SELECT * FROM temp.{only}
SELECT * FROM duckdb_databases()
SELECT * FROM duckdb_views()
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_columns()
SELECT * FROM duckdb_schemas()
SELECT * FROM duckdb_secrets()
SELECT * FROM which_secret('s3://x', 's3')
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_memory()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_external_file_cache()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_log_contexts()
SELECT * FROM duckdb_prepared_statements()
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_connection_count()
SELECT * FROM duckdb_optimizers()
SELECT * FROM duckdb_dependencies()
SELECT * FROM pragma_database_size()
SELECT * FROM pragma_storage_info('{only}')
SELECT * FROM pragma_table_info('{only}')
SELECT * FROM pragma_show('{only}')
SELECT * FROM pragma_user_agent()
SELECT * FROM storage_info('{only}')
SELECT * FROM prism_hot(0)
SELECT * FROM prism_hot(1)
SELECT * FROM prism_hot(-1)
SELECT * FROM "{tenant}".logs
SELECT * FROM "{tenant}".main.logs
SELECT * FROM "{tenant}/logs"
SELECT * FROM _system.access_log
SELECT * FROM access_log
SELECT * FROM function_log
SELECT * FROM metrics
SELECT * FROM traces
SELECT * FROM workflow_events
SELECT current_setting('temp_directory')
SELECT current_setting('allowed_directories')
SELECT getenv('PRISM_HOT_URL')
SELECT getvariable('x')
SET VARIABLE x = (SELECT 1)
RESET VARIABLE x
USE memory
SHOW DATABASES
SHOW ALL TABLES
SHOW VARIABLES
PREPARE p AS SELECT * FROM {only}
EXECUTE p
SELECT current_database(), current_schemas(true), current_query()
SELECT txid_current(), currval('s')
SELECT * FROM checkpoint()
SELECT * FROM force_checkpoint()
SELECT * FROM test_all_types()
SELECT * FROM seq_scan('{only}')
SELECT * FROM arrow_scan(0, 0, 0)
SELECT * FROM pandas_scan(0)
SELECT parse_duckdb_log_message('HTTP', '')
CHECKPOINT
VACUUM
DETACH memory
KILL 1
""".strip().splitlines()


def test_every_store_has_its_case(world):
    assert set(files_of(world, world.same)) == set(CATALOGUE["stores"])
    for victim in world.all:
        found = files_of(world, victim)
        for store in ("hot", "segments"):  # there is something to be reached
            assert os.path.isfile(found[store][0]), (store, victim.name)
        assert os.path.isfile(found["tables"][0]) and os.path.isfile(found["meta"][0]) and os.path.isfile(found["secrets"][0])


@pytest.mark.parametrize("store", [*CATALOGUE["stores"], "beside them"])
def test_sql_reaches_no_file_of_a_store(world, attacker, store):
    listens, home = world.witness(attacker), attacker.home()
    for victim in world.others(attacker):
        paths = other_files(world, victim) if store == "beside them" else files_of(world, victim)[store]
        for path, template in some(itertools.product(paths, READERS), 41):
            answer = listens.ask(home, "POST", "/v1/query", headers=[JSON], body={"sql": template.format(p=path)})
            assert answer.status in (400, 404), f"{template.format(p=path)}: {answer.status} {answer.text()[:500]}"
            for word in ("root:x:", "PRISM_HOT_URL=", "PAR1", "PRISMHOT", "SQLite format 3"):
                assert word not in answer.text(), (template, path)


def test_sql_reaches_nothing_of_the_engine_and_the_system(world, attacker):
    listens = world.witness(attacker)
    for victim in some(world.others(attacker), 4):
        for template in some(INSIDE, 5):
            sql = template.format(only=victim.only, tenant=victim.name)
            for port in world.fleet.doors().values():
                answer = listens.ask(port, "POST", "/v1/query", headers=[JSON], body={"sql": sql})
                assert answer.status in (400, 404, 421, 503), f"{sql}: {answer.status} {answer.text()[:500]}"
    assert listens.ask(attacker.home(), "POST", "/v1/query", headers=[JSON], body={"sql": "SHOW TABLES"}).status == 200


def test_nothing_was_written_by_all_that(world):
    for region in (US, EU):
        folder = world.fleet.data / "regions" / region
        assert not [p for p in folder.rglob("*.mine*")]
        assert not [p for p in folder.rglob("*.ARROW")] and not (folder / "hot" / "other").exists()


# ---- one process that serves one after the other ----


def query_instances(world, region):
    status = world.fleet.json("status", "--region", region)
    return next(f for f in status["functions"] if f["name"] == "query")


def test_a_warm_instance_keeps_nothing_of_whom_it_served_before(world):
    """One after the other, so that they share the instance that is kept warm: views, plans, spilled rows, answers as Parquet, errors, copies."""
    attacker, victim = world.acme, world.same
    listens = world.witness(attacker)
    leave = [
        {"sql": f"SELECT * FROM {victim.only} ORDER BY body"}, {"sql": "SELECT * FROM logs"}, {"sql": "SELECT * FROM logs", "format": "parquet"}, {"sql": "SELECT * FROM logs", "format": "arrow"},
        {"sql": f"WITH secret AS (SELECT '{victim.canary}' x) FROM secret"}, {"sql": f"SELECT '{victim.canary}'::INT"}, {"sql": f"SELECT nope FROM {victim.only}"},
        {"sql": "SHOW TABLES"}, {"sql": f"SELECT count(*) FROM (SELECT md5(i::VARCHAR) || '{victim.canary}' z FROM range(200000) t(i) ORDER BY z)"},
    ]
    look = [
        "SHOW TABLES", f"SELECT * FROM {victim.only}", "FROM secret", "SELECT * FROM logs", "SELECT * FROM logs ORDER BY ALL", "SELECT count(*), min(body), max(body) FROM logs",
        "SELECT nope FROM logs", "SELECT body::INT FROM logs", "DESCRIBE logs", "SUMMARIZE logs", f"SELECT * FROM {attacker.only}", "SELECT * FROM duckdb_views()", "SELECT * FROM prism_hot(0)",
    ]
    # An answer is whole a moment before its process asks for the next event; a request that comes in between starts another process.
    # So a round counts when no process was started in it: all of them had served the victim before.
    for _ in range(8):
        before = query_instances(world, US)
        for given in leave:
            answer = victim.query(**given) if "format" in given else victim.query(given["sql"])
            assert answer.status in (200, 400, 404), answer.text()
            for sql in some(look, 3):
                for form in ("json", "csv", "parquet"):
                    listens.ask(attacker.home(), "POST", "/v1/query", headers=[JSON], body={"sql": sql, "format": form})
        after = query_instances(world, US)
        assert after["invocations"] > before["invocations"] + len(leave) * 3
        if after["cold_starts"] == before["cold_starts"]:
            break
    else:
        pytest.fail("in every round there was a new process")
    assert attacker.rows("SELECT count(*), count(DISTINCT body[:22]) FROM logs")[0][1] <= 2  # its own canary, and rows of its own attacks
    for region in (US, EU):
        left = [p for p in (world.fleet.data / "regions" / region / "tmp").rglob("*") if p.is_file() and victim.canary.encode() in p.read_bytes()]
        assert not left


# ---- functions ----


def invoke(world, region, name, event):
    """By the control socket: the event as somebody with the right to invoke the function would send it."""
    connection = UnixConnection(world.fleet.data / "regions" / region / "region.sock")
    try:
        connection.request("POST", f"/2015-03-31/functions/{name}/invocations", body=json.dumps(event))
        got = connection.getresponse()
        return Answer(got.status, got.getheaders(), got.read())
    finally:
        connection.close()


def proxy_event(route, given, context, headers=(), body=None, query=None):
    return {"resource": route[1], "path": path_of(route, given), "httpMethod": route[0], "headers": dict(headers), "multiValueHeaders": {k: [v] for k, v in headers}, "queryStringParameters": query,
            "multiValueQueryStringParameters": {k: [v] for k, v in (query or {}).items()}, "pathParameters": {n: given[n] for n in parameters(route)} or None, "stageVariables": {"tenant": given["tenant"]},
            "requestContext": {"resourcePath": route[1], "httpMethod": route[0], "requestId": "r-1", "stage": "v1", "identity": {"sourceIp": "127.0.0.1", "tenant": given["tenant"]}, **({"authorizer": context} if context is not None else {})},
            "body": body, "isBase64Encoded": False}


FUNCTIONS_BY_HTTP = {"ingest", "query", "catalog", "keys", "audit", "tenants", "workflows"}
FUNCTIONS_BY_EVENT = {"authorizer", "bridge", "rotation", "schema", "storage"}  # no route leads to them: nothing that a tenant sends becomes their event


def function_of(route):
    uri = operation(route)["x-amazon-apigateway-integration"].get("uri", "")
    return next((name for name in CATALOGUE["functions"] if f"-{name}-${{stage" in uri or f"-{name}:live" in uri or f"-{name}/" in uri), None)


def test_every_function_has_its_case():
    reached = {function_of(route) for route in ROUTES} - {None}
    assert reached == FUNCTIONS_BY_HTTP and FUNCTIONS_BY_HTTP | FUNCTIONS_BY_EVENT == set(CATALOGUE["functions"])


@pytest.mark.parametrize("route", [r for r in ROUTES if function_of(r)], ids=lambda r: f"{r[0]} {r[1]}")
def test_a_function_takes_the_tenant_from_the_authorizers_context_alone(world, route):
    attacker, victim = world.acme, world.same
    listens = world.witness(attacker)
    kind, body = bodies(route, values(victim))[0]
    headers = [*kind, *((n, v) for n, v in claims(victim)[-1])]
    mine = {"tenant": attacker.name, "key_id": attacker.key_ids[0], "scopes": "ingest query admin", "tier": "pooled", "home_region": US, "shard": "shard-0", "epoch": "1"}
    wrong = [None, {}, {"tenant": ""}, {"principalId": victim.name}, {"claims": {"tenant": victim.name}, "scopes": "admin query ingest"}, {"Tenant": victim.name, "scopes": "admin query ingest"}, {"tenant": [victim.name]},
             {"tenant": {"name": victim.name}}, {"lambda": {"tenant": victim.name, "scopes": "admin"}}]
    given = aims(route, victim)
    for context in wrong:
        answer = listens.look(invoke(world, US, function_of(route), proxy_event(route, given, context, headers, body, {"tenant": victim.name})), str(context))
        said = answer.json()
        assert said.get("errorType") or said["statusCode"] in (400, 401, 403), (context, answer.text())
    answer = listens.look(invoke(world, US, function_of(route), proxy_event(route, given, mine, headers, body, {"tenant": victim.name})))
    assert answer.json()["statusCode"] in ROUTE_ANSWERS[route] | {200}, answer.text()
    if route[1] == "/v1/tokens":
        assert json.loads(answer.json()["body"])["tenant"] == attacker.name
    if route[0] != "GET" and not route[1].startswith(("/v1/logs", "/v1/traces", "/v1/metrics", "/v1/ingest", "/v1/query", "/v1/tokens", "/v1/retention")):
        assert answer.json()["statusCode"] in REFUSED, answer.text()


# ---- the operator's tenant ----


def test_what_the_platform_tells_of_tenants_is_the_operators(world):
    """Access log, function log, metrics: of all tenants, and only for keys of the operator's tenant."""
    operator = world.fleet.json("key", "create", "_system", "--region", US, "--scopes", "query")["key"]
    wait(lambda: ask(world.acme.home(), "POST", "/v1/query", operator, [JSON], {"sql": "SELECT count(*) FROM access_log"}).status == 200, seconds=60)
    seen = ask(world.acme.home(), "POST", "/v1/query", operator, [JSON], {"sql": "SELECT DISTINCT tenant FROM access_log"}).json()["rows"]
    assert [world.same.name] in seen
    listens = world.witness(world.acme)
    for dataset in ("access_log", "function_log", "metrics", "traces", "workflow_events"):
        answer = listens.ask(world.acme.home(), "GET", f"/v1/datasets/{dataset}")
        assert answer.status in (200, 404)
        if answer.status == 200:  # its own, of that name
            assert answer.json()["rows"] < 10000
        for path in ("/v1/admin/tenants/_system", "/v1/admin/tenants/_system/keys"):
            assert listens.ask(world.acme.home(), "GET", path).status == 403
    assert listens.ask(world.acme.home(), "POST", "/v1/admin/tenants/_system/keys", headers=[JSON], body={"scopes": ["admin"]}).status == 403
