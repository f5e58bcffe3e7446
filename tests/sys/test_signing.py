"""Regions that take signed code only: action `sign`, what Terraform is given then, and that none of it is done twice, whenever the pipeline dies."""

import hashlib
import json
import pathlib
import signal
import subprocess

import pytest
from conftest import PRISM, ROOT
from rollout_kit import release
from signer_kit import VERSION, SignerStandIn
from test_pipeline import DONE, ENDED_BADLY, Bench

REGION = "eu-west-1"
# Keeps what it was given, and plans what there is to plan.
TERRAFORM = """#!/bin/sh
here=$(dirname "$0")
case $1 in
plan) for a; do case $a in -var-file=*artifacts.tfvars.json) cp "${{a#-var-file=}}" "$here/artifacts.json";; -out=*) echo plan >"${{a#-out=}}";; esac; done ;;
show) cat "{plans}/create.json" ;;
esac
"""


class Signing(Bench):
    def __init__(self, path, stand_in, settings, steps=("sign", "plan")):
        config = path / "config"
        self.program = path / "terraform" / "terraform"
        known = {"sign": {"name": "sign", "action": "sign", "with": {"config": str(config), "parameter": "/prism/${environment}/global", "every_s": 1}},
                 "plan": {"name": "plan", "action": "terraform-plan", "with": {"stack": "region", "config": str(config), "program": str(self.program),
                                                                               "backend": {"path": str(path / "state.tf")}}}}
        super().__init__(path / "root", defaults={"pause_s": 0}, environments={"prod": {"approval": {"by_starter": True}}}, stages=[
            {"name": "prod", "environment": "prod", "region_steps": [known[name] for name in steps],
             "waves": [{"name": "first", "regions": [REGION], "bake": {"time_s": 0}}]}])
        config.mkdir()
        (config / f"{REGION}.tfvars.json").write_text(json.dumps(settings))
        self.program.parent.mkdir()
        self.program.write_text(TERRAFORM.format(plans=ROOT / "tests/unit/delivery/terraform/plans"))
        self.program.chmod(0o755)
        (self.path / "infra").symlink_to(ROOT / "infra")
        for file in (ROOT / "platform").iterdir():
            if not (self.path / "platform" / file.name).exists():
                (self.path / "platform" / file.name).symlink_to(file)
        self.env |= stand_in.environment
        self.place = self.released(path)

    def released(self, path):
        """A release, made as the pipeline makes one; its ZIPs lie where functions are deployed from."""
        package = release(path / "bucket-package", ingest="one", keys="two")
        made = Bench(path / "make", stages=[{"name": "build", "steps": [
            {"name": "release", "action": "release", "with": {"package": str(package), "source": "test", "platform": str(ROOT / "platform")}},
            {"name": "publish", "action": "publish", "with": {"to": str(path / "bucket")}}]}])
        done = made("run")
        assert done.returncode == DONE, done.stderr
        return made.status()["place"]

    def run(self, *more):
        return self("run", "--release", self.place, *more)

    def result(self, step="sign"):
        return next(s["result"] for stage in self.status()["stages"] for s in stage["steps"] if s["step"].endswith(f"/{step}"))

    def given(self):
        """Digests that Terraform was given."""
        return {name: a["sha256"] for name, a in json.loads((self.program.parent / "artifacts.json").read_text())["artifacts"].items()}


@pytest.fixture
def stand_in(tmp_path):
    (tmp_path / "bucket").mkdir()
    with SignerStandIn(tmp_path / "bucket") as stand_in:
        yield stand_in


def digests(stand_in, name):
    return {path.stem for path in (stand_in.folder / "functions" / name).iterdir()}


