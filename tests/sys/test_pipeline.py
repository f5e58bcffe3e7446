"""`prism pipeline` from the outside: what it prints and how it ends, on a terminal and off it, killed and gone on, two at once, in a folder and in S3."""

import gzip
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import threading
import time

import boto3
import pytest
import requests
from conftest import PRISM, ROOT
from emulator_kit import emulator
from package_kit import registry

DONE, FAILED, USAGE, ENDED_BADLY, REFUSED, ASKS = 0, 1, 2, 3, 4, 6
ENV = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


def step(name, *argv, undo=None, **more):
    with_ = {"argv": list(argv)} | more.pop("with_", {})
    return {"name": name, "action": "command", "with": with_} | ({"undo": undo} if undo else {}) | more


def shell(name, text, undo=None, **more):
    return step(name, "sh", "-c", text, undo=undo and {"action": "command", "with": {"argv": ["sh", "-c", undo]}}, **more)


class Bench:
    """Sources with a pipeline, and a store beside them."""

    def __init__(self, path, **pipeline):
        self.path, self.state = path, str(path / "state")
        self.env = dict(ENV)
        (path / "platform").mkdir(parents=True)
        self.write({"version": 1} | pipeline)

    def write(self, pipeline):
        (self.path / "platform" / "pipeline.json").write_text(json.dumps(pipeline))

    def args(self, *args):
        return [PRISM, "pipeline", *map(str, args), "--state", self.state, "--root", str(self.path)]

    def __call__(self, *args, who="ada"):
        return subprocess.run(self.args(*args, "--as", who), capture_output=True, text=True, timeout=120, env=self.env, stdin=subprocess.DEVNULL)

    def start(self, *args, who="ada"):
        return subprocess.Popen(self.args(*args, "--as", who), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env,
                                stdin=subprocess.DEVNULL)

    def status(self, *args):
        return json.loads(self("status", "--json", *args).stdout)

    def history(self, *args):
        return [json.loads(line) for line in self("history", "--json", *args).stdout.splitlines()]


def until(condition, what):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within a minute: {what}")


PLAN = """echo '{"digest":"0123456789abcdef","summary":"3 to add"}'"""
GATED = {
    "environments": {"prod": {"approval": {"by_starter": False}}},
    "stages": [
        {"name": "build", "steps": [step("hello", "echo", "hello")]},
        {"name": "prod", "environment": "prod", "steps": [shell("plan", PLAN, with_={"result": True}), {"name": "gate", "action": "approval", "with": {"plan": "plan"}}],
         "region_steps": [shell("apply", "echo ${region} >> made", "echo ${region} >> unmade")],
         "waves": [{"name": "first", "regions": ["r1"], "bake": {"time_s": 0}}, {"name": "second", "regions": ["r2", "r3"], "bake": {"time_s": 0}}]},
    ],
}


def test_a_change_goes_through_its_gate_and_the_log_tells_it(tmp_path):
    bench = Bench(tmp_path, **GATED)
    waits = bench("run")
    assert waits.returncode == ASKS and "waits at prod/gate for an approval of plan 0123456789ab" in waits.stderr
    assert "\033" not in waits.stderr and "step-done    build/hello" in waits.stderr
    assert "platform/pipeline.json: no signers for prod: releases go there whoever made them" in waits.stderr
    assert bench.status()["state"] == "waiting"
    assert "prism pipeline approve --plan 0123456789ab" in bench("status").stdout
    refused = bench("approve")
    assert refused.returncode == REFUSED and "somebody else" in refused.stderr
    assert bench("approve", "--plan", "99999999", who="bob").returncode == REFUSED
    assert bench("approve", "--plan", "01234567", "--why", "looked", who="bob").returncode == DONE
    done = bench("resume", "--json")
    assert done.returncode == DONE and json.loads(done.stdout)["run"]["outcome"] == "succeeded"
    assert (tmp_path / "made").read_text().split() == ["r1", "r2", "r3"]
    log = bench.history()
    approved = [entry for entry in log if entry["event"] == "approved"]
    assert [(e["who"], e["plan"], e["data"]["why"]) for e in approved] == [("bob", "0123456789abcdef", "looked")]
    assert [entry["seq"] for entry in log] == list(range(1, len(log) + 1))
    assert bench("history", "--check").returncode == DONE


