"""Packages: what is in them, that they start with nothing else around them, and that they are the same each time.

`make package-test` runs this with all functions of both architectures; `make test` builds of the other one's only the ZIPs."""

import base64
import gzip
import hashlib
import http.server
import json
import re
import shutil
import subprocess
import tarfile
import threading
import time
import zipfile

import boto3
import pytest
import requests
from conftest import BUILD, ROOT
from emulator_kit import emulator as aws
from package_kit import GNU, HERE, IMAGES, INPUTS, LOADER, OTHER, ZIPS, Packed, built, prism, registry, tool, tree
from test_rie import Emulator, environment, proxy_event

ZIP_BYTES_MAX = 3_000_000  # of functions on the warm path; start-up reads what it unpacks
# Under sanitizers the packages are those of the release build: what is in them has been tested with it.
of_release = pytest.mark.skipif(BUILD.name != "release", reason="does not depend on the build of prism")
EVERY = [(architecture, name) for architecture in (HERE, OTHER) for name in built(architecture)]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """By architecture. Made once, of all that was built."""
    assert set(built(HERE)) == set(ZIPS + IMAGES), "no release build: run tools/build release"
    return {architecture: Packed(tmp_path_factory.mktemp("packed") / architecture, architecture, built(architecture))
            for architecture in (HERE, OTHER) if built(architecture)}


# ---- what they hold ----


@pytest.mark.parametrize("architecture,name", [each for each in EVERY if each[1] in ZIPS])
def test_a_zip_is_one_executable_under_the_name_of_its_digest(packed, architecture, name):
    artifact = packed[architecture].artifacts[name]
    path = packed[architecture].folder / artifact["key"]
    assert artifact["key"] == f"functions/{name}/{artifact['sha256']}.zip"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact["sha256"]
    assert path.stat().st_size == artifact["bytes"] <= ZIP_BYTES_MAX
    with zipfile.ZipFile(path) as archive:
        (entry,) = archive.infolist()
        assert archive.testzip() is None
    assert entry.filename == "bootstrap"
    assert entry.external_attr >> 16 == 0o100755
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)
    assert entry.file_size == artifact["unpacked_bytes"]


@pytest.mark.parametrize("architecture,name", [each for each in EVERY if each[1] in ZIPS])
def test_a_zip_asks_for_nothing_that_lambda_does_not_have(packed, architecture, name, tmp_path):
    """Read by binutils, not by what packed it."""
    packed[architecture].unpack(name, tmp_path)
    bootstrap = tmp_path / "var" / "task" / "bootstrap"
    text = subprocess.run(["readelf", "--wide", "--file-header", "--program-headers", "--dynamic", "--version-info", bootstrap],
                          capture_output=True, text=True, check=True).stdout
    assert {"x86_64": "X86-64", "arm64": "AArch64"}[architecture] in re.search(r"Machine: +(.*)", text)[1]
    assert f"interpreter: {LOADER[architecture]}]" in text
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))
    assert needed <= {"libc.so.6", "libm.so.6", LOADER[architecture].rsplit("/", 1)[1]}
    assert "RUNPATH" not in text and "RPATH" not in text
    versions = {tuple(map(int, v.split("."))) for v in re.findall(r"Name: GLIBC_([0-9.]+)", text)}
    assert versions and max(versions) <= (2, 34)
    assert not re.search(r"Name: GLIBC_[A-Z]", text)
    assert "BIND_NOW" in text and "GNU_RELRO" in text and "GNU_STACK" in text
    content = bootstrap.read_bytes()
    for secret_of_the_machine in (str(ROOT).encode(), b".cache/prism"):
        assert secret_of_the_machine not in content


