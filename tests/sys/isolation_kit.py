"""What the isolation tests share: two local regions with two shards each, tenants whose data carries words that nobody else may ever see, and a
witness that looks for those words in whatever another tenant is answered."""

import base64
import http.client
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import urllib.parse

from conftest import PRISM
from region_kit import Tree, wait
from test_regions import EU, US, Regions

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTRACT = json.loads((ROOT / "platform" / "api.openapi.json").read_text())
CATALOGUE = json.loads((ROOT / "platform" / "functions.json").read_text())
ROUTES = [(method.upper(), path) for path, item in CONTRACT["paths"].items() for method in item if method in ("get", "put", "post", "delete", "patch", "head")]
PREFLIGHTS = [item["options"] for item in CONTRACT["paths"].values() if "options" in item]
SHARDS = ("shard-0", "shard-1")
ALL_SCOPES = "ingest,query,admin"
VOLATILE = {"date", "x-amzn-requestid", "x-amzn-trace-id", "prism-query-cost", "x-amz-cf-id", "via", "x-amz-apigw-id", "content-length"}


SANITIZED = os.environ.get("PRISM_BUILD") in ("asan", "tsan")  # many times slower, and the cases are the same


def some(cases, share):
    """All of them; of a sanitizer's build one of so many."""
    cases = list(cases)
    return cases[::share] if SANITIZED else cases


class Leak(AssertionError):
    pass


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def text(self):
        return "\n".join(f"{k}: {v}" for k, v in self.headers) + "\n" + self.body.decode(errors="replace")

    def shape(self, *names):
        """What tells one answer from another, without what no two have alike and without the names that were asked for."""
        kept = sorted((k.lower(), v) for k, v in self.headers if k.lower() not in VOLATILE)
        text = self.body.decode(errors="replace")
        if "json" in dict(kept).get("content-type", ""):
            body = self.json()
            if isinstance(body, dict):
                body.pop("requestId", None)
                body.pop("cost", None)
            text = json.dumps(body)
        for name in names:
            text = text.replace(name, "NAME")
        return self.status, kept, text


def ask(port, method, target, key=None, headers=(), body=None):
    """One request as it is written: nobody tidies up paths or headers on the way. headers may have a name twice."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, target, skip_host=any(n == "Host" for n, _ in headers), skip_accept_encoding=True)
        if key:
            connection.putheader("Authorization", f"Bearer {key}")
        for name, value in headers:
            connection.putheader(name, value)
        body = body if body is None or isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        got = connection.getresponse()
        return Answer(got.status, got.getheaders(), got.read())
    finally:
        connection.close()


def disguises(word):
    """As it may stand in an answer: plain, in base64 wherever it begins, in hex."""
    raw = word.encode()
    found = {raw, raw.lower(), raw.upper(), raw.hex().encode(), raw.hex().upper().encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        found.add(encoded[4 if shift else 0:-4])  # what its neighbours have no part in
    return found


class Tenant:
    def __init__(self, fleet, name, region, shard):
        self.fleet, self.name, self.region, self.shard = fleet, name, region, shard
        self.canary = "Zq" + secrets.token_hex(10)
        self.only = "only_" + secrets.token_hex(6)  # a dataset that nobody else has
        fleet.create(name, region, shard)
        made = {s: fleet.json("key", "create", name, "--region", region, "--scopes", s, "--label", f"label {self.canary}") for s in (ALL_SCOPES, "query", "ingest")}
        self.key, self.reader, self.writer = (made[s]["key"] for s in (ALL_SCOPES, "query", "ingest"))
        self.key_ids = [m["key_id"] if "key_id" in m else m["key"].split("_")[1] for m in made.values()]
        self.words = [self.canary, *(m["key"].split("_")[2] for m in made.values())]

    def home(self):
        return self.fleet.port_of(self.region)

    def send(self, dataset, records, headers=()):
        body = "".join(json.dumps(r) + "\n" for r in records)
        answer = ask(self.home(), "POST", f"/v1/ingest/{dataset}", self.key, [("Content-Type", "application/x-ndjson"), *headers], body)
        assert answer.status == 200, answer.text()
        return answer.json()

    def query(self, sql, **more):
        return ask(self.home(), "POST", "/v1/query", self.key, [("Content-Type", "application/json")], {"sql": sql, **more})

    def rows(self, sql):
        answer = self.query(sql)
        assert answer.status == 200, answer.text()
        return answer.json()["rows"]

    def fill(self, count=3):
        """Rows with the canary as value and as column, in a dataset whose name all have and in one of its own."""
        for dataset in ("logs", self.only):
            self.send(dataset, [{"time": "2026-11-20T10:00:00Z", "n": i, "body": f"{self.canary} {dataset} {i}", f"c_{self.canary}": i} for i in range(count)])

    def state(self):
        """All that the tenant can see of itself and that others must not change."""
        about = ask(self.home(), "GET", f"/v1/admin/tenants/{self.name}", self.key)
        keys = ask(self.home(), "GET", f"/v1/admin/tenants/{self.name}/keys", self.key)
        datasets = ask(self.home(), "GET", "/v1/datasets", self.key)
        assert (about.status, keys.status, datasets.status) == (200, 200, 200), about.text() + keys.text() + datasets.text()
        counted = [{k: d[k] for k in ("name", "rows", "retention_days")} for d in datasets.json()["datasets"]]
        rows = {d["name"]: sorted(map(str, self.rows(f"SELECT * FROM {d['name']}"))) for d in counted}
        return about.json(), keys.json(), counted, rows


class Witness:
    """Looks for others' words in what `tenant` is answered."""

    def __init__(self, tenant, others, more=()):
        self.tenant = tenant
        self.words = {}
        for other in others:
            self.words |= {disguise: f"{word} of {other.name}" for word in other.words for disguise in disguises(word)}
        self.words |= {disguise: word for word in more for disguise in disguises(word)}
        self.heard = 0

    def look(self, answer, what=""):
        self.heard += 1
        whole = answer.text().encode() + answer.body
        for word, whose in self.words.items():
            if word in whole:
                raise Leak(f"{self.tenant.name} heard {whose}: {what}: {answer.status} {answer.text()[:2000]}")
        return answer

    def ask(self, port, method, target, key=None, headers=(), body=None):
        answer = ask(port, method, target, self.tenant.key if key is None else key, headers, body)
        return self.look(answer, f"{method} {target} {headers} {str(body)[:300]}")


