"""Where `tools/setup infra` takes the AWS provider from on a machine that does not have it beside the repository.

Terraform's registry is a server on loopback here, which speaks the registry's protocol and signs with a key of its own; the provider in it is the
real one. Terraform is led there by its CLI configuration. Source: developer.hashicorp.com/terraform/internals/provider-registry-protocol."""

import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import zipfile

import kit
import pytest

VERSION = next(line.split()[1] for line in (kit.ROOT / "tools" / "pins").read_text().splitlines() if line.startswith("aws-provider "))
PROVIDER, = (kit.PROVIDERS.parent / "mirror").glob(f"registry.terraform.io/hashicorp/aws/{VERSION}/*/terraform-provider-aws*")
PLATFORM = PROVIDER.parent.name  # linux_amd64
ZIP = f"terraform-provider-aws_{VERSION}_{PLATFORM}.zip"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """What a release of a provider is: a ZIP, the list of checksums, its signature, and the public key."""
    folder = tmp_path_factory.mktemp("release")
    with zipfile.ZipFile(folder / ZIP, "w", zipfile.ZIP_STORED, allowZip64=True) as z:
        z.write(PROVIDER, PROVIDER.name)
        z.writestr("LICENSE.txt", "")
    with (folder / ZIP).open("rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  {ZIP}\n")
    home = tempfile.mkdtemp(prefix="prism-gpg-")  # gpg's agent listens at a path below it, which must be short
    try:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        subprocess.run([*gpg, "--quick-generate-key", "registry@example.com", "rsa2048", "sign", "never"], check=True, capture_output=True)
        subprocess.run([*gpg, "--detach-sign", "--output", folder / "SHA256SUMS.sig", folder / "SHA256SUMS"], check=True, capture_output=True)
        listed = subprocess.run([*gpg, "--list-keys", "--with-colons"], check=True, capture_output=True, text=True).stdout
        armor = subprocess.run([*gpg, "--armor", "--export"], check=True, capture_output=True, text=True).stdout
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)
    key_id = next(line.split(":")[4] for line in listed.splitlines() if line.startswith("pub:"))
    return folder, digest, {"key_id": key_id, "ascii_armor": armor}


@contextlib.contextmanager
def registry(release, checksum=None):
    """The registry's service of providers, at the address that it yields; what was asked for is in the list."""
    folder, digest, key = release
    os_name, machine = PLATFORM.split("_")
    asked = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            files = f"http://127.0.0.1:{self.server.server_port}/files"
            told = {
                "/v1/providers/hashicorp/aws/versions": {"versions": [{"version": VERSION, "protocols": ["5.0"], "platforms": [{"os": os_name, "arch": machine}]}]},
                f"/v1/providers/hashicorp/aws/{VERSION}/download/{os_name}/{machine}": {
                    "protocols": ["5.0"], "os": os_name, "arch": machine, "filename": ZIP, "download_url": f"{files}/{ZIP}", "shasum": checksum or digest,
                    "shasums_url": f"{files}/SHA256SUMS", "shasums_signature_url": f"{files}/SHA256SUMS.sig", "signing_keys": {"gpg_public_keys": [key]}},
            }.get(self.path)
            file = folder / pathlib.PurePosixPath(self.path).name
            if told is None and not (self.path.startswith("/files/") and file.is_file()):
                return self.send_error(404)
            self.send_response(200)
            if told is not None:
                body = json.dumps(told).encode()
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                return self.wfile.write(body)
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            with file.open("rb") as f:
                return shutil.copyfileobj(f, self.wfile, 1 << 20)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/providers/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def machine(tmp_path):
    """A copy of set-up with nothing beside it, and a cache that has everything but the provider. Go modules are out of reach."""
    shutil.copytree(kit.ROOT / "tools", tmp_path / "away" / "prism" / "tools")
    for file in ("tests/sys/requirements.txt", "tests/infra/requirements.txt", "tests/infra/checkov.txt"):
        (tmp_path / "away" / "prism" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kit.ROOT / file, tmp_path / "away" / "prism" / file)
    real, cache = kit.part("aws-provider").parent, tmp_path / "cache"
    cache.mkdir()
    for part in real.iterdir():
        if part.is_dir() and not part.name.startswith((".", "aws-provider-")):
            (cache / part.name).symlink_to(part)

    def setup(service, *arguments):
        config = tmp_path / "cli.tfrc"
        config.write_text(f'host "registry.terraform.io" {{\n  services = {{ "providers.v1" = "{service}" }}\n}}\n')
        env = {k: v for k, v in os.environ.items() if k.lower() not in ("http_proxy", "https_proxy")}
        done = subprocess.run([tmp_path / "away" / "prism" / "tools" / "setup", "infra", *arguments], capture_output=True, text=True, timeout=600,
                              stdin=subprocess.DEVNULL, env={**env, "PRISM_CACHE": str(cache), "TF_CLI_CONFIG_FILE": str(config), "GOPROXY": "off"})
        return done, cache / f"aws-provider-{VERSION}", (cache / "setup.log").read_text()

    return setup


def test_from_the_registry(machine, release, tmp_path):
    with registry(release) as (service, asked):
        done, part, log = machine(service)
    assert done.returncode == 0, f"{done.stderr}\n{log[-3000:]}"
    assert "the AWS provider is from Terraform's registry" in done.stdout and f"/files/{ZIP}" in asked
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "main.tf").write_text(f'terraform {{\n  required_providers {{\n    aws = {{ source = "hashicorp/aws", version = "{VERSION}" }}\n  }}\n}}\n')
    for program in (kit.TERRAFORM, kit.TOFU):  # each asks for it under its own registry's name
        shutil.rmtree(tmp_path / "stack" / ".terraform", ignore_errors=True)
        (tmp_path / "stack" / ".terraform.lock.hcl").unlink(missing_ok=True)
        env = {**os.environ, "TF_CLI_CONFIG_FILE": str(part / "cli.tfrc"), "CHECKPOINT_DISABLE": "1"}
        for command in (["init", "-no-color"], ["providers", "schema", "-json"]):
            ran = subprocess.run([program, *command], cwd=tmp_path / "stack", capture_output=True, text=True, env=env, timeout=300)
            assert ran.returncode == 0, ran.stdout + ran.stderr
        assert '"aws_rds_cluster"' in ran.stdout
    shutil.rmtree(part)  # a quarter of a gigabyte


@pytest.mark.parametrize("quiet", [(), ("--quiet",)], ids=["loud", "quiet"])
def test_without_registry_and_modules_it_fails_and_says_so(machine, quiet):
    done, part, log = machine("http://127.0.0.1:9/v1/providers/", *quiet)  # the discard port: nobody listens
    assert done.returncode == 1 and not part.exists()
    assert ("built from its Go module" in done.stdout) == (not quiet)
    assert "aws-provider" in done.stderr and "failed" in done.stderr and "GOPROXY=off" in done.stderr
    assert "connection refused" in log


def test_what_is_not_what_was_signed_is_not_taken(machine, release):
    with registry(release, checksum="0" * 64) as (service, asked):
        done, part, log = machine(service)
    assert done.returncode == 1 and not part.exists() and asked
    assert "checksum" in log and "built from its Go module" in done.stdout