@pytest.mark.parametrize("architecture,name", [each for each in EVERY if each[1] in IMAGES])
def test_an_image_is_what_lambda_takes(packed, architecture, name, tmp_path):
    package = packed[architecture]
    manifest, config = package.manifest(name), package.config(name)
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.oci.image.layer.v1.tar+gzip"}
    assert config["architecture"] == {"x86_64": "amd64", "arm64": "arm64"}[architecture] and config["os"] == "linux"
    assert config["config"]["Entrypoint"] == ["/var/task/bootstrap"]
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]) == len(config["history"])
    seen = set()
    for layer, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"]):
        blob = package.folder / "images" / "blobs" / layer["digest"].replace(":", "/")
        assert hashlib.sha256(gzip.decompress(blob.read_bytes())).hexdigest() == diff.removeprefix("sha256:")
        with tarfile.open(blob, "r:gz") as tar:
            folders = set()  # Lambda wants each layer to list the folders that its files are in
            for member in tar:
                parent = member.name.rpartition("/")[0]
                assert not parent or parent in folders, member.name
                assert member.isdir() or member.isreg()
                assert (member.uid, member.gid, member.mtime, member.uname) == (0, 0, 0, "")
                assert member.mode == (0o1777 if member.name == "tmp" else member.mode & 0o755)
                if member.isdir():
                    folders.add(member.name)
                else:
                    assert member.name not in seen, f"{member.name} is in two layers"
                    seen.add(member.name)
    assert {"var/task/bootstrap", LOADER[architecture].lstrip("/"), f"lib/{GNU[architecture]}/libc.so.6"} <= seen
    beside = {"var/task/httpfs.duckdb_extension"} if name in ("query", "storage") else {"var/task/rds.pem"} if name == "schema" else set()
    assert {path for path in seen if path.startswith("var/task/")} == {"var/task/bootstrap"} | beside
    needs = set()
    for blob in manifest["layers"]:
        subprocess.run(["tar", "-xzf", package.folder / "images" / "blobs" / blob["digest"].replace(":", "/"), "-C", tmp_path], check=True)
    for path in sorted(beside - {"var/task/rds.pem"}) + ["var/task/bootstrap"]:
        text = subprocess.run(["readelf", "--wide", "--dynamic", tmp_path / path], capture_output=True, text=True, check=True).stdout
        needs |= set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))
    assert needs <= {path.rsplit("/", 1)[1] for path in seen if path.startswith(("lib/", "lib64/"))}
    assert not any(re.search(r"(^|/)(sh|bash|busybox|libcurl.*)$", path) for path in seen)


def test_images_of_an_architecture_stand_on_the_same_layer(packed):
    for architecture, package in packed.items():
        lowest = {package.manifest(name)["layers"][0]["digest"] for name in built(architecture) if name in IMAGES}
        assert len(lowest) <= 1


