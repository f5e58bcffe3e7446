"""What stands around the emulator in a rehearsal: somebody in front of it who can refuse a request, the replication of artifact buckets that it
only remembers, and releases of all functions."""

import contextlib
import hashlib
import http.client
import http.server
import json
import re
import shutil
import threading
import urllib.parse

import kit


class Gate:
    """Hands every request on to the emulator; one that matches `refuse` is answered as a policy's refusal."""

    def __init__(self, url):
        gate, there = self, urllib.parse.urlsplit(url).netloc
        self.refuse, self.refused = None, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if gate.refuse and re.search(gate.refuse, f"{self.command} {urllib.parse.unquote(self.path)}"):
                    gate.refused += 1
                    return self.answer(403, [("Content-Type", "application/json"), ("x-amzn-ErrorType", "AccessDeniedException")],
                                       b'{"Message": "AccessDenied: by rehearsal"}')
                up = http.client.HTTPConnection(there, timeout=600)
                with contextlib.closing(up):
                    up.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for key, value in self.headers.items():
                        if key.lower() not in ("connection", "transfer-encoding"):
                            up.putheader(key, value)
                    up.endheaders(body)
                    got = up.getresponse()
                    data = got.read()
                    self.answer(got.status, [(k, v) for k, v in got.getheaders() if k.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server")],
                                data, None if self.command != "HEAD" else got.getheader("Content-Length"))

            def answer(self, status, headers, data, length=None):
                self.send_response_only(status)
                for key, value in headers:
                    self.send_header(key, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", length or str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Replication:
    """AWS copies artifacts from the home region's bucket to the others' of its environment; the emulator stores the rule and copies nothing."""

    def __init__(self, emulator, environments):
        self.s3, self.environments, self.done, self.over = emulator.client("s3"), environments, set(), threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.5):
            for environment in self.environments:
                home, *others = (f"prism-{environment}-artifacts-{code}-{kit.ACCOUNT}" for code in sorted(kit.REGIONS.values(), key=lambda c: c != "use1"))
                with contextlib.suppress(self.s3.exceptions.ClientError):
                    for item in self.s3.list_objects_v2(Bucket=home, Prefix="functions/").get("Contents", []):
                        for other in others:
                            if (other, item["Key"]) not in self.done:
                                self.s3.put_object(Bucket=other, Key=item["Key"], Body=self.s3.get_object(Bucket=home, Key=item["Key"])["Body"].read())
                                self.done.add((other, item["Key"]))

    def stop(self):
        self.over.set()
        self.thread.join()


def tree(folder):
    """A build whose alarm of a function's errors looks at seconds and not at minutes; what it fires at is more than one bad step of a rollout makes."""
    built = kit.PRISM.resolve().parent
    folder.mkdir(parents=True)
    shutil.copy2(built / "prism", folder / "prism")
    for name, place in (("fn", built / "fn"), ("edge", kit.ROOT / "edge")):
        (folder / name).symlink_to(place.resolve())
    shutil.copytree(kit.PLATFORM, folder / "platform")
    alarms = json.loads((folder / "platform" / "alarms.json").read_text())
    alarm, = (a for a in alarms["alarms"] if a["id"] == "function-errors")
    alarm.update({"period_s": 5, "periods": 1, "datapoints": 1, "threshold": 40})
    (folder / "platform" / "alarms.json").write_text(json.dumps(alarms))
    functions = json.loads((folder / "platform" / "functions.json").read_text())
    for name in ("ingest", "query", "catalog"):  # who calls as steadily as here does not spill over, which would be an alarm of its own
        functions["functions"][name]["concurrency"].update({"min": 8, "max": 16})
    (folder / "platform" / "functions.json").write_text(json.dumps(functions))
    return folder / "prism"


def package(folder, replaced):
    """All functions as `prism package` would leave them, some with another bootstrap. An image is what its digest is of."""
    artifacts = {}
    (folder / "images" / "blobs" / "sha256").mkdir(parents=True)
    for name, spec in kit.platform("functions.json")["functions"].items():
        bootstrap = kit.FUNCTIONS / name / "bootstrap"
        if name in replaced:
            text, bootstrap = replaced[name], folder / f"{name}.bootstrap"
            # Bytes go behind the built one's, which changes nothing but its digest; a text is a program of its own.
            bootstrap.write_bytes((kit.FUNCTIONS / name / "bootstrap").read_bytes() + text if isinstance(text, bytes) else text.encode())
        if spec["package"] == "zip":
            made = folder / "made.zip"
            digest = kit.zip_of({"bootstrap": bootstrap}, made)
            place = folder / "functions" / name / f"{digest}.zip"
            place.parent.mkdir(parents=True)
            made.rename(place)
        else:
            data = bootstrap.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            (folder / "images" / "blobs" / "sha256" / digest).write_bytes(data)
        artifacts[name] = {"kind": spec["package"], "sha256": digest}
    (folder / "artifacts.tfvars.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder
