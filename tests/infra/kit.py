"""What the tests of infra/ stand on: an emulator of AWS, scratch copies of the stacks, Terraform with the real provider.

Nothing emulator-specific is in infra/: the provider and the backend are led to the emulator by the environment."""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile

import boto3
import botocore.config

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLATFORM = ROOT / "platform"
SETTINGS = HERE / "settings"
PRISM = pathlib.Path(os.environ.get("PRISM_BIN", ROOT / "build" / "prism"))
FUNCTIONS = pathlib.Path(os.environ.get("PRISM_FUNCTIONS", ROOT / "build" / "fn"))

ACCOUNT = "123456789012"  # the emulator's only account
HOME = "us-east-1"
REGIONS = {"us-east-1": "use1", "eu-west-1": "euw1"}
STATE_BUCKET = "prism-states"


def part(name):
    """Folder of what `tools/setup infra` brought."""
    done = subprocess.run([ROOT / "tools" / "setup", "--path", name], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{name} is missing: run tools/setup infra")
    return pathlib.Path(done.stdout.strip())


TERRAFORM = part("terraform") / "bin" / "terraform"
TOFU = part("opentofu") / "bin" / "tofu"
TFLINT = part("tflint") / "bin" / "tflint"
PROVIDERS = part("aws-provider") / "cli.tfrc"
GO = {"GOGC": "400"}  # Terraform, OpenTofu and the provider spend a third of their time on collecting garbage else
# A provider that is not started by Terraform traces all that it does, hundreds of megabytes for a stack.
QUIET = {f"TF_LOG_{part}": "ERROR" for part in ("PROVIDER", "PROVIDER_AWS", "SDK", "SDK_FRAMEWORK", "SDK_HELPER_SCHEMA", "SDK_MUX", "SDK_PROTO")}


def platform(name):
    return json.loads((PLATFORM / name).read_text())


def settings(name):
    return json.loads((SETTINGS / f"{name}.tfvars.json").read_text())


def render(environment, folder, platform=PLATFORM):
    """An environment's variables as Terraform takes them, a file for each stack: global.tfvars.json, <region>.tfvars.json."""
    done = subprocess.run([PRISM, "config", "render", "--environment", environment, "--platform", platform, "--infra", ROOT / "infra", "--out", folder],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(folder)


# ---- emulator ---------------------------------------------------------------------------------------------------


leases = []


def free_port():
    """Not of the range that tests/sys takes its ports from, which may run at the same time. No other process of tests chooses it while this one
    lives: a name is bound that goes with it."""
    while True:
        port, lease = random.randrange(12000, 20000), socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), socket.socket() as s:
            lease.bind(f"\0prism-test-port-{port}")
            s.bind(("127.0.0.1", port))
            leases.append(lease)
            return port
        lease.close()


class Emulator:
    """moto with what the provider needs besides (emulator/motox.py), on a loopback port of its own."""

    def __init__(self, log):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = pathlib.Path(log)
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([sys.executable, HERE / "emulator" / "motox.py", str(self.port), "--with-stdin"], stdin=subprocess.PIPE,
                                            stdout=out, stderr=out, env={**os.environ, "MOTO_ACCOUNT_ID": ACCOUNT})
        deadline = time.time() + 300
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=60).close()
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if self.process.poll() is not None or time.time() > deadline:
                    self.stop()
                    raise RuntimeError(f"the emulator did not start:\n{self.log.read_text()[-2000:]}")
                time.sleep(0.2)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def environment(self):
        """Go's SDK never sends loopback addresses to a proxy; hosts with a label in front of the address, which the provider makes
        for S3 Control and CloudFront's key-value stores and which no resolver knows, come back to the emulator through it."""
        return {"AWS_ENDPOINT_URL": self.url, "HTTP_PROXY": self.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": HOME, "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}

    def client(self, service, region=HOME):
        return boto3.client(service, region_name=region, endpoint_url=self.url, aws_access_key_id="test", aws_secret_access_key="test",
                            config=botocore.config.Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))


