"""Every route of the contract by every scope, tenant and state of key or token: who is let in is what `x-prism-access` of the operation says, and
nothing else. The contract is the list of cases, so a route that is new is tried, or fails here until it says who may call it.

    scopes   one of them is enough; none: anybody, without a key
    tenant   own: data of the caller's tenant, which no request can name; named: the path's, for that tenant and the operator; operator: for the operator alone
    tokens   whether a token is taken where its key would be
    restricted  false: who is limited to datasets or rows is refused, for what is told is of all
"""

import base64
import dataclasses
import itertools
import json
import time
import uuid

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ed25519

from conftest import ROOT, Region

CONTRACT = json.loads((ROOT / "platform" / "api.openapi.json").read_text())
SCOPES = ["ingest", "query", "admin"]
SETS = [list(s) for n in (1, 2, 3) for s in itertools.combinations(SCOPES, n)]
OPERATIONS = {op["operationId"]: (method.upper(), path, op) for path, item in CONTRACT["paths"].items() for method, op in item.items() if "operationId" in op}

JSON, NDJSON = "application/json", "application/x-ndjson"
# A request that its function takes from whoever may; what it would do is harmless, for allowed callers make it too.
BODIES = {
    "exportLogs": (JSON, '{"resourceLogs":[]}'), "exportTrace": (JSON, '{"resourceSpans":[]}'), "exportMetrics": (JSON, '{"resourceMetrics":[]}'),
    "ingestRecords": (NDJSON, '{"n":1}\n'), "query": (JSON, '{"sql":"SELECT 1"}'), "setRetention": (JSON, '{"days":30}'), "setTenantRetention": (JSON, '{"days":30}'),
    "createTenant": (JSON, '{"name":"own"}'), "changeTenant": (JSON, '{"tier":"pooled"}'), "createKey": (JSON, '{"expires":"2020-01-01T00:00:00Z"}'),
    "createToken": (JSON, '{"expires_in_s":0}'), "changeShard": (JSON, '{"state":"open"}'),
    "moveTenant": (JSON, '{"id":"matrix","to":"local","to_prefix":"prism","to_shard":"shard-0"}'),
    "startExecution": (JSON, "{}"), "stopExecution": (JSON, "{}"), "answerExecution": (JSON, '{"output":{}}'),
}
# What of it is refused as bad or taken by who may, so that nothing is made.
# The datasets that the requests above name, and those of OTLP.
SOME = {"datasets": ["matrix", "nosuch", "logs", "traces", "metrics"]}
ROWS = {"datasets": ["some"], "rows": [{"column": "n", "equals": 1}]}
REFUSED_ANYWAY = {"createKey": 400, "createToken": 400, "createTenant": 409}


@dataclasses.dataclass
class Caller:
    name: str
    credential: str | None
    status: int  # 0: let in; 401, 403: never
    tenant: str = ""
    scopes: tuple = ()
    token: bool = False
    restricted: bool = False