def test_a_region_that_takes_signed_code_gets_signed_copies_of_what_was_released(tmp_path, stand_in):
    bench = Signing(tmp_path, stand_in, {})
    done = bench.run()
    assert done.returncode == DONE, done.stderr
    released = {name: a["sha256"] for name, a in json.loads((pathlib.Path(bench.place) / "release.json").read_text())["artifacts"].items()}
    signed = bench.result()["signed"]
    assert {name: s["sha256"] for name, s in signed.items()} == released, "the record names what was released"
    assert bench.given() == {name: s["signed_sha256"] for name, s in signed.items()}, "and Terraform gets the copies"
    for name, s in signed.items():
        data = (stand_in.folder / "functions" / name / f"{s['signed_sha256']}.zip").read_bytes()
        assert hashlib.sha256(data).hexdigest() == s["signed_sha256"] != released[name]
        assert digests(stand_in, name) == {released[name], s["signed_sha256"]}
    noted = [e["data"] for e in bench.history() if e["event"] == "step-noted"]
    assert {(n["function"], n["job"]) for n in noted} == {(name, s["job"]) for name, s in signed.items()}, "the audit log has the jobs"
    first = bench.given()
    again = bench.run()
    assert again.returncode == DONE and bench.result()["jobs"] == 0 and bench.given() == first, "the same code keeps its signature"
    assert len(stand_in.jobs) == 2


def test_where_code_signing_is_off_nobody_is_asked(tmp_path, stand_in):
    bench = Signing(tmp_path, stand_in, {"code_signing": False})
    assert bench.run().returncode == DONE
    assert bench.result() == {"skipped": "code_signing is off"} and stand_in.requests == []
    assert set(bench.given().values()) == {path.stem for name in ("ingest", "keys") for path in (stand_in.folder / "functions" / name).iterdir()}


def test_unsigned_code_is_not_planned(tmp_path, stand_in):
    bench = Signing(tmp_path, stand_in, {"code_signing": True}, steps=["plan"])
    done = bench.run()
    assert done.returncode == ENDED_BADLY and "takes signed code only (code_signing)" in done.stderr and "a step `sign` before this one" in done.stderr
    assert not (bench.program.parent / "artifacts.json").exists()


def test_another_attempt_after_a_job_that_failed_is_another_job(tmp_path, stand_in):
    bench = Signing(tmp_path, stand_in, {})
    stand_in.fail = 1
    done = bench.run()
    assert done.returncode == ENDED_BADLY and "of AWS Signer failed: the file is malformed" in done.stderr
    assert bench.run().returncode == DONE
    assert [job["failed"] for job in stand_in.jobs.values()] == [True, False, False]


@pytest.mark.parametrize("what, why", [
    ("version", f"and the region takes arn:aws:signer:{REGION}:111122223333:/signing-profiles/prism_eu_west_1/{VERSION}: apply infra/global first"),
    ("versions", "keeps no versions, which AWS Signer needs"), ("bytes", "is not what was released")])
def test_what_lambda_would_refuse_later_is_refused_now(tmp_path, stand_in, what, why):
    bench = Signing(tmp_path, stand_in, {})
    if what == "version":
        stand_in.version = "KlMnOpQrSt"  # the profile was put anew and the region does not know
    elif what == "versions":
        stand_in.versions = False
    else:
        for path in (stand_in.folder / "functions" / "ingest").iterdir():
            path.write_bytes(b"other")
    done = bench.run()
    assert done.returncode == ENDED_BADLY and why in done.stderr, done.stderr
    assert not (bench.program.parent / "artifacts.json").exists()


def test_killed_at_every_request_nothing_is_signed_twice(tmp_path, stand_in):
    """Each request kills the pipeline twice: before anything was done, and when it was done and not answered."""
    bench = Signing(tmp_path, stand_in, {}, steps=["sign"])
    killed, running = set(), []

    def kill(when):
        def at(_, line):
            key = (when, line)  # keys and ids tell functions apart
            if running and key not in killed:
                killed.add(key)
                running[0].send_signal(signal.SIGKILL)
                running[0].wait()
                running.clear()
        return at

    stand_in.before, stand_in.after = kill("before"), kill("after")
    verb, code = ("run", "--release", bench.place), None
    for _ in range(200):
        process = subprocess.Popen([PRISM, "pipeline", *verb, "--state", bench.state, "--root", bench.path, "--as", "ada"], env=bench.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running[:] = [process]
        _, said = process.communicate(timeout=120)
        running.clear()
        code = process.returncode
        if code != -signal.SIGKILL:
            break
        verb = ("resume",)
    assert code == DONE, said
    assert len(killed) >= 2 * 12, sorted(killed)
    assert len(stand_in.jobs) == 2, "a token is a job"
    signed = bench.result()["signed"]
    for name, s in signed.items():
        assert digests(stand_in, name) == {s["sha256"], s["signed_sha256"]}, "one copy of each"
    assert bench("history", "--check").returncode == DONE