def test_skopeo_accepts_the_images(packed):
    for architecture, package in packed.items():
        for name in (name for name in built(architecture) if name in IMAGES):
            done = subprocess.run([tool("skopeo"), "inspect", f"oci:{package.folder}/images:{name}-{architecture}"],
                                  capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["Digest"] == "sha256:" + package.artifacts[name]["sha256"]


def test_the_digests_are_those_that_sha256sum_finds(packed):
    for package in packed.values():
        done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=package.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        listed = {line.split("  ", 1)[1] for line in (package.folder / "SHA256SUMS").read_text().splitlines()}
        assert listed == {path for path in tree(package.folder) if not path.startswith("images/")} - {"SHA256SUMS", ".prism-package"}
        assert json.loads((package.folder / "report.json").read_text()) == package.report


# ---- that they start ----


@pytest.fixture
def start(packed, tmp_path):
    """A packed function under AWS's emulator, in a root that holds nothing else."""
    running = []

    def begin(architecture, name, **env):
        tool("bwrap")
        root, data = tmp_path / "root", tmp_path / "data"
        root.mkdir(), data.mkdir(exist_ok=True)
        packed[architecture].unpack(name, root)
        running.append(Emulator(name, data, env={**environment(name, data), **env}, command=packed[architecture].command(name, root, data)))
        return running[-1]

    yield begin
    for emulator in running:
        emulator.stop()


@of_release
@pytest.mark.parametrize("architecture,name", EVERY)
def test_a_package_starts_alone_and_answers_events(start, architecture, name):
    emulator = start(architecture, name)
    first = emulator.invoke(proxy_event("GET", "/no/such/route", "/no/such/route"))
    assert "statusCode" in first or "errorType" in first or "policyDocument" in first, first
    assert first.get("errorType") not in ("Runtime.ExitError", "Runtime.InvalidEntrypoint", "Sandbox.Timedout"), first
    assert emulator.invoke("{}") is not None
    log = emulator.log.read_text()
    assert "INIT RTDONE(status: success)" in log and log.count("INIT START") == 1, log


@of_release
@pytest.mark.parametrize("architecture", [architecture for architecture, name in EVERY if name == "ingest"])
def test_a_packed_ingest_stores_records(start, architecture, tmp_path):
    records = b"".join(b'{"time":"%s","message":"m%d"}\n' % (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode(), i)
                       for i in range(100))
    answer = start(architecture, "ingest").invoke(
        proxy_event("POST", "/v1/ingest/{dataset}", "/v1/ingest/app", records, dataset="app"))
    assert answer["statusCode"] in (200, 202), answer
    assert json.loads(answer["body"])["accepted"] == 100
    assert any(path.stat().st_size > 0 for path in (tmp_path / "data" / "hot").rglob("*") if path.is_file())


@of_release
@pytest.mark.parametrize("architecture", [architecture for architecture, name in EVERY if name == "query"])
def test_a_packed_query_answers_sql(start, architecture):
    event = proxy_event("POST", "/v1/query", "/v1/query", json.dumps({"sql": "SELECT 40 + 2 AS answer"}).encode())
    answer = start(architecture, "query").invoke(event)
    assert answer["statusCode"] == 200 and "42" in answer["streamed"], answer


@pytest.fixture(scope="module")
def s3():
    """S3 with a bucket, as a function's environment names it."""
    with aws() as port:
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        boto3.client("s3", endpoint_url=env["AWS_ENDPOINT_URL"], region_name="us-east-1", aws_access_key_id="a",
                     aws_secret_access_key="b").create_bucket(Bucket="packed")
        yield env


def outside(name, data, env, event):
    """The function of the build, as it stands."""
    emulator = Emulator(name, data, env={**environment(name, data), **env})
    try:
        return emulator.invoke(event)
    finally:
        emulator.stop()


@of_release
@pytest.mark.parametrize("architecture", [architecture for architecture, name in EVERY if name == "query"])
def test_a_packed_query_reads_an_object_in_s3_by_its_own_httpfs(start, s3, architecture, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    env = {**s3, "PRISM_SEGMENTS_URL": f"s3://packed/{architecture}/segments", "PRISM_ANALYTICS_URL": f"s3://packed/{architecture}/analytics"}
    records = b"".join(b'{"n":%d,"message":"m%d"}\n' % (i, i) for i in range(1000))
    stored = outside("ingest", data, env, proxy_event("POST", "/v1/ingest/{dataset}", "/v1/ingest/app", records, dataset="app"))
    assert stored["statusCode"] == 200, stored
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    sealed = outside("storage", data, {**env, "PRISM_DUCKDB_EXTENSIONS": str(BUILD / "fn" / "storage")}, {"op": "seal", "now": later})
    assert sealed["frames"] == 1, sealed
    emulator = start(architecture, "query", **env)
    for sql, answer in (("SELECT sum(n) AS answer FROM app", "499500"), ("SELECT message AS answer FROM app WHERE n = 7", "m7")):
        got = emulator.invoke(proxy_event("POST", "/v1/query", "/v1/query", json.dumps({"sql": sql}).encode()))
        assert got["statusCode"] == 200 and answer in got["streamed"], (got, emulator.log.read_text())
        cost = json.loads(got["streamed"])["cost"]
        assert cost["files_read"] == 1 and cost["bytes_scanned"] > 0, cost


# ---- that they are the same each time ----


def test_packing_again_elsewhere_makes_the_same_bytes(packed, tmp_path):
    names = ["ingest", "catalog"]
    first = Packed(tmp_path / "one", HERE, names, TZ="Pacific/Kiritimati")
    second = Packed(tmp_path / "two" / "deeper", HERE, names, TZ="America/Anchorage", LC_ALL="C", SOURCE_DATE_EPOCH="1")
    assert tree(first.folder) == tree(second.folder)
    for name in names:
        assert first.artifacts[name]["sha256"] == packed[HERE].artifacts[name]["sha256"]


@of_release
def test_the_same_source_in_another_folder_makes_the_same_bytes(packed, tmp_path):
    copy = tmp_path / "another" / "folder"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
                            check=True).stdout.decode()
    for path in filter(None, listed.split("\0")):
        if (ROOT / path).is_file() and not path.startswith(("tests/", "docs/")):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, copy / path)
    done = subprocess.run(["tools/build", "release", "--target", "fn_ingest", "fn_catalog"], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    for name in ("ingest", "catalog"):
        for file in ("bootstrap", "parts.json"):
            ours, other = INPUTS[HERE] / "fn" / name / file, copy / "build" / "release" / "package" / "fn" / name / file
            assert ours.read_bytes() == other.read_bytes(), f"{name}/{file}"


# ---- what is refused ----


def broken_inputs(folder, name, change):
    """The release's inputs with one function's executable changed."""
    (folder / "fn").mkdir(parents=True)
    shutil.copytree(INPUTS[HERE] / "fn" / name, folder / "fn" / name)
    shutil.copy(INPUTS[HERE] / "package.json", folder)
    path = folder / "fn" / name / "bootstrap"
    path.write_bytes(change(path.read_bytes()))
    return folder


@pytest.mark.parametrize("change,why", [
    (lambda elf: elf.replace(b"\0GLIBC_2.34\0", b"\0GLIBC_2.38\0"), "needs symbols of glibc 2.38; Lambda's runtime has 2.34"),
    (lambda elf: elf.replace(b"\0libm.so.6\0", b"\0libz.so.1\0"), "needs libz.so.1, which Lambda's runtime does not promise"),
    (lambda elf: elf[:18] + b"\x16\0" + elf[20:], "is for "),
    (lambda elf: elf[:4096], "is no executable for Linux"),
    (lambda elf: b"#!/bin/sh\n", "is no executable for Linux"),
])
def test_what_lambda_could_not_run_is_not_packed(tmp_path, change, why):
    inputs = broken_inputs(tmp_path / "inputs", "tenants", change)
    done = prism("package", "tenants", "--arch", HERE, "--from", inputs, "--output", tmp_path / "out", check=False)
    assert done.returncode == 1 and why in done.stderr, done.stderr
    assert not list((tmp_path / "out").rglob("*.zip"))


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "mine").write_text("mine")
    done = prism("package", "tenants", "--arch", HERE, "--output", tmp_path, check=False)
    assert done.returncode == 1 and "is not empty" in done.stderr
    assert tree(tmp_path).keys() == {"functions/mine"}