class World:
    def __init__(self, folder):
        self.region = r = Region(folder)
        r.env["PRISM_REGION_WRONG_KEYS_MAX"] = "0"  # no bound: there are more wrong ones in the matrix than an address has
        r.up()
        self.callers = []
        for name in ("own", "other", "suspended", "deleted"):
            r.run("tenant", "create", name)
        r.ingest("some", [{"n": 1}], key=self.key("own", ["ingest"]))
        for scopes in SETS:
            self.add("good", "own", scopes, 0)
        for scopes in (SCOPES, ["admin"], ["ingest", "query"]):
            self.add("operator", "_system", scopes, 0)
        for name, status in (("suspended", 403), ("deleted", 401)):
            self.add(name, name, SCOPES, status)
            self.add_token(f"token of {name}", name, SCOPES, ["ingest", "query"], status)
        for give in (["ingest"], ["query"], ["ingest", "query"]):
            self.add_token("token", "own", give, give, 0)
        self.add_token("token by admin", "own", ["admin"], ["query"], 0)
        for scopes in (["query"], ["ingest", "query"]):
            self.add("restricted", "own", scopes, 0, SOME)
        self.add("restricted to rows", "own", ["query"], 0, ROWS)
        self.callers.append(Caller("token of restricted", self.token(self.key("own", ["query"], restriction=ROWS), ["query"]), 0, "own", ("query",), token=True, restricted=True))
        self.bad()
        r.call("PATCH", "/v1/admin/tenants/suspended", key=r.admin_key, json={"status": "suspended"}).raise_for_status()
        r.call("DELETE", "/v1/admin/tenants/deleted", key=r.admin_key).raise_for_status()

    def key(self, tenant, scopes, **more):
        answer = self.region.call("POST", f"/v1/admin/tenants/{tenant}/keys", key=self.region.admin_key, json={"scopes": scopes, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()["key"]

    def token(self, key, scopes, life=3600):
        answer = self.region.call("POST", "/v1/tokens", key=key, json={"scopes": scopes, "expires_in_s": life})
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]

    def add(self, name, tenant, scopes, status, restriction=None):
        key = self.key(tenant, scopes, **({"restriction": restriction} if restriction else {}))
        self.callers.append(Caller(f"{name} {'+'.join(scopes)}", key, status, tenant, tuple(scopes), restricted=bool(restriction)))
        return key

    def add_token(self, name, tenant, scopes, give, status):
        token = self.token(self.key(tenant, scopes), give)
        self.callers.append(Caller(f"{name} {'+'.join(give)}", token, status, tenant, tuple(give), token=True))

    def bad(self):
        """Of states that open nothing, each with all scopes that there are."""
        never = lambda name, text: self.callers.append(Caller(name, text, 401))
        revoked, good = self.key("own", SCOPES), self.key("own", SCOPES)
        narrow = self.key("own", ["query"], restriction=ROWS)
        self.region.call("DELETE", f"/v1/admin/tenants/own/keys/{narrow.split('_')[1]}", key=self.region.admin_key).raise_for_status()
        of_revoked, token = self.token(revoked, ["ingest", "query"]), self.token(good, ["ingest", "query"])
        self.region.call("DELETE", f"/v1/admin/tenants/own/keys/{revoked.split('_')[1]}", key=self.region.admin_key).raise_for_status()
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        short, brief = self.key("own", SCOPES, expires=ends), self.token(good, ["ingest", "query"], 1)
        time.sleep(3)
        claims = jwt.decode(token, options={"verify_signature": False}) | {"jti": str(uuid.uuid4())}
        header = jwt.get_unverified_header(token)
        never("none", None)
        never("revoked", revoked)
        never("revoked, restricted", narrow)
        never("token of revoked", of_revoked)
        never("expired", short)
        never("expired token", brief)
        never("malformed", good[:-1])
        never("changed", good[:-1] + ("0" if good[-1] != "0" else "1"))
        never("malformed token", token[:-2])
        never("unsigned", jwt.encode(claims, None, algorithm="none", headers={"kid": header["kid"]}))
        never("another environment's", jwt.encode(claims | {"aud": "prism:prod:eu-west-1"}, ed25519.Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": header["kid"]}))
        never("another environment's key", KEY_OF_ELSEWHERE)
        head, _, signature = token.split(".")
        admin = base64.urlsafe_b64encode(json.dumps(claims | {"scope": "admin", "sub": "_system"}).encode()).rstrip(b"=").decode()
        never("promoted", f"{head}.{admin}.{signature}")


def made_elsewhere():
    """A key in good form that this region never made."""
    import hashlib
    import os

    secret = os.urandom(24)
    return f"prism_{hashlib.sha256(secret).hexdigest()[:16]}_{secret.hex()}"


KEY_OF_ELSEWHERE = made_elsewhere()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("matrix") / "data")
    yield w
    for name, status in (("own", "active"), ("other", "active"), ("suspended", "suspended"), ("deleted", "deleted")):
        assert w.region.call("GET", f"/v1/admin/tenants/{name}", key=w.region.admin_key).json()["status"] == status
    assert w.region.status()["phase"] == "serving"
    w.region.down()


def ask(region, operation, tenant, credential):
    method, path, _ = OPERATIONS[operation]
    target = path.format(tenant=tenant, dataset="matrix" if operation == "ingestRecords" else "nosuch", key_id="0" * 16, shard="nosuch", machine="nosuch", execution="nosuch")
    kind, body = BODIES.get(operation, (None, None))
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    if kind:
        headers["Content-Type"] = kind
    return requests.request(method, region.url + target, headers=headers, data=body, timeout=60)


def expected(access, caller, tenant):
    """0: let in, whatever the function then makes of it."""
    if not access["scopes"]:
        return 0
    if caller.status:
        return caller.status
    operator = caller.tenant == "_system"
    if caller.token and not access["tokens"]:
        return 403
    if not set(access["scopes"]) & set(caller.scopes):
        return 403
    if caller.restricted and not access.get("restricted", True):
        return 403
    if access["tenant"] == "operator":
        return 0 if operator else 403
    if access["tenant"] == "named":
        return 0 if operator or caller.tenant == tenant else 403
    return 0


@pytest.mark.parametrize("operation", OPERATIONS)
def test_who_is_let_in_is_what_the_contract_says(world, operation):
    access = OPERATIONS[operation][2]["x-prism-access"]
    assert set(access) <= {"scopes", "tenant", "tokens", "restricted"}
    assert set(access["scopes"]) <= set(SCOPES) and (not access["scopes"] or access["tenant"] in ("own", "named", "operator"))
    named = "{tenant}" in OPERATIONS[operation][1]
    # The operator is let to every tenant, so deletes and changes aim at one that bears it.
    tenants = ["own", "other", "nobody", "suspended", "deleted"] if named else ["own"]
    wrong, tried = [], 0
    for caller, tenant in itertools.product(world.callers, tenants):
        want = expected(access, caller, tenant)
        if want == 0 and operation == "deleteTenant" and tenant not in ("nobody", "deleted"):
            continue  # it would be done
        status = ask(world.region, operation, tenant, caller.credential).status_code
        tried += 1
        good = status == want if want else status not in (401, 403)
        if good and want == 0 and operation in REFUSED_ANYWAY and tenant == "own":
            good = status == REFUSED_ANYWAY[operation]  # its function read the request
        if not good or status >= 500:
            wrong.append((caller.name, tenant, status, want))
    assert not wrong, wrong
    assert tried >= len(world.callers)


def test_the_matrix_holds_each_answer(world):
    """Were all refused, or all let in, the above would show little."""
    for operation, (_, _, op) in OPERATIONS.items():
        access = op["x-prism-access"]
        answers = {expected(access, caller, "own") for caller in world.callers}
        assert answers == ({0, 401, 403} if access["scopes"] else {0}), operation


def test_security_of_the_contract_and_access_agree():
    for operation, (_, _, op) in OPERATIONS.items():
        secured = op.get("security", CONTRACT.get("security")) != []
        assert secured == bool(op["x-prism-access"]["scopes"]), operation
        if secured:
            assert any("prism_key" in requirement for requirement in op["security"]), operation