class Fleet(Regions):
    """From a copy of the build tree, in which a region has two shards."""

    def __init__(self, folder, names=(US, EU), env=None, authorizer_ttl_s=None):
        tree = Tree.__new__(Tree)
        tree.tree = folder / "tree"
        (tree.tree / "fn").mkdir(parents=True)
        shutil.copy2(PRISM.resolve(), tree.tree / "prism")
        built = PRISM.resolve().parent
        for fn in (built / "fn").iterdir():
            (tree.tree / "fn" / fn.name).symlink_to(fn)
        shutil.copytree(ROOT / "platform", tree.tree / "platform")
        shutil.copytree(ROOT / "edge", tree.tree / "edge")
        tree.edit("functions.json", lambda root: root["functions"]["tenants"]["environment"].update({"PRISM_SHARDS": ",".join(SHARDS)}))
        if authorizer_ttl_s is not None:
            tree.edit("api.openapi.json", lambda root: root["components"]["securitySchemes"]["prism_key"]["x-amazon-apigateway-authorizer"].update({"authorizerResultTtlInSeconds": authorizer_ttl_s}))
        self.program = tree.tree / "prism"
        super().__init__(folder / "d", names, env)

    def run(self, *args, check=True, input=None, timeout=120):
        done = subprocess.run([self.program, *map(str, args)], env=self.env, capture_output=True, text=True, input=input, timeout=timeout)
        assert not check or done.returncode == 0, f"prism {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def port_of(self, name):
        return self.of(name)["port"]

    def doors(self):
        """Every way in: the router and each region."""
        return {"router": self.port, **{name: self.port_of(name) for name in self.names}}

    def create(self, name, region, shard="shard-0", tier="pooled"):
        """With a shard of its own choice, which the API has and the command has not."""
        made = ask(self.port_of(region), "POST", "/v1/admin/tenants", self.admin_key, [("Content-Type", "application/json")], {"name": name, "shard": shard, "tier": tier})
        assert made.status == 201 and made.json()["shard"] == shard, made.text()

    def known_everywhere(self, tenants):
        for tenant in tenants:
            for port in self.doors().values():
                wait(lambda: ask(port, "GET", "/v1/datasets", tenant.key).status != 401, seconds=60, every=0.1)

    def tick(self, *names):
        for name in self.names:
            for schedule in names:
                self.run("tick", schedule, "--region", name)


def encoded(text):
    return urllib.parse.quote(text, safe="")
