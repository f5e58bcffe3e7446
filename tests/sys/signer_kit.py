"""A stand-in of what AWS Signer needs around it, in the protocols of AWS: jobs (REST), a bucket that keeps versions (S3), and the parameter that
infra/global publishes (SSM). Emulators have no signing jobs. Objects are files of a folder, the same one for every region."""

import hashlib
import http.server
import io
import json
import pathlib
import re
import secrets
import threading
import urllib.parse
import zipfile

BUCKET, VERSION = "artifacts", "AbCdEfGhIj"
PARAMETER = re.compile(r"/prism/[a-z]+/global")


def profile(region):
    return f"arn:aws:signer:{region}:111122223333:/signing-profiles/prism_{region.replace('-', '_')}"


def sign(data):
    """Other bytes, with the same files and one more; no two are alike."""
    with io.BytesIO(data) as out:
        with zipfile.ZipFile(out, "a") as z:
            z.writestr("META-INF/aws_signer_signature_v1.0.SF", secrets.token_hex(32))
        return out.getvalue()


class SignerStandIn:
    """`before` and `after` are called with the number and the line of each request: before anything is done, and before it is answered."""

    def __init__(self, folder):
        self.folder, self.jobs, self.tokens, self.requests = pathlib.Path(folder), {}, {}, []
        self.fail, self.version, self.versions = 0, VERSION, True
        self.before = self.after = lambda *_: None
        self.lock = threading.Lock()
        kit = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                line = f"{self.command} {self.path}"
                with kit.lock:
                    kit.requests.append(line)
                    number = len(kit.requests)
                kit.before(number, line)
                with kit.lock:
                    status, headers, data = kit.answer(self, body)
                kit.after(number, line)
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", headers.get("X-Length") or str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_HEAD = handle_any

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # who asked was killed
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.environment = {**{f"AWS_ENDPOINT_URL_{service}": url for service in ("S3", "SIGNER", "SSM")}, "AWS_REGION": "us-east-1",
                            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_CONFIG_FILE": "/nonexistent",
                            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    # -- services --

    def answer(self, request, body):
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", request.headers.get("Authorization") or "")
        if not scope:
            return 403, {}, b"{}"
        region, service = scope.groups()
        if service == "ssm":
            return self.parameter(region, json.loads(body))
        if service == "signer":
            return self.start(region, json.loads(body)) if request.command == "POST" else self.describe(request.path.rsplit("/", 1)[1])
        return self.object(request, body)

    def parameter(self, region, asked):
        if not PARAMETER.fullmatch(asked["Name"]):
            return 400, {}, b'{"__type":"ParameterNotFound"}'
        value = {"version": 1, "artifact_bucket": BUCKET, "signing_profile_arn": profile(region), "signing_profile_version_arn": f"{profile(region)}/{VERSION}"}
        return 200, {}, json.dumps({"Parameter": {"Name": asked["Name"], "Value": json.dumps(value)}}).encode()

    def start(self, region, job):
        token, source, target = job["clientRequestToken"], job["source"]["s3"], job["destination"]["s3"]
        path = self.folder / source["key"]
        if job["profileName"] != profile(region).rsplit("/", 1)[1] or {source["bucketName"], target["bucketName"]} != {BUCKET}:
            return 404, {"x-amzn-ErrorType": "ResourceNotFoundException"}, b'{"message":"no such profile or bucket here"}'
        if not path.exists() or source["version"] != self.version_of(path):
            return 400, {"x-amzn-ErrorType": "ValidationException"}, b'{"message":"no such version"}'
        if token not in self.tokens:
            self.tokens[token] = f"{len(self.jobs) + 1:08}-0000-4000-8000-000000000000"
            self.jobs[self.tokens[token]] = {"looks": 0, "source": path, "key": f"{target['prefix']}{self.tokens[token]}.zip", "failed": self.fail > 0}
            self.fail = max(0, self.fail - 1)
        return 200, {}, json.dumps({"jobId": self.tokens[token], "jobOwner": "111122223333"}).encode()

    def describe(self, job_id):
        job = self.jobs.get(job_id)
        if not job:
            return 404, {"x-amzn-ErrorType": "ResourceNotFoundException"}, b'{"message":"no such job"}'
        job["looks"] += 1
        said = {"jobId": job_id, "profileVersion": self.version, "status": "InProgress"}
        if job["looks"] > 1 and job["failed"]:
            said |= {"status": "Failed", "statusReason": "the file is malformed"}
        elif job["looks"] > 1:
            copy = self.folder / job["key"]
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(sign(job["source"].read_bytes()))
            said |= {"status": "Succeeded", "statusReason": "Signing Succeeded", "signedObject": {"s3": {"bucketName": BUCKET, "key": job["key"]}}}
        return 200, {}, json.dumps(said).encode()

    @staticmethod
    def version_of(path):
        return "v-" + hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    def object(self, request, body):
        path = self.folder / urllib.parse.unquote(request.path.split("?")[0]).removeprefix(f"/{BUCKET}/")
        if request.command == "PUT":
            if path.exists() and request.headers.get("If-None-Match") == "*":
                return 412, {}, b"<Error><Code>PreconditionFailed</Code></Error>"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        if not path.is_file():
            return 404, {}, b"" if request.command == "HEAD" else b"<Error><Code>NoSuchKey</Code></Error>"
        data = path.read_bytes()
        version = {"x-amz-version-id": self.version_of(path)} if self.versions else {}
        headers = {"ETag": f'"{hashlib.md5(data).hexdigest()}"', "Last-Modified": "Sat, 28 Nov 2026 00:00:00 GMT", **version}
        if request.command == "HEAD":
            return 200, {**headers, "X-Length": str(len(data))}, b""
        return 200, headers, b"" if request.command == "PUT" else data
