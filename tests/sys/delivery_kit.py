"""What a rehearsal of platform/pipeline.json stands on: regions of this machine that its functions are rolled out in, releases, the overlay
that leads its steps there, and somebody who drives a run, approves its plans, and kills it where a list of steps says."""

import contextlib
import functools
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import requests

import conftest
from conftest import PRISM, ROOT
from region_kit import ENV_QUICK, Threads, control, wait

EU, US = "eu-west-1", "us-east-1"
REGIONS = (EU, US)
ENVIRONMENTS = ("dev", "staging", "prod")
WAVES = {"first": EU, "second": US}  # of platform/pipeline.json
DONE, ENDED_BADLY, ASKS = 0, 3, 6
KEY = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""  # of RFC 8032, 7.1


# ---- regions ----

class Fleet(conftest.Region):
    """`prism up --regions`: the router and both regions."""

    def __init__(self, data, program=PRISM):
        super().__init__(data, env={**ENV_QUICK, "PRISM_REGION_IDLE_MS": "5000"})  # who is called now and then is not started anew each time
        self.keys, self.program = {}, program

    def run(self, *args, check=True, timeout=120, **kw):
        done = subprocess.run([self.program, *map(str, args)], env=self.env, capture_output=True, text=True, timeout=timeout, **kw)
        assert not check or done.returncode == 0, f"prism {args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self):
        self.run("up", "--detach", "--regions", ",".join(REGIONS), timeout=300)

    def up(self):
        self.start()
        for name in REGIONS:
            self.run("tenant", "create", f"at-{name}", "--region", name)
            self.keys[name] = self.json("key", "create", f"at-{name}", "--scopes", "ingest,query", "--region", name)["key"]
            wait(lambda name=name: self.ask(name, "GET", "/v1/datasets").status_code == 200, seconds=120, every=0.2)
        return self

    def again(self, port, keys):
        """One that was up before, and may be still."""
        self.port, self.keys = port, keys
        self.env["PRISM_PORT"] = str(port)
        if self.run("status", check=False).returncode != 0:
            self.start()
        return self

    def place(self, name):
        return self.data / "regions" / name

    def socket(self, name):
        return f"unix:{self.place(name) / 'region.sock'}"

    def ask(self, name, method, path, **kw):
        return requests.request(method, self.url + path, headers={"Authorization": f"Bearer {self.keys[name]}"}, timeout=60, **kw)

    def control(self, name, path):
        """What the region's socket answers, in Lambda's protocol."""
        status, _, body = control(conftest.Region(self.place(name)), "GET", path)
        assert status == 200, f"{path}: {status} {body}"
        return json.loads(body)

    def live(self, name, function="catalog"):
        """The version that has the calls, and what is on its way to them."""
        alias = self.control(name, f"/2015-03-31/functions/{function}/aliases/live")
        return alias["FunctionVersion"], (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}

    def code(self, name, function="catalog"):
        """SHA-256 of what has the calls."""
        return self.control(name, f"/2015-03-31/functions/{function}/configuration?Qualifier=live")["CodeSha256"]


class Callers(Threads):
    """Steady requests of each region's tenant through the routers: lists, records, queries. What came of each is counted."""

    def __init__(self, fleets, threads=2, pause_of=lambda _: 0.005, mix=(2, 1, 1)):
        super().__init__([functools.partial(self.run, fleet, name, i) for fleet in fleets for name in REGIONS for i in range(threads)])
        self.pause_of, self.mix = pause_of, mix
        self.lock, self.good, self.bad = threading.Lock(), 0, []

    def run(self, fleet, name, seed):
        session, dice = requests.Session(), random.Random(seed)
        session.headers["Authorization"] = f"Bearer {fleet.keys[name]}"
        while not self.stop.wait(self.pause_of(fleet)):
            kind = dice.choices(("list", "ingest", "query"), self.mix)[0]
            try:
                if kind == "list":
                    answer = session.get(fleet.url + "/v1/datasets", timeout=60)
                elif kind == "ingest":
                    answer = session.post(fleet.url + "/v1/ingest/app", data=json.dumps({"n": dice.random()}), timeout=60,
                                          headers={"Content-Type": "application/x-ndjson"})
                else:
                    answer = session.post(fleet.url + "/v1/query", json={"sql": "SELECT 1"}, timeout=60)
                wrong = None if answer.status_code == 200 else f"{kind} {name}: {answer.status_code} {answer.text[:200]}"
            except requests.RequestException as e:
                wrong = f"{kind} {name}: {e}"
            with self.lock:
                if wrong:
                    self.bad.append(wrong)
                else:
                    self.good += 1

    def counted(self):
        with self.lock:
            return self.good, len(self.bad)


# ---- bad changes ----