def test_a_second_run_leaves_nothing_of_the_first(tmp_path):
    Packed(tmp_path / "out", HERE, ["tenants", "catalog"])
    Packed(tmp_path / "out", HERE, ["keys"])
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.zip")} == {"keys"}
    assert not (tmp_path / "out" / "images").exists()


def test_what_is_not_there_is_said(tmp_path):
    done = prism("package", "nonesuch", "--arch", HERE, "--output", tmp_path / "a", check=False)
    assert done.returncode == 1 and 'the catalogue has no function "nonesuch"' in done.stderr
    done = prism("package", "--from", tmp_path, "--output", tmp_path / "b", check=False)
    assert done.returncode == 1 and "holds nothing to pack" in done.stderr
    done = prism("package", "--from", INPUTS[HERE], "--output", tmp_path / "c", check=False)
    assert done.returncode == 1 and f"nothing was built for {OTHER}" in done.stderr and "make package" in done.stderr
    assert prism("package", "--arch", "sparc", check=False).returncode == 2
    assert prism("package", "--tag", "x", check=False).returncode == 2
    assert not (tmp_path / "c").exists()


# ---- what Terraform expects ----


def test_names_and_digests_are_those_that_terraform_looks_for(packed):
    module = (ROOT / "infra" / "modules" / "function" / "main.tf").read_text()
    key = re.search(r's3_key += .*"(functions/.*\.zip)"', module)[1]
    package = packed.get("arm64", packed[HERE])
    variables = json.loads((package.folder / "artifacts.tfvars.json").read_text())["artifacts"] if package.architecture == "arm64" else {}
    for name, artifact in package.artifacts.items():
        if artifact["kind"] == "zip":
            assert artifact["key"] == key.replace("${var.name}", name).replace("${var.artifact.sha256}", artifact["sha256"])
    # Terraform deploys the catalogue's architecture, so the file for it holds that one alone.
    assert set(variables) == set(package.artifacts if package.architecture == "arm64" else {})
    for name, variable in variables.items():
        assert variable == {"kind": package.artifacts[name]["kind"], "sha256": package.artifacts[name]["sha256"]}
    declared = re.search(r'variable "artifacts" \{.*?\n\}', (ROOT / "infra" / "region" / "variables.tf").read_text(), re.S)[0]
    assert re.search(r"sha256 += string", declared) and re.search(r"kind += string", declared)


# ---- registries ----


def image_reference(registry_and_repository, name, sha256):
    """As infra/modules/function writes it."""
    module = (ROOT / "infra" / "modules" / "function" / "main.tf").read_text()
    uri = re.search(r'image_uri += .*"(\$\{var.runtime.image_registry\}.*)"', module)[1]
    return (uri.replace("${var.runtime.image_registry}", registry_and_repository).replace("${var.name}", name)
            .replace("${var.artifact.sha256}", sha256))