class SharedProvider:
    """One process of the provider for many runs; to start it anew for each run block would cost three quarters of their time. Those that never
    configure it, mocked tests and validation, ask it for schemas and for checks only and all share one; a run that does has one for itself, or
    has it after another has ended. `environment` is what the provider finds its AWS by."""

    def __init__(self, log, environment=None):
        provider, = (PROVIDERS.parent / "mirror").glob("registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*")
        with pathlib.Path(log).open("wb") as out:
            # Ends when its standard input does, as the emulator.
            self.process = subprocess.Popen(["sh", "-c", '"$0" -debug & trap "kill $!" EXIT; read -r line', provider], stdin=subprocess.PIPE, stdout=out,
                                            stderr=out, env={**os.environ, **GO, **QUIET, **(environment or {})})
        deadline = time.time() + 300
        while not (found := re.search(r"TF_REATTACH_PROVIDERS='(.*)'", pathlib.Path(log).read_text())):
            if self.process.poll() is not None or time.time() > deadline:
                raise RuntimeError(f"the provider did not start:\n{pathlib.Path(log).read_text()[-2000:]}")
            time.sleep(0.1)
        address, = json.loads(found[1]).values()
        self.environment = {"TF_REATTACH_PROVIDERS": json.dumps({f"registry.{host}/hashicorp/aws": address for host in ("terraform.io", "opentofu.org")})}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


# ---- stacks -----------------------------------------------------------------------------------------------------


class TerraformFailed(AssertionError):
    def __init__(self, arguments, done):
        self.code, self.output = done.returncode, done.stdout
        start = done.stdout.find("\nError: ")
        super().__init__(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout[start:][:6000] if start >= 0 else done.stdout[-6000:]}")


class Tree:
    """A scratch copy of all that a stack reads, so that no state or provider folder lands in the repository."""

    def __init__(self, folder, emulator=None, program=TERRAFORM):
        self.folder, self.emulator, self.program = pathlib.Path(folder), emulator, program
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name in ("infra", "platform", "edge"):
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.folder / name, symlinks=True,
                                ignore=shutil.ignore_patterns(".terraform", "*.tfstate*", ".terraform.lock.hcl", "node_modules"))
        if program == TOFU:
            # OpenTofu has no such argument, and stops at it: it makes mocked values up while planning, always.
            for file in self.folder.rglob("*.tftest.hcl"):
                file.write_text(re.sub(r"(?m)^ *override_during = plan\n+", "", file.read_text()))

    def run(self, where, *arguments, check=True, codes=(0,), env=None, timeout=1500):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_")) and k.lower() not in ("http_proxy", "https_proxy", "no_proxy")}
        done = subprocess.run(
            [self.program, *map(str, arguments)], cwd=self.folder / where, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=timeout,
            env={**keep, **(self.emulator.environment() if self.emulator else {}), "TF_CLI_CONFIG_FILE": str(PROVIDERS), "TF_IN_AUTOMATION": "1",
                 "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1", "NO_COLOR": "1", **GO, **(env or {})})
        if check and done.returncode not in codes:
            raise TerraformFailed([self.program.name, *arguments], done)
        return done

    def edit(self, file, old, new):
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file}: {text.count(old)} times: {old}"
        path.write_text(text.replace(old, new))


