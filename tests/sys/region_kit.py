"""What tests of the region share: a copied build tree whose functions can be replaced, its control socket, and
`probe`, a function that misbehaves on request."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

from conftest import PRISM, Region, children_of

ENDLESS = "SELECT count(*) FROM range(200000) a, range(200000) b, range(1000) c WHERE (a.range * b.range + c.range) % 7 = 3"

PROBE = """#!{python}
import http.client, json, os, signal, sys, time
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
path = "/2018-06-01/runtime/invocation/"
def post(request_id, what, answer):
    runtime.request("POST", path + request_id + what, json.dumps(answer))
    runtime.getresponse().read()
while True:
    try:
        runtime.request("GET", path + "next")
        answer = runtime.getresponse()
        event = json.loads(answer.read())
    except (OSError, http.client.HTTPException):
        sys.exit(0)
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    web = "httpMethod" in event
    do = (event.get("queryStringParameters") or {{}}) if web else event
    with open(os.environ["PRISM_TMP"] + "/probe.calls", "a") as calls:
        calls.write(request_id + " " + json.dumps(do) + "\\n")
    began = time.time()
    hog = bytearray()
    if "print" in do: os.write(1, bytes.fromhex(do["print"]) + b"\\n")
    while len(hog) < int(do.get("hog_mb", 0)) << 20:
        hog += b"x" * (8 << 20)
        time.sleep(0.02)
    time.sleep(float(do.get("sleep", 0)))
    while "until" in do and not os.path.exists(os.environ["PRISM_TMP"] + "/" + do["until"]): time.sleep(0.01)
    if "exit" in do: os._exit(int(do["exit"]))
    if "signal" in do: os.kill(os.getpid(), int(do["signal"]))
    if "raise" in do:
        post(request_id, "/error", {{"errorType": "Probe", "errorMessage": do["raise"]}})
        continue
    said = {{"pid": os.getpid(), "began": began, "ended": time.time(), "event": event}}
    post(request_id, "/response", {{"statusCode": 200, "headers": {{"Content-Type": "application/json"}},
                                    "body": json.dumps(said)}} if web else said)
"""


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("region", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Tree(Region):
    """A region started from a copy of the build tree. replace: {"function": text of its bootstrap}."""

    def __init__(self, folder, replace=None, functions=None, contract=None, env=None):
        super().__init__(folder / "data", env=env)
        self.tree = folder / "tree"
        (self.tree / "fn").mkdir(parents=True)
        shutil.copy2(PRISM.resolve(), self.tree / "prism")
        built = PRISM.resolve().parent
        if (built / "settings.json").exists():
            shutil.copy2(built / "settings.json", self.tree)
        for fn in (built / "fn").iterdir():
            (self.tree / "fn" / fn.name).symlink_to(fn)
        platform = built / "platform"
        if not platform.exists():
            platform = pathlib.Path(__file__).resolve().parents[2] / "platform"
        shutil.copytree(platform, self.tree / "platform")
        for name, text in (replace or {}).items():
            self.replace(name, text)
        self.warms = self.warms and "authorizer" not in (replace or {})
        if functions:
            self.edit("functions.json", functions)
        if contract:
            self.edit("api.openapi.json", contract)

    def replace(self, name, text):
        place = self.tree / "fn" / name
        if place.is_symlink():
            place.unlink()
        place.mkdir(exist_ok=True)
        bootstrap = place / "bootstrap"
        bootstrap.unlink(missing_ok=True)
        bootstrap.write_text(text.format(python=sys.executable) if "{python}" in text else text)
        bootstrap.chmod(0o755)

    def edit(self, name, change):
        path = self.tree / "platform" / name
        root = json.loads(path.read_text())
        change(root)
        path.write_text(json.dumps(root))

    def run(self, *args, check=True, input=None, timeout=60, **kw):
        if args[0] == "up":
            args = [*args, *self.up_options]
        done = subprocess.run([self.tree / "prism", *map(str, args)], env=self.env, capture_output=True, text=True,
                              input=input, timeout=timeout, **kw)
        if check and done.returncode != 0:
            raise AssertionError(f"prism {args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def let_go(self, name):
        """What `probe` waits for when it is asked to wait until `name`."""
        (self.data / "tmp" / name).touch()

    def calls(self):
        """What `probe` was asked, in order: (request id, event)."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data / "tmp" / "probe.calls").read_text().splitlines()
            return [(line.split(" ", 1)[0], json.loads(line.split(" ", 1)[1])) for line in lines]
        return []


def probe_in_place_of(name, **limits):
    """Catalogue change: `name` with the probe's limits, no stores."""

    def change(root):
        function = root["functions"][name]
        concurrency = {"class": "from-zero", "min": 0, "max": 4, "queue": 64}
        concurrency.update({k: limits.pop(k) for k in list(limits) if k in concurrency})
        function.update({"concurrency": concurrency, **limits})

    return change


def control(region, method, path, body=None, headers=None):
    """(status, headers, body) from the control socket."""
    conn = UnixConnection(region.data / "region.sock")
    try:
        conn.request(method, path, body=json.dumps(body) if body is not None else None, headers=headers or {})
        answer = conn.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        conn.close()


def invoke(region, name, event, kind="RequestResponse"):
    status, headers, body = control(region, "POST", f"/2015-03-31/functions/{name}/invocations", event,
                                    {"X-Amz-Invocation-Type": kind})
    return status, headers, json.loads(body) if body else None


def function(region, name):
    return next(f for f in region.status()["functions"] if f["name"] == name)


def instances(region, name):
    """Process ids of a function's instances."""
    found = []
    for pid in children_of(region.pid):
        with contextlib.suppress(OSError):
            if f"/fn/{name}/bootstrap" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode():
                found.append(pid)
    return found


def wait(condition, seconds=60, every=0.02):
    """The condition's first true value; an assertion when there is none in time, which is long: it ends what would never end, and measures nothing."""
    deadline = time.time() + seconds
    while not (value := condition()):
        assert time.time() < deadline, f"waited {seconds} s in vain"
        time.sleep(every)
    return value


def begin(region, key, sql):
    """A query whose answer nobody waits for; closing it ends it."""
    body = json.dumps({"sql": sql})
    client = socket.create_connection(("127.0.0.1", region.port))
    client.sendall((f"POST /v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
    return client


def problem(answer, status):
    """An RFC 9457 answer with a reason and the request's id."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text[:300]}"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["x-amzn-RequestId"]
    body = answer.json()
    assert body["status"] == status and body["detail"]
    return body


def is_within(tree, megabytes):
    """Whether the region process is so small; a sanitizer's memory is not counted against it."""
    lines = pathlib.Path(f"/proc/{tree.pid}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    program = (tree.tree / "prism").read_bytes()
    return resident < megabytes << 10 or b"__asan_init" in program or b"__tsan_init" in program


ENV_QUICK = {"PRISM_REGION_IDLE_MS": "300", "PRISM_REGION_RETRY_MS": "100"}


def environment(**more):
    return {**ENV_QUICK, **{k: str(v) for k, v in more.items()}}


class Threads:
    """They run from the beginning of a `with` to its end, and end when `stop` is set."""

    def __init__(self, runs):
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=run) for run in runs]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