def push(folder, address, *more, check=True, names=("catalog",), **env):
    return prism("package", *names, "--arch", HERE, "--output", folder, "--push", address, *more, check=check, **env)


def pull(reference, folder, *more):
    done = subprocess.run([tool("skopeo"), "copy", *more, f"docker://{reference}", f"oci:{folder}:pulled"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]


def test_what_is_pushed_is_what_is_pulled(tmp_path):
    with registry(tmp_path) as port:
        repository = f"127.0.0.1:{port}/prism-dev"
        report = json.loads(push(tmp_path / "out", f"http://{repository}", "--json", names=("catalog", "query", "ingest")).stdout)
        images = [artifact for artifact in report["artifacts"] if artifact["kind"] == "image"]
        assert len(images) == 2 and not any("pushed" in artifact for artifact in report["artifacts"] if artifact["kind"] == "zip")
        for artifact in images:
            reference = image_reference(repository, artifact["function"], artifact["sha256"])
            assert artifact["pushed"] == reference
            folder = tmp_path / f"pulled-{artifact['function']}"
            assert pull(reference, folder, "--src-tls-verify=false") == "sha256:" + artifact["sha256"]
            for blob in (folder / "blobs" / "sha256").iterdir():
                assert blob.read_bytes() == (tmp_path / "out" / "images" / "blobs" / "sha256" / blob.name).read_bytes()
            tags = requests.get(f"http://127.0.0.1:{port}/v2/prism-dev/{artifact['function']}/tags/list", timeout=60).json()["tags"]
            assert tags == [f"0.1.0-{HERE}-{artifact['sha256'][:12]}"]
        again = push(tmp_path / "out", f"http://{repository}").stderr
        assert "0 blobs sent, 3 there" in again


def test_an_index_is_for_others_than_lambda(tmp_path):
    with registry(tmp_path) as port:
        push(tmp_path / "out", f"http://127.0.0.1:{port}/prism", "--tag", "v1")
        answer = requests.get(f"http://127.0.0.1:{port}/v2/prism/catalog/manifests/v1", timeout=60,
                              headers={"Accept": "application/vnd.oci.image.index.v1+json"})
        index = json.loads((tmp_path / "out" / "images" / "index.json").read_text())
        assert [m["digest"] for m in answer.json()["manifests"]] == [m["digest"] for m in index["manifests"]]


def only_for_users(folder):
    """Settings of a registry that knows AWS with the password s3cret-token."""
    (folder / "users").write_text("AWS:$2b$04$abcdefghijklmnopqrstuuNG0Z9xYjgj3pkzN.YpYToaPHOmIUPo.\n")
    return f"auth:\n  htpasswd:\n    realm: test\n    path: {folder}/users\n"


def test_a_registry_that_wants_a_password_gets_it(tmp_path):
    with registry(tmp_path, authentication=only_for_users(tmp_path)) as port:
        address = f"http://127.0.0.1:{port}/prism"
        none = push(tmp_path / "out", address, check=False, HOME=str(tmp_path))
        assert none.returncode == 1 and "DENIED" in none.stderr and "PRISM_REGISTRY_USER" in none.stderr
        wrong = push(tmp_path / "out", address, check=False, PRISM_REGISTRY_USER="AWS", PRISM_REGISTRY_PASSWORD="w0rst-token")
        assert wrong.returncode == 1 and "refuses the credentials" in wrong.stderr
        assert "w0rst-token" not in wrong.stderr and base64.b64encode(b"AWS:w0rst-token").decode() not in wrong.stderr
        push(tmp_path / "out", address, PRISM_REGISTRY_USER="AWS", PRISM_REGISTRY_PASSWORD="s3cret-token")
        (tmp_path / "config.json").write_text(json.dumps(
            {"auths": {f"127.0.0.1:{port}": {"auth": base64.b64encode(b"AWS:s3cret-token").decode()}}}))
        assert "0 blobs sent" in push(tmp_path / "out", address, DOCKER_CONFIG=str(tmp_path)).stderr


def certificate(folder):
    """For localhost alone; its own authority."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "ca.pem"],
                   check=True, capture_output=True)
    return f"  tls:\n    certificate: {folder}/ca.pem\n    key: {folder}/key.pem\n"


def test_a_push_goes_over_tls(tmp_path):
    """That other certificates are refused is shown by test_tables_dynamodb.py, for the same client."""
    with registry(tmp_path, tls=certificate(tmp_path)) as port:
        push(tmp_path / "out", f"localhost:{port}/prism", AWS_CA_BUNDLE=str(tmp_path / "ca.pem"))
        assert requests.get(f"https://localhost:{port}/v2/prism/catalog/tags/list", timeout=60, verify=tmp_path / "ca.pem").json()["tags"]


def test_nothing_is_pushed_to_another_machine_in_plain_text(tmp_path):
    done = push(tmp_path / "out", "http://registry.example.com/prism", check=False)
    assert done.returncode == 1 and "plain text" in done.stderr


class Gate(http.server.BaseHTTPRequestHandler):
    """Before a registry: asks for tokens as the public ones do, gives them out, and passes on what shows one."""

    protocol_version = "HTTP/1.1"
    behind, token, asked = "", "t0ken", []

    def log_message(self, *arguments):
        pass

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        host = self.headers["Host"]
        if self.path.startswith("/token?"):
            self.asked.append((self.path, self.headers.get("Authorization")))
            if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:pass").decode():
                return self.answer(401, {})
            return self.answer(200, {"Content-Type": "application/json"}, json.dumps({"token": self.token}).encode())
        if self.headers.get("Authorization") != f"Bearer {self.token}":
            name = self.path.split("/v2/")[1].split("/blobs")[0].split("/manifests")[0]
            return self.answer(401, {"WWW-Authenticate": f'Bearer realm="http://{host}/token",service="a gate",scope="repository:{name}:pull,push"'})
        passed = requests.request(self.command, self.behind + self.path, data=body, timeout=60, allow_redirects=False,
                                  headers={name: value for name, value in self.headers.items() if name not in ("Host", "Authorization")} | {"Host": host})
        keep = ("Location", "Docker-Content-Digest", "Content-Type", "Range", "Docker-Upload-UUID", "Content-Length")
        return self.answer(passed.status_code, {n: v for n, v in passed.headers.items() if n in keep}, passed.content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = serve


def test_a_registry_that_gives_out_tokens(tmp_path):
    with registry(tmp_path) as port:
        Gate.behind, Gate.asked = f"http://127.0.0.1:{port}", []
        gate = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate)
        threading.Thread(target=gate.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{gate.server_address[1]}/prism"
            push(tmp_path / "out", address, PRISM_REGISTRY_USER="me", PRISM_REGISTRY_PASSWORD="pass")
            assert Gate.asked[0][0] == "/token?service=a%20gate&scope=repository%3Aprism%2Fcatalog%3Apull%2Cpush"
            wrong = push(tmp_path / "out", address, check=False, PRISM_REGISTRY_USER="me", PRISM_REGISTRY_PASSWORD="other")
            assert wrong.returncode == 1 and "gives no token: 401" in wrong.stderr
        finally:
            gate.shutdown()
        assert requests.get(f"http://127.0.0.1:{port}/v2/prism/catalog/tags/list", timeout=60).json()["tags"]


# ---- bills of materials ----


@pytest.mark.parametrize("architecture,name", EVERY)
def test_a_bill_of_materials_is_valid_and_whole(packed, architecture, name):
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    package = packed[architecture]
    path = package.folder / "sbom" / f"{name}-{architecture}.spdx.json"
    document = parse_file(str(path))
    assert validate_full_spdx_document(document) == []
    (artifact,) = [p for p in document.packages if p.spdx_id == "SPDXRef-Artifact"]
    assert artifact.checksums[0].value == package.artifacts[name]["sha256"]
    parts = {p.name: p for p in document.packages}
    pins = dict(line.split(None, 1) for line in (ROOT / "tools" / "pins").read_text().splitlines() if line and line[0] != "#")
    assert parts["aws-crt"].version == pins["aws-crt"].split()[0].split("-")[0]
    assert {"yyjson", "llhttp"} <= parts.keys()
    assert ("duckdb" in parts) == ("duckdb-httpfs" in parts) == (name in ("query", "storage"))
    assert ("rds-certificates" in parts) == (name == "schema")
    assert ("libc6" in parts and "ca-certificates" in parts) == (name in IMAGES)
    related = {r.related_spdx_element_id for r in document.relationships}
    assert {p.spdx_id for p in document.packages} == related