class Stack:
    """One root stack in a tree of its own, with its state in the emulator's bucket."""

    parallelism = 60  # most of an apply is the provider waiting for AWS, with fixed pauses

    def __init__(self, folder, emulator, where, name, variables, environment="prod", program=TERRAFORM):
        self.tree = Tree(folder, emulator, program)
        self.where, self.environment, self.name = f"infra/{where}", environment, name
        self.overrides = self.tree.folder / "test.tfvars.json"
        self.settings = self.tree.folder / "rendered"
        render(environment, self.settings)
        self.set(variables)

    def set(self, variables):
        """What the test changes in what `prism config render` makes of the environment's own file."""
        self.overrides.write_text(json.dumps(variables, indent=2))
        return self

    @property
    def var_files(self):
        return f"-var-file={self.settings / self.name}.tfvars.json", f"-var-file={self.overrides}"

    def run(self, *arguments, **kw):
        return self.tree.run(self.where, *arguments, **kw)

    def init(self, key=None):
        """The state's name is the documented one; tests that only plan from nothing give another."""
        backend = {"bucket": STATE_BUCKET, "region": HOME, "key": key or f"prism/{self.environment}/{self.name}.tfstate"}
        self.run("init", "-no-color", *[f"-backend-config={k}={v}" for k, v in backend.items()])
        return self

    def apply(self):
        return self.run("apply", "-no-color", "-auto-approve", f"-parallelism={self.parallelism}", *self.var_files).stdout

    def destroy(self):
        return self.run("destroy", "-no-color", "-auto-approve", f"-parallelism={self.parallelism}", *self.var_files).stdout

    def plan(self, out=None, *arguments, **kw):
        return self.run("plan", "-no-color", "-lock=false", *self.var_files, *([f"-out={out}"] if out else []), *arguments, **kw)

    def assert_no_changes(self, out=None):
        done = self.plan(out, "-detailed-exitcode", codes=(0, 2))
        assert done.returncode == 0, f"a second plan wants changes:\n{done.stdout[-8000:]}"

    def show(self, plan, env):
        """The plan as JSON, in a file beside it. `env` leads to a provider, which is asked for its schemas."""
        file = pathlib.Path(f"{plan}.json")
        done = subprocess.run([self.tree.program, "show", "-json", plan], cwd=self.tree.folder / self.where, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, env={**os.environ, "TF_CLI_CONFIG_FILE": str(PROVIDERS), **GO, **env})
        assert done.returncode == 0, done.stderr
        file.write_text(done.stdout)
        return file


# ---- packages ---------------------------------------------------------------------------------------------------


def zip_of(files, out):
    """The same bytes for the same files: names sorted, one date, one mode."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr, entry.compress_type = 0o100755 << 16, zipfile.ZIP_DEFLATED
            z.writestr(entry, pathlib.Path(path).read_bytes())
    return hashlib.sha256(pathlib.Path(out).read_bytes()).hexdigest()


class Packages:
    """What the build left, packed: ZIPs, the router's too, and digests that stand for images."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.artifacts, self.zips = {}, {}
        for name, spec in platform("functions.json")["functions"].items():
            bootstrap = FUNCTIONS / name / "bootstrap"
            if not bootstrap.exists():
                raise RuntimeError(f"{bootstrap} is missing: run tools/build release")
            if spec["package"] == "zip":
                self.artifacts[name] = {"kind": "zip", "sha256": self._pack(name, {"bootstrap": bootstrap})}
            else:
                self.artifacts[name] = {"kind": "image", "sha256": hashlib.sha256(bootstrap.read_bytes()).hexdigest()}
        self.edge = self._pack("edge", {f.name: f for f in (ROOT / "edge").glob("*.mjs")})

    def _pack(self, name, files):
        out = self.folder / f"{name}.zip"
        digest = zip_of(files, out)
        self.zips[name] = (f"functions/{name}/{digest}.zip", out)
        return digest

    def upload(self, s3, bucket):
        for key, path in self.zips.values():
            s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


# ---- prism verify -----------------------------------------------------------------------------------------------


def verify(*plans, infra=ROOT / "infra"):
    """Findings of `prism verify`: list of {rule, address, message, fix, ...}. The platform's files are the repository's own, unchanged."""
    arguments = [argument for plan in plans for argument in ("--plan", str(plan))]
    done = subprocess.run([PRISM, "verify", "--format", "json", "--infra", infra, "--platform", PLATFORM, *arguments], cwd=ROOT,
                          capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, 4), f"prism verify: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    findings = json.loads(done.stdout)["findings"]
    assert bool(findings) == (done.returncode == 4)
    return findings


def rules():
    done = subprocess.run([PRISM, "verify", "--list", "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["rules"]
