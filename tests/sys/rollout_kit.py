"""What tests of versions and rollouts share: boto3 on a region's control socket, versions of `probe`, a steady load."""

import contextlib
import hashlib
import io
import json
import pathlib
import socket
import socketserver
import subprocess
import sys
import threading
import zipfile

import boto3
import botocore.config
import botocore.session
import requests

from region_kit import Threads, Tree, probe_in_place_of

# A version: which it is, and how it misbehaves; settings are read at its start.
VERSION = """#!{python}
import http.client, json, os, random, sys, time
say, error_rate, sleep_s, crash = {say!r}, {error_rate}, {sleep_s}, {crash}
if crash: sys.exit(7)
dice = random.Random(os.getpid())
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
path = "/2018-06-01/runtime/invocation/"
while True:
    try:
        runtime.request("GET", path + "next")
        answer = runtime.getresponse()
        event = json.loads(answer.read())
    except (OSError, http.client.HTTPException):
        sys.exit(0)
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    if sleep_s: time.sleep(sleep_s)
    wrong = dice.random() < error_rate
    said = {{"errorType": "Bad", "errorMessage": "by design"}} if wrong else {{"version": say, "env": os.environ["AWS_LAMBDA_FUNCTION_VERSION"]}}
    if "httpMethod" in event and not wrong:
        said = {{"statusCode": 200, "headers": {{"Content-Type": "application/json"}}, "body": json.dumps(said)}}
    runtime.request("POST", path + request_id + ("/error" if wrong else "/response"), json.dumps(said))
    runtime.getresponse().read()
"""


def version(say, error_rate=0.0, sleep_s=0.0, crash=False):
    return VERSION.format(python=sys.executable, say=say, error_rate=error_rate, sleep_s=sleep_s, crash=crash)


def write_version(folder, say, **how):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bootstrap").write_text(version(say, **how))
    (folder / "bootstrap").chmod(0o755)
    return folder


def tree_of_versions(folder, env=None, **limits):
    """A region whose `catalog` (GET /v1/datasets) is a version that says "1"."""
    tree = Tree(folder, {}, probe_in_place_of("catalog", **{"min": 1, "max": 4, **limits}), env=env)
    place = tree.tree / "fn" / "catalog"
    place.unlink()
    write_version(place, "1")
    return tree


class Relay(socketserver.ThreadingTCPServer):
    """A port for clients that know no Unix sockets."""
    daemon_threads = True

    def __init__(self, path):
        self.path = str(path)
        super().__init__(("127.0.0.1", 0), self.Pair)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Pair(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(self.server.path)
                there = threading.Thread(target=self.copy, args=(self.request, other), daemon=True)
                there.start()
                self.copy(other, self.request)
                there.join()

        @staticmethod
        def copy(source, target):
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    target.sendall(data)
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def client(region, service="lambda"):
    """boto3's own client."""
    with Relay(region.data / "region.sock") as relay:
        try:
            yield boto3.client(service, endpoint_url=relay.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
                               config=botocore.config.Config(retries={"max_attempts": 0}))
        finally:
            relay.shutdown()


@contextlib.contextmanager
def cloudwatch(region):
    """The same for CloudWatch, in its JSON protocol: a region does not speak CBOR."""
    session = botocore.session.get_session()
    session.get_component("data_loader").load_service_model("cloudwatch", "service-2")["metadata"].update(protocol="json", protocols=["json"])
    with Relay(region.data / "region.sock") as relay:
        try:
            yield session.create_client("cloudwatch", endpoint_url=relay.url, region_name="us-east-1", aws_access_key_id="test",
                                        aws_secret_access_key="test", config=botocore.config.Config(retries={"max_attempts": 0}))
        finally:
            relay.shutdown()


def publish(api, folder, name="catalog"):
    api.update_function_code(FunctionName=name, S3Bucket="file", S3Key=str(folder))
    return api.publish_version(FunctionName=name)["Version"]


def release(folder, **zips):
    """What `prism package` would leave of these files, as ZIPs."""
    artifacts = {}
    for name, text in zips.items():
        with io.BytesIO() as out:
            with zipfile.ZipFile(out, "w") as z:
                entry = zipfile.ZipInfo("bootstrap")
                entry.external_attr = 0o100755 << 16
                z.writestr(entry, text)
            data = out.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        place = folder / "functions" / name / f"{digest}.zip"
        place.parent.mkdir(parents=True)
        place.write_bytes(data)
        artifacts[name] = {"kind": "zip", "sha256": digest}
    (folder / "artifacts.tfvars.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


@contextlib.contextmanager
def started(tree, name, *args):
    """`rollout start` as a process of its own."""
    p = subprocess.Popen([tree.tree / "prism", "rollout", "start", name, "--store", tree.store, *map(str, args)], env=tree.env,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield p
    finally:
        p.kill()
        p.communicate()


class Load(Threads):
    """Steady requests of several threads until the end; what each got is counted."""

    def __init__(self, region, threads=2, pause_s=0.005):
        super().__init__([self.run] * threads)
        self.region, self.pause_s = region, pause_s
        self.lock, self.good, self.bad, self.versions = threading.Lock(), 0, [], {}
        self.key, self.url = region.key, region.url + "/v1/datasets"

    def run(self):
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.key}"
        while not self.stop.wait(self.pause_s):
            try:
                answer = session.get(self.url, timeout=60)
                said = answer.json().get("version") if answer.status_code == 200 else None
            except (requests.RequestException, ValueError) as e:
                said, answer = None, e
            with self.lock:
                if said is None:
                    self.bad.append(str(answer))
                else:
                    self.good += 1
                    self.versions[said] = self.versions.get(said, 0) + 1

    def total(self):
        with self.lock:
            return self.good + len(self.bad)