# A function in front of the built one: hands each call on to it, and makes every nth fail or late.
BEFORE = """#!{python}
import http.client, http.server, json, os, random, socketserver, subprocess, sys, threading, time
ERROR_RATE, SLEEP_S, NEXT = {error_rate}, {sleep_s}, {next!r}
PATH = "/2018-06-01/runtime/invocation/"
there = os.environ["AWS_LAMBDA_RUNTIME_API"]
dice = random.Random(os.getpid())

class Between(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def hand_on(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path
        if method == "POST" and path.endswith("/response"):
            if SLEEP_S: time.sleep(SLEEP_S)
            if dice.random() < ERROR_RATE:
                path, body = path[:-len("response")] + "error", json.dumps({{"errorType": "Bad", "errorMessage": "by design"}}).encode()
        up = http.client.HTTPConnection(there)
        up.request(method, path, body, {{k: v for k, v in self.headers.items() if k.lower().startswith(("lambda-", "content-type"))}})
        answer = up.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for k, v in answer.headers.items():
            if k.lower().startswith(("lambda-", "content-type")): self.send_header(k, v)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self): self.hand_on("GET")
    def do_POST(self): self.hand_on("POST")

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

server = Server(("127.0.0.1", 0), Between)
threading.Thread(target=server.serve_forever, daemon=True).start()
# It ends when whoever started it is gone, which is this program and not the region.
child = subprocess.Popen([NEXT], env={{**os.environ, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % server.server_address[1], "PRISM_REGION_PID": str(os.getpid())}})
sys.exit(child.wait())
"""


def before_the_built_one(function, error_rate=0.0, sleep_s=0.0):
    """The text of a bootstrap; `function` is what the build left."""
    built = PRISM.resolve().parent / "fn" / function / "bootstrap"
    return BEFORE.format(python=sys.executable, next=str(built.resolve()), error_rate=error_rate, sleep_s=sleep_s)


# ---- a Terraform ----

# A state for each stack, made by an apply: what its variables were.
TERRAFORM = """#!/bin/sh
here=$(dirname "$0")
case $1 in
init) for a; do case $a in -backend-config=key=*) echo "${a#-backend-config=key=}" | tr / _ >"$TF_DATA_DIR/key";; esac; done ;;
plan) for a; do case $a in -var-file=*) cat "${a#-var-file=}";; -out=*) out=${a#-out=};; esac; done | sha256sum >"$TF_DATA_DIR/variables"
  for a; do case $a in -out=*) echo plan >"${a#-out=}";; esac; done ;;
show) if cmp -s "$here/$(cat "$TF_DATA_DIR/key")" "$TF_DATA_DIR/variables"; then cat "$here/nothing.json"; else cat "$here/changes.json"; fi ;;
apply) if [ -e "$here/fail" ]; then rm "$here/fail"; echo '{"type":"diagnostic","diagnostic":{"severity":"error","summary":"half of it is there"}}'; exit 1; fi
  cp "$TF_DATA_DIR/variables" "$here/$(cat "$TF_DATA_DIR/key")" ;;
esac
"""


def stand_in(folder):
    """A program that answers as Terraform does, in a folder; a file `fail` in it makes an apply fail half-way."""
    folder.mkdir()
    (folder / "terraform").write_text(TERRAFORM)
    (folder / "terraform").chmod(0o755)
    changes = json.loads((ROOT / "tests/unit/delivery/terraform/plans/create.json").read_text())
    (folder / "changes.json").write_text(json.dumps(changes))
    (folder / "nothing.json").write_text(json.dumps({**changes, "resource_changes": [], "output_changes": {}}))
    return folder


# ---- the run ----

