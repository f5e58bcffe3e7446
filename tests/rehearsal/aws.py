"""The AWS of a rehearsal, a process of its own that outlives who started it, so that a world can be come back to:

  aws.py FOLDER     serves until SIGTERM; how to reach it is in FOLDER/aws.json

The emulator, somebody in front of it who can refuse a request, the replication of artifact buckets that it only remembers, and one provider."""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "infra"))

import kit  # noqa: E402

ENVIRONMENTS = ("dev", "staging", "prod")
# A provider takes seconds to start and Terraform starts it several times a step. One that runs already is for the regions' stacks, which configure it
# once; the shared stack configures two at once and starts its own.
TERRAFORM = """#!/bin/sh
case $PWD in */region) export TF_REATTACH_PROVIDERS='{reattach}' ;; esac
exec {terraform} "$@"
"""


class Gate:
    """Hands every request on to the emulator; one that matches what stands in the file `refuse` is answered as a policy's refusal."""

    def __init__(self, url, refuse):
        there = urllib.parse.urlsplit(url).netloc

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # an answer in two writes waits 40 ms for who asked to acknowledge the first (Nagle's algorithm)

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if refuse.exists() and re.search(refuse.read_text(), f"{self.command} {urllib.parse.unquote(self.path)}"):
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
                self.close_connection = True  # as the emulator does
                self.send_response_only(status)
                self.send_header("Connection", "close")
                for key, value in headers:
                    self.send_header(key, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", length or str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256  # Terraform asks for so many things at once

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Replication:
    """AWS copies artifacts from the home region's bucket to the others' of its environment; the emulator stores the rule and copies nothing."""

    def __init__(self, emulator):
        self.s3, self.done, self.over = emulator.client("s3"), set(), threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.5):
            for environment in ENVIRONMENTS:
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


# ---- the process ----

def start(folder):
    """Its AWS, as {"environment": of who talks to it, "terraform": program, "pid"}; the one that runs there, or a new one."""
    found = folder / "aws.json"
    if not found.exists():
        with (folder / "aws.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, __file__, str(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.time() + 180
        while not found.exists():
            if process.poll() is not None or time.time() > deadline:
                raise RuntimeError(f"the emulator did not start:\n{(folder / 'aws.log').read_text()[-2000:]}")
            time.sleep(0.2)
    return json.loads(found.read_text())


def stop(folder):
    found = folder / "aws.json"
    if found.exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(json.loads(found.read_text())["pid"], signal.SIGTERM)


def serve(folder):
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    emulator = kit.Emulator(folder / "emulator.log")
    emulator.client("s3").create_bucket(Bucket=kit.STATE_BUCKET)
    gate = Gate(emulator.url, folder / "refuse")
    environment = {**emulator.environment(), **kit.GO, "AWS_ENDPOINT_URL": gate.url, "TF_CLI_CONFIG_FILE": str(kit.PROVIDERS)}
    provider = kit.SharedProvider(folder / "provider.log", environment)
    replication = Replication(emulator)
    terraform = folder / "terraform.sh"
    terraform.write_text(TERRAFORM.format(reattach=provider.environment["TF_REATTACH_PROVIDERS"], terraform=kit.TERRAFORM))
    terraform.chmod(0o755)
    made = folder / "aws.json.new"
    made.write_text(json.dumps({"environment": environment, "terraform": str(terraform), "pid": os.getpid()}))
    made.rename(folder / "aws.json")
    over.wait()
    (folder / "aws.json").unlink()
    for part in (replication, provider, gate, emulator):
        part.stop()


if __name__ == "__main__":
    serve(pathlib.Path(sys.argv[1]))