def test_a_failed_step_takes_its_stage_back(tmp_path):
    bench = Bench(tmp_path, defaults={"pause_s": 0}, stages=[{"name": "s", "steps": [
        shell("one", "echo 1 >> log", "echo back 1 >> log"), shell("two", "echo 2 >> log; exit 7", "echo back 2 >> log", attempts=2), shell("three", "echo 3 >> log")]}])
    done = bench("run")
    assert done.returncode == ENDED_BADLY and "exit code 7" in done.stderr
    assert (tmp_path / "log").read_text().splitlines() == ["1", "2", "2", "back 2", "back 1"]
    assert [s["state"] for s in bench.status()["stages"][0]["steps"]] == ["rolled-back", "rolled-back", "skipped"]


SLOW = {"lease_s": 30, "stages": [{"name": "s", "steps": [
    shell("one", "echo 1 >> log"), shell("two", "echo $$ > pid; while [ -e hold ]; do sleep 0.05; done; echo 2 >> log"), shell("three", "echo 3 >> log")]}]}


def hold(bench):
    (bench.path / "hold").touch()
    running = bench.start("run")
    until(lambda: (bench.path / "pid").exists() and (bench.path / "pid").read_text().strip(), "the second step runs")
    return running


def is_alive(bench):
    try:
        os.kill(int((bench.path / "pid").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_killed_in_the_middle_it_goes_on_where_it_was_and_leaves_nothing_running(tmp_path):
    bench = Bench(tmp_path, **SLOW)
    running = hold(bench)
    running.kill()
    running.communicate()
    until(lambda: not is_alive(bench), "the step's program is gone with the pipeline")
    assert bench.status()["state"] in ("running", "stopped")
    refused = bench("run")
    assert refused.returncode == REFUSED
    (tmp_path / "hold").unlink()
    assert bench("resume").returncode == DONE
    assert (tmp_path / "log").read_text().split() == ["1", "2", "3"]
    assert bench("resume").returncode == REFUSED  # nothing is left to do
    assert bench("history", "--check").returncode == DONE


def test_interrupted_it_says_how_to_go_on(tmp_path):
    bench = Bench(tmp_path, **SLOW)
    running = hold(bench)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == -signal.SIGINT and "prism pipeline resume" in said and not is_alive(bench)
    assert bench.history()[-1]["event"] == "released"
    (tmp_path / "hold").unlink()
    assert bench("resume").returncode == DONE


def test_of_two_at_once_one_is_refused_or_waits(tmp_path):
    bench = Bench(tmp_path, **SLOW)
    running = hold(bench)
    refused = bench("run", who="bob")
    assert refused.returncode == REFUSED and re.search(r"run 1 is driven by ada on \S+ \(process \d+\) since 20", refused.stderr)
    waiting = bench.start("run", "--wait", who="bob")
    assert "waiting: run 1 is driven by ada" in waiting.stderr.readline()
    (tmp_path / "hold").unlink()
    assert running.wait(timeout=60) == DONE
    waiting.communicate(timeout=60)
    assert waiting.returncode == DONE
    assert [entry["run"] for entry in bench.history()] == sorted(entry["run"] for entry in bench.history())
    assert bench.status()["who"] == "bob"


def test_an_abort_reaches_who_drives_the_run(tmp_path):
    bench = Bench(tmp_path, **SLOW)
    running = hold(bench)
    told = bench("abort", "--why", "wrong day", who="bob")
    assert told.returncode == DONE and "was told" in told.stderr
    _, said = running.communicate(timeout=60)
    assert running.returncode == ENDED_BADLY and "wrong day" in said
    assert bench.status()["outcome"] == "aborted" and not is_alive(bench)


def test_a_log_that_was_changed_is_found(tmp_path):
    bench = Bench(tmp_path, stages=[{"name": "s", "steps": [step("one", "true")]}])
    assert bench("run").returncode == DONE
    tip = json.loads(bench("history", "--check", "--json").stdout)["tip"]
    entry = tmp_path / "state" / "runs" / "000001" / "000003.json"
    entry.write_text(entry.read_text().replace('"who":"ada"', '"who":"eve"'))
    found = bench("history", "--check")
    assert found.returncode == REFUSED and "run 1 entry 4 does not follow the one before it" in found.stdout
    entry.unlink()
    assert "entries 3 to 3 are missing" in bench("history", "--check", "--tip", tip).stdout
    assert bench("history", "--tip", "no").returncode == USAGE


def test_a_wrong_pipeline_is_refused_before_anything_is_touched(tmp_path):
    bench = Bench(tmp_path, stages=[{"name": "s", "steps": [{"name": "one", "action": "comand"}]}])
    for verb in (["run"], ["run", "--dry-run"]):
        done = bench(*verb)
        assert done.returncode == REFUSED and "platform/pipeline.json: stages[0].steps[0].action: there is no action 'comand'; there are command" in done.stderr
    assert not (tmp_path / "state" / "runs").exists()
    assert bench("status").returncode == REFUSED


def on_terminal(args, env):
    """What a program writes to a terminal of 60 columns; stdout and stderr are it."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(args[0], list(map(str, args)), env)
    import fcntl
    import struct
    import termios
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    said = b""
    try:
        while piece := os.read(fd, 65536):
            said += piece
    except OSError:
        pass  # its end
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode()


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_shows_a_picture_that_is_drawn_in_its_place(tmp_path, colours):
    bench = Bench(tmp_path, stages=[{"name": "s", "steps": [shell("one", "echo 'tick \033[2J'; sleep 0.3"), step("two", "true")]}])
    code, said = on_terminal(bench.args("run"), bench.env | {"TERM": "xterm"} | ({} if colours else {"NO_COLOR": "1"}))
    assert code == DONE and re.search(r"\033\[\dA", said) and "+ one" in said
    assert ("\033[32m" in said) == colours
    assert "\033[2J" not in said  # what programs say does not act on the terminal
    plain = re.sub(r"\033\[[0-9;]*[A-Za-z]", "", said)
    assert max(len(line.strip("\r")) for line in plain.split("\n") if "has succeeded" not in line) <= 200


def test_another_terminal_can_follow_it(tmp_path):
    bench = Bench(tmp_path, **SLOW)
    running = hold(bench)
    seen = []
    follower = bench.start("status", "--follow")
    reader = threading.Thread(target=lambda: seen.extend(follower.stdout))
    reader.start()
    until(lambda: any("step-started s/two" in line for line in seen), "the follower shows the step")
    (tmp_path / "hold").unlink()
    assert running.wait(timeout=60) == DONE and follower.wait(timeout=60) == DONE
    reader.join()
    assert "run-ended" in seen[-1]


def test_the_pipeline_of_this_repository_is_read_whole():
    done = subprocess.run([PRISM, "pipeline", "run", "--dry-run", "--json", "--root", ROOT], capture_output=True, text=True, timeout=60, env=ENV)
    assert done.returncode == DONE, done.stderr
    steps = [s["step"] for s in json.loads(done.stdout)["steps"]]
    for environment in "dev", "staging", "prod":
        first, second = (steps.index(f"{environment}/{wave}/{region}/apply") for wave, region in (("first", "eu-west-1"), ("second", "us-east-1")))
        assert steps.index(f"{environment}/plan") < steps.index(f"{environment}/approve") < steps.index(f"{environment}/apply") < first < second
        assert first < steps.index(f"{environment}/first/bake") < second < steps.index(f"{environment}/second/bake")


def test_runs_are_kept_in_s3_all_the_same(tmp_path):
    with emulator() as port:
        endpoint = f"http://127.0.0.1:{port}"
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="testing",
                     aws_secret_access_key="testing").create_bucket(Bucket="runs")
        bench = Bench(tmp_path, **SLOW)
        bench.state, bench.env = "s3://runs/delivery", bench.env | keys | {"AWS_ENDPOINT_URL": endpoint}
        running = hold(bench)
        assert bench("run", who="bob").returncode == REFUSED
        running.kill()
        running.communicate()
        (tmp_path / "hold").unlink()
        assert bench("resume").returncode == DONE
        assert (tmp_path / "log").read_text().split() == ["1", "2", "3"]
        assert bench("history", "--check").returncode == DONE
        assert {entry["event"] for entry in bench.history()} >= {"run-started", "held", "step-done", "run-ended"}


def image(folder):
    """An image as `prism package` lays it out: (digest of its manifest, the manifest)."""
    blobs = folder / "images" / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return digest

    def part(kind, data):
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{put(data)}", "size": len(data)}

    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                           "config": part("config.v1+json", b'{"architecture":"arm64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'),
                           "layers": [part("layer.v1.tar+gzip", gzip.compress(b"one")), part("layer.v1.tar+gzip", gzip.compress(b"two"))]}).encode()
    return put(manifest), manifest


def test_images_go_to_the_registry_from_wherever_the_release_lies(tmp_path):
    package = tmp_path / "package"
    digest, manifest = image(package)
    (package / "artifacts.tfvars.json").write_text(json.dumps({"artifacts": {"query": {"kind": "image", "sha256": digest}}}))
    with registry(tmp_path) as port:
        bench = Bench(tmp_path / "root", stages=[{"name": "s", "steps": [
            {"name": "release", "action": "release", "with": {"package": str(package), "source": "test"}},
            {"name": "publish", "action": "publish", "with": {"to": str(tmp_path / "there")}},
            step("gone", "rm", "-r", str(package / "images")),
            {"name": "images", "action": "images", "with": {"to": f"http://127.0.0.1:{port}/prism"}},
            {"name": "again", "action": "images", "with": {"to": f"http://127.0.0.1:{port}/prism"}},
            {"name": "nowhere", "action": "images"}]}])
        done = bench("run")
        assert done.returncode == DONE, done.stderr
        of = f"http://127.0.0.1:{port}/v2/prism/query"
        there = requests.get(f"{of}/manifests/sha256:{digest}", headers={"Accept": "application/vnd.oci.image.manifest.v1+json"}, timeout=60)
        assert (there.status_code, there.content) == (200, manifest)
        for part in json.loads(manifest)["layers"]:
            blob = requests.get(f"{of}/blobs/{part['digest']}", timeout=60).content
            assert f"sha256:{hashlib.sha256(blob).hexdigest()}" == part["digest"]
        results = {s["step"]: s.get("result") for s in bench.status()["stages"][0]["steps"]}
        assert results["s/images"]["summary"] == "1 images, 3 blobs sent, 0 there" and results["s/again"]["summary"] == "1 images, 0 blobs sent, 3 there"
        assert "skipped" in results["s/nowhere"]
        (tmp_path / "there" / "images" / "blobs" / "sha256" / digest).write_bytes(b"{}")
        (tmp_path / "there" / "release.json").write_bytes((tmp_path / "there" / "releases" / bench.status()["release"] / "release.json").read_bytes())
        bench.write({"version": 1, "stages": [{"name": "s", "steps": [{"name": "images", "action": "images", "with": {"to": f"http://127.0.0.1:{port}/prism"}}]}]})
        bad = bench("run", "--release", tmp_path / "there")
        assert bad.returncode == ENDED_BADLY and "is not what was released" in bad.stderr