class Rehearsal:
    """A root of links to this repository's sources, a store of runs, an overlay that says where the steps lead."""

    def __init__(self, folder, env=None):
        self.folder, self.root, self.state = pathlib.Path(folder), pathlib.Path(folder) / "root", pathlib.Path(folder) / "state"
        if not self.root.exists():
            (self.root / "build").mkdir(parents=True)
            for name in ("platform", "infra", "edge"):
                (self.root / name).symlink_to(ROOT / name)
            (self.root / "build" / "prism").symlink_to(PRISM.resolve())
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_", "PRISM_")) and k.lower() not in ("http_proxy", "https_proxy", "no_proxy")}
        self.env = {**keep, **(env or {})}
        self.overlay = {"why": "rehearsal", "skip": ["validate", "build/package", "test"], "actions": {"images": {"to_variable": None}}, "steps": {}}
        (self.folder / "release.key").write_text(KEY)
        self.env["PRISM_RELEASE_KEY"] = str(self.folder / "release.key")

    def lead_to(self, endpoint_of, bake_s, **rollout):
        """Rollouts, bakes and ways back go to regions of this machine: endpoint_of(environment, region). requests_of and alarms of the pipeline's
        bakes name functions as AWS has them; here they bear the catalogue's names."""
        where = {"prefix": None, "endpoint": endpoint_of("${environment}", "${region}"), "store": str(self.folder / "rollouts" / "${environment}")}
        self.overlay["actions"].update({
            "wait": {"time_s": bake_s, "every_s": 1, "patience_s": 600, "alarm_prefix": "prism-local"},
            "rollout": {**where, "publish": True, "bake_s": bake_s, **rollout}, "rollback": where})
        for environment in ENVIRONMENTS:
            for wave, region in WAVES.items():
                bake = self.overlay["steps"].setdefault(f"{environment}/{wave}/bake", {})
                bake["endpoint"] = endpoint_of(environment, region)
                if environment != "dev":
                    bake["requests_of"] = [f"{region}/ingest", f"{region}/query"]

    def release_is(self, package):
        self.overlay["steps"]["build/release"] = {"package": str(package), "source": "rehearsal"}

    def args(self, verb, *args, who="ada"):
        return ["pipeline", verb, *args, "--state", self.state, "--root", self.root, *(() if verb in ("status", "history") else ("--as", who))]

    def prism(self, *args, timeout=7200):
        return subprocess.run([PRISM, *map(str, args)], env=self.env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)

    def __call__(self, verb, *args, who="ada", **kw):
        return self.prism(*self.args(verb, *args, who=who), **kw)

    def begin(self, *more):
        """Arguments of `run` with the overlay as it is now."""
        return "run", "--overlay", self.overlay_file(), *more

    def overlay_file(self):
        file = self.folder / "overlay.json"
        file.write_text(json.dumps(self.overlay, indent=1))
        return file

    def roll_back(self, *more):
        """`prism rollback` until it has ended, every plan approved."""
        return self.drive_on(self.prism("rollback", "--overlay", self.overlay_file(), *more, "--state", self.state, "--root", self.root, "--as", "ada"))

    def steps(self):
        done = self(*self.begin(), "--dry-run", "--json")
        assert done.returncode == DONE, done.stderr
        return [s["step"] for s in json.loads(done.stdout)["steps"]]

    def status(self):
        return json.loads(self("status", "--json").stdout)

    def history(self, run=None):
        return [json.loads(line) for line in self("history", *([run] if run else []), "--json").stdout.splitlines()]

    def approve(self):
        """By somebody who did not start the run."""
        done = self("approve", "--why", "rehearsed", who="bob")
        assert done.returncode == DONE, done.stderr
        return done

    def drive(self, first=None):
        """Until the run has ended; every plan is approved. The exit code and what was said last."""
        return self.drive_on(self(*(first or self.begin())))

    def drive_on(self, done):
        while done.returncode == ASKS and "for an approval" in done.stderr:
            self.approve()
            done = self("resume")
        return done

    def drive_rest(self):
        """Of a run whose driver is gone, which may have been all of it."""
        outcome = self.status().get("outcome")
        if outcome:
            return subprocess.CompletedProcess((), DONE if outcome == "succeeded" else ENDED_BADLY, "", outcome)
        return self.drive_on(self("resume"))

    # -- kills --

    def begun(self):
        """The last run's number; 0: there was none."""
        return max((int(path.name) for path in (self.state / "runs").glob("[0-9]*")), default=0)

    def step_now(self):
        """The step that the last run began last."""
        for path in reversed(self.entries(self.begun())):
            with contextlib.suppress(ValueError, OSError):
                if step := json.loads(path.read_text()).get("step"):
                    return step
        return ""

    def entries(self, run):
        return sorted((self.state / "runs" / f"{run:06}").glob("[0-9]*.json"))

    def drive_killed(self, run, after, *more, killed=None):
        """As drive(), but killed with SIGKILL as soon as the journal of `run` has an entry that `after` names: {(event, step), ...}, each once.
        Gives what drive() gives, and the kills; `killed`: those of a driver before, of the same run."""
        seen, killed = set(self.entries(run)), [] if killed is None else killed
        verb = ("resume",) if seen else self.begin(*more)
        while True:
            process = subprocess.Popen([PRISM, *map(str, self.args(*verb))], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            said = []
            readers = [threading.Thread(target=lambda: said.append(process.stderr.read())), threading.Thread(target=process.stdout.read)]
            for reader in readers:
                reader.start()
            while process.poll() is None:
                for path in self.entries(run):
                    if path in seen:
                        continue
                    with contextlib.suppress(ValueError, OSError):
                        entry = json.loads(path.read_text())
                        seen.add(path)
                        at = (entry["event"], entry.get("step"))
                        if at in after and at not in killed:
                            process.send_signal(signal.SIGKILL)  # one that asks for an approval may have ended there by itself
                            killed.append(at)
                            break
                time.sleep(0.002)
            for reader in readers:
                reader.join()
            done = subprocess.CompletedProcess(verb, process.returncode, "", said[0] if said else "")
            verb = ("resume",)
            if done.returncode == ASKS and "for an approval" in done.stderr:
                self.approve()
            elif done.returncode != -signal.SIGKILL:
                return done, killed


def story(entries):
    """The log without what a crash adds: who drove when, steps that began again, notes. What an undisturbed run tells, all told."""
    told, seen = [], set()
    for entry in entries:
        data = entry.get("data") or {}
        if entry["event"] in ("held", "released", "step-noted", "run-started") or data.get("again"):
            continue
        line = (entry["event"], entry.get("step") or entry.get("stage"), entry.get("release"))
        if line not in seen or entry["event"] not in ("step-started", "undo-started"):
            told.append(line)
        seen.add(line)
    return told
