"""What stands around a function on AWS, in one process so that the order of things can be seen: the Runtime API that gives
it events, a receiver of spans, a service that answers as told. Every request is noted in one list, in the order in which
they came."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import queue
import re
import signal
import subprocess
import threading
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from requests.structures import CaseInsensitiveDict

from conftest import BUILD

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "SESSIONTOKENEXAMPLE"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def xray(sampled=1, trace=TRACE, parent=PARENT):
    return f"Root=1-{trace[:8]}-{trace[8:]};Parent={parent};Sampled={sampled}"


def signature_fits(method, path, headers, body, service, region="eu-central-1", secret=SECRET):
    """Whether botocore, given the same request and time, comes to the same signature."""
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})", headers["Authorization"])
    assert found, headers["Authorization"]
    scope, signed, signature = found.groups()
    assert scope.split("/")[0] == KEY and scope.split("/")[2:] == [region, service, "aws4_request"], scope
    request = botocore.awsrequest.AWSRequest(method=method, url=f"http://{headers['Host']}{path}", data=body,
                                             headers={name: headers[name] for name in signed.split(";")})
    request.context["timestamp"] = headers["X-Amz-Date"]
    auth = botocore.auth.SigV4Auth(botocore.credentials.Credentials(KEY, secret, TOKEN), service, region)
    auth.headers_to_sign = lambda request: request.headers  # those that were signed, no others
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request) == signature


class Server:
    """HTTP on a port of its own; answer(handler, body) says what to send."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def body(self):
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():  # trailers
                    pass
                return body

            def serve(self):
                body = self.body()
                told = answer(self, body)
                if told is None:  # hang up
                    self.close_connection = True
                    return
                status, headers, text = told
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = serve

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class Surroundings:
    def __init__(self):
        self.noted, self.lines, self.events = [], [], queue.Queue()
        self.answers, self.requests = {}, []
        self.changed = threading.Condition()
        self.traces_status = 200
        self.rejected = 0
        self.service_answers = []
        self.runtime, self.traces, self.service = Server(self.on_runtime), Server(self.on_traces), Server(self.on_service)
        self.process = None
        self.hold = threading.Event()  # while the receiver is silent

    def note(self, what):
        with self.changed:
            self.noted.append(what)
            self.changed.notify_all()

    def wait(self, condition, seconds=60):
        with self.changed:
            assert self.changed.wait_for(condition, seconds), (self.noted[-20:], self.lines[-5:])

    # -- the Runtime API --

    def on_runtime(self, handler, body):
        path = handler.path.removeprefix("/2018-06-01/runtime/")
        if path == "invocation/next":
            self.note("next")
            event = self.events.get()
            if event is None:
                return None
            request_id, payload, trace = event
            return 200, {"Lambda-Runtime-Aws-Request-Id": request_id, "Lambda-Runtime-Trace-Id": trace,
                         "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 20000),
                         "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:1:function:f"}, payload
        if path == "init/error":
            self.answers["init"] = json.loads(body)
            self.note("init/error")
            return 202, {}, b"{}"
        request_id = path.split("/")[1]
        self.answers[request_id] = body
        self.note("answer")
        return 202, {}, b"{}"

    def invoke(self, payload, trace=xray(), request_id=None):
        """The answer, once it was posted."""
        request_id = request_id or f"r-{len(self.answers)}"
        self.events.put((request_id, payload if isinstance(payload, bytes) else json.dumps(payload).encode(), trace))
        self.wait(lambda: request_id in self.answers)
        return json.loads(self.answers[request_id].partition(b"\0" * 8)[0])  # of a streamed one the prelude

    # -- a receiver of spans --

    def on_traces(self, handler, body):
        self.note("spans")
        if self.traces_status == "silent":
            self.hold.wait(60)
            return None
        request = ExportTraceServiceRequest.FromString(body)
        with self.changed:
            self.requests.append((handler.command, handler.path, CaseInsensitiveDict(handler.headers), body, request))
            self.changed.notify_all()
        if self.traces_status != 200:
            return self.traces_status, {}, b""
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = self.rejected
        return 200, {"Content-Type": "application/x-protobuf"}, response.SerializeToString()

    def spans(self):
        """All that were taken: (resource attributes, span)."""
        return [(attributes(r.resource), s) for *_, request in self.requests for r in request.resource_spans
                for scope in r.scope_spans for s in scope.spans]

    # -- an AWS service --

    def on_service(self, handler, body):
        status, text = self.service_answers.pop(0) if self.service_answers else (200, b"{}")
        self.note(("service", handler.command, handler.path, CaseInsensitiveDict(handler.headers), body, status))
        return status, {"Content-Type": "application/x-amz-json-1.0"}, text

    # -- the function --

    def start(self, name, folder, **env):
        stores = {"HOT": "hot", "SEGMENTS": "segments", "ANALYTICS": "analytics", "TABLES": "tables.db", "META": "meta.db",
                  "SECRETS": "secrets"}
        (folder / "tmp").mkdir(exist_ok=True)
        for path in ("hot", "segments", "analytics", "secrets"):
            (folder / path).mkdir(mode=0o700, exist_ok=True)
        self.process = subprocess.Popen(
            [BUILD / "fn" / name / "bootstrap"], stdout=subprocess.PIPE, cwd=folder, text=True,
            env={"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.runtime.port}",
                 "AWS_LAMBDA_FUNCTION_NAME": f"prism-dev-{name}", "AWS_LAMBDA_FUNCTION_VERSION": "7", "AWS_REGION": "eu-central-1",
                 "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN,
                 "PRISM_ENVIRONMENT": "dev", "PRISM_TMP": str(folder / "tmp"), "PRISM_METRICS_NAMESPACE": "Prism/prism-dev",
                 "PRISM_TRACES_URL": f"{self.traces.url}/v1/traces", "PRISM_REGION": "eu-central-1",
                 **{f"PRISM_{store}_URL": str(folder / path) for store, path in stores.items()},
                 **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}, **env})
        self.reader = threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        return self

    def read(self, pipe):
        for line in pipe:
            with self.changed:
                self.lines.append(json.loads(line))
                self.noted.append("metrics" if "_aws" in line else "log")
                self.changed.notify_all()

    def metrics(self):
        return [line for line in self.lines if "_aws" in line]

    def logs(self):
        return [line for line in self.lines if "_aws" not in line]

    def settle(self, events):
        """So many are done with: it has asked for the next one, and what it printed has been read."""
        mains = lambda: [line for line in self.metrics() if [] in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]]
        self.wait(lambda: self.noted.count("next") > events and sum(line["events"] for line in mains()) >= events)

    def end(self):
        """SIGTERM, and its exit."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        self.reader.join(60)

    def close(self):
        self.hold.set()
        if self.process:
            self.process.kill()
            self.process.wait()
        self.events.put(None)
        for server in (self.runtime, self.traces, self.service):
            server.close()


def attributes(of):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in of.attributes}


def proxy_event(method, resource, body=b"", tenant="acme", headers=None, home="eu-central-1", **params):
    """API Gateway's."""
    return {
        "resource": resource, "path": resource, "httpMethod": method,
        "headers": {"Content-Type": "application/x-ndjson", **(headers or {})}, "multiValueHeaders": None,
        "queryStringParameters": None, "multiValueQueryStringParameters": None, "pathParameters": params or None,
        "stageVariables": None,
        "requestContext": {"requestId": hashlib.md5(os.urandom(8)).hexdigest(), "stage": "live", "identity": {"sourceIp": "127.0.0.1"},
                           "authorizer": {"tenant": tenant, "key_id": "00112233445566ff", "scopes": "ingest query admin", "tier": "pool",
                                          "home_region": home, "shard": "0", "epoch": "1"}},
        "body": base64.b64encode(body).decode() if body else None, "isBase64Encoded": bool(body),
    }


def ingest_event(records, **more):
    return proxy_event("POST", "/v1/ingest/{dataset}", "".join(json.dumps(r) + "\n" for r in records).encode(), dataset="app", **more)
