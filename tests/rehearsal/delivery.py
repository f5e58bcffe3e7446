#!/usr/bin/env python3
"""make rehearse-delivery - the project's own platform/pipeline.json, dev to staging to prod, with what can be had without AWS.

  Terraform, provider, state, lock, artifacts   the real programs on an emulator of AWS (tests/infra/emulator), both regions
  rollouts, bakes, alarms, requests             `prism up --regions` for each environment: Lambda's and CloudWatch's protocols on its sockets
  approvals, promotion, ways back, audit log    `prism pipeline` itself

An overlay (docs/design/pipeline.md) leads the steps there and shortens times; the list is the file's. Then changes that are bad, each under
requests, and one whose pipeline is killed at every step. What happened is printed stage by stage; the exit code is 1 when it was not as it should be."""

import argparse
import pathlib
import shutil
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "sys"), str(ROOT / "tests" / "infra"), str(ROOT / "tests" / "rehearsal")]

import kit  # noqa: E402
from aws import Gate, Replication, package, tree  # noqa: E402
from delivery_kit import DONE, ENDED_BADLY, ENVIRONMENTS, REGIONS, Callers, Fleet, Rehearsal, before_the_built_one, stand_in, story  # noqa: E402
from region_kit import control  # noqa: E402

import conftest  # noqa: E402

PER_THOUSAND = 1  # requests that may fail of a thousand
FUNCTION = "ingest"  # that changes: a ZIP, as all but those with DuckDB
SLOWER = 100  # per cent that a p90 may be in a rollout: the machine has other things to do
MIX = (2, 6, 2)  # of requests: lists, records, queries


class Report:
    def __init__(self):
        self.began, self.wrong = time.time(), []

    def say(self, text=""):
        print(f"{time.time() - self.began:7.0f} s  {text}", flush=True)

    def check(self, holds, what):
        self.say(f"{'   ok' if holds else 'WRONG'}  {what}")
        if not holds:
            self.wrong.append(what)

    def run(self, run):
        """Stage by stage: how its steps ended and how long they took."""
        seconds = lambda s: (parse(s["ended"]) - parse(s["began"])) if s.get("ended") and s.get("began") else 0
        parse = lambda text: time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
        for stage in run["stages"]:
            steps = [s for s in stage["steps"] if s["state"] not in ("pending", "skipped")]
            if steps:
                self.say(f"         {stage['stage']}: {sum(s['state'] == 'done' for s in steps)} of {len(stage['steps'])} steps done")
            for s in steps:
                more = s.get("result", {}).get("summary") or s.get("error", "")
                self.say(f"           {s['step']:34} {s['state']:12} {seconds(s):5.0f} s  {more.splitlines()[0][:110] if more else ''}")

    def requests(self, callers):
        good, bad = callers.counted()
        share = 100 * good / max(good + bad, 1)
        self.check(good + bad > 0 and bad * 1000 <= PER_THOUSAND * (good + bad), f"{good + bad} requests meanwhile, {bad} failed: {share:.3f} % succeeded")
        for wrong in callers.bad[:3]:
            self.say(f"           {wrong}")


class World:
    """The emulator, the fleets, and a rehearsal on them."""

    def __init__(self, folder, report, stages, chosen):
        self.folder, self.report, self.until, self.requests, self.started = folder, report, stages[-1], chosen.requests, []
        real = not chosen.without_terraform
        program = tree(folder / "tree")
        self.fleets = {name: Fleet(folder / "fleets" / name, program).up() for name in stages}
        self.rehearsal = r = Rehearsal(folder / "delivery", {"PRISM_STATE_BUCKET": kit.STATE_BUCKET, "PRISM_STATE_REGION": kit.HOME})
        r.lead_to(lambda environment, region: f"unix:{folder}/fleets/{environment}/regions/{region}/region.sock", bake_s=5, requests_min=40, quiet_s=10,
                  slower_percent=SLOWER)
        (self.on_aws if real else self.on_nothing)(folder, r)
        report.say(f"{'an emulator of AWS' if real else 'a program in place of Terraform'}, and two regions of this machine for each of {', '.join(stages)}")

    def on_aws(self, folder, r):
        emulator = kit.Emulator(folder / "emulator.log")
        emulator.client("s3").create_bucket(Bucket=kit.STATE_BUCKET)
        gate = Gate(emulator.url)
        self.started = [Replication(emulator, ENVIRONMENTS), gate, emulator]
        r.env.update({**emulator.environment(), "AWS_ENDPOINT_URL": gate.url, "TF_CLI_CONFIG_FILE": str(kit.PROVIDERS)})
        r.overlay["actions"]["terraform-plan"] = {"program": str(kit.TERRAFORM), "parallelism": 60}
        for environment in ENVIRONMENTS:
            r.overlay["steps"][f"{environment}/publish"] = {"to_variable": None, "to": f"s3://prism-{environment}-artifacts-use1-{kit.ACCOUNT}"}

        def refuse(what):
            gate.refuse = what

        self.fail_half_way = lambda on: refuse(rf"PUT /2015-03-31/functions/[^/]*-{FUNCTION}[^/]*/code" if on else None)
        self.failure = "AccessDenied"

    def on_nothing(self, folder, r):
        place = stand_in(folder / "terraform")
        r.overlay["actions"].update({"terraform-plan": {"program": str(place / "terraform")}, "publish": {"to_variable": None, "to": str(folder / "artifacts")}})
        self.fail_half_way = lambda on: (place / "fail").touch() if on else (place / "fail").unlink()
        self.failure = "half of it is there"

    def close(self):
        for fleet in self.fleets.values():
            fleet.down()
        for part in self.started:
            part.stop()

    def live(self, environment):
        return {name: self.fleets[environment].live(name, FUNCTION) for name in REGIONS}

    def release(self, name, **how):
        other = f"# {name}\n".encode()
        first = f"{before_the_built_one(FUNCTION, **how)}# {name}\n" if how else other
        self.rehearsal.release_is(package(self.folder / "packages" / name, {FUNCTION: first, "keys": other}))

    def callers(self, environments):
        return Callers([self.fleets[name] for name in environments], threads=2, mix=MIX)

    def deliver(self, name, environments, **how):
        """One change of FUNCTION and of `keys`, under requests of those environments' regions. (exit code and words, callers)"""
        self.release(name, **how)
        with self.callers(environments) as callers:
            done = self.rehearsal.drive(self.rehearsal.begin("--until", self.until))
            # A bad version is found by its first dozen of failures, however many calls there are; what they are a share of has to be said.
            while sum(callers.counted()) < self.requests:
                time.sleep(0.5)
        return done, callers


# ---- acts ----

def good(world, report, stages):
    report.say("ACT a good change, from nothing, under requests of all regions")
    before = {name: world.live(name) for name in stages}
    done, callers = world.deliver("good", stages)
    run = world.rehearsal.status()
    report.run(run)
    report.check(done.returncode == DONE, f"it was delivered: {done.stderr.strip().splitlines()[-1]}")
    if done.returncode != DONE:
        return
    report.requests(callers)
    for name in stages:
        now = world.live(name)
        report.check(all(now[r] != before[name][r] and not now[r][1] for r in REGIONS), f"{name}: both regions run the new version")
    log = world.rehearsal.history(run["run"])
    approved = [e for e in log if e["event"] == "approved"]
    report.check(approved and all(e["who"] == "bob" and e.get("plan") for e in approved), f"{len(approved)} plans were approved by bob, each by its digest")
    delivered = {e["stage"]: e["release"] for e in log if e["event"] == "stage-done" and e["stage"] in stages}
    report.check(set(delivered.values()) == {run["release"]} and set(delivered) == set(stages), f"the same release {run['release']} everywhere: {', '.join(delivered)}")
    report.check(world.rehearsal("history", "--check").returncode == DONE, "the audit log is whole")


def went_back(world, report, name, step, why, done, callers, before):
    """A bad change in dev: taken back by itself, and the log tells it."""
    run = world.rehearsal.status()
    report.run(run)
    log = world.rehearsal.history(run["run"])
    back = [e for e in log if e["event"] == "going-back"]
    report.check(done.returncode == ENDED_BADLY, f"{name}: the run failed and went back by itself")
    report.check(bool(back) and back[0]["data"]["step"] == step and why in back[0]["data"]["why"], f"the log says why: {back[0]['data']['why'][:160] if back else 'nothing'}")
    undone = [e["step"] for e in log if e["event"] == "undo-done"]
    report.check(log[-1]["event"] == "run-ended" and any(e["event"] == "went-back" for e in log), f"taken back: {', '.join(undone) or 'nothing had begun'}")
    left = run.get("left") or []
    report.check(not left, f"nothing is left for a person to do{': ' + '; '.join(left) if left else ''}")
    report.check(world.live("dev") == before, "both regions run what they ran before")
    report.requests(callers)


def errors(world, report, stages):
    report.say("ACT a change that answers every second call with an error")
    before, rollout = world.live("dev"), world.rehearsal.overlay["actions"]["rollout"]
    rollout["slower_percent"] = 100000  # what stands before the function takes its time as well, and it is errors that are looked for here
    done, callers = world.deliver("errors", ["dev"], error_rate=0.5)
    rollout["slower_percent"] = SLOWER
    went_back(world, report, "errors", "dev/first/eu-west-1/rollout", "errors: ", done, callers, before)


def latency(world, report, stages):
    report.say("ACT a change that takes 300 ms longer")
    before = world.live("dev")
    done, callers = world.deliver("latency", ["dev"], sleep_s=0.3)
    went_back(world, report, "latency", "dev/first/eu-west-1/rollout", "latency: ", done, callers, before)


def alarm(world, report, stages):
    """The version itself is fine; calls of an older, broken one make the function's alarm fire."""
    report.say("ACT a change during which an alarm fires")
    before, stop = world.live("dev"), threading.Event()
    region = conftest.Region(world.fleets["dev"].place("eu-west-1"))
    broken = str(int(before["eu-west-1"][0]) + 1)  # what act `errors` left

    def ring():
        while not stop.wait(0.01):
            if world.fleets["dev"].live("eu-west-1", FUNCTION)[1]:  # on its way
                for _ in range(100):
                    control(region, "POST", f"/2015-03-31/functions/{FUNCTION}/invocations?Qualifier={broken}", {})

    ringing = [threading.Thread(target=ring) for _ in range(4)]
    for thread in ringing:
        thread.start()
    try:
        done, callers = world.deliver("alarm", ["dev"])
    finally:
        stop.set()
        for thread in ringing:
            thread.join()
    went_back(world, report, "alarm", "dev/first/eu-west-1/rollout", "fires", done, callers, before)


def half(world, report, stages):
    report.say("ACT a change whose Terraform fails half-way: AWS refuses the code of one function after others")
    before = world.live("dev")
    world.fail_half_way(True)
    try:
        done, callers = world.deliver("half", ["dev"])
    finally:
        world.fail_half_way(False)
    went_back(world, report, "half", "dev/first/eu-west-1/apply", world.failure, done, callers, before)


def killed(world, report, stages):
    report.say("ACT a good change whose pipeline is killed with SIGKILL at the beginning and at the end of every step, and resumed")
    r = world.rehearsal
    undisturbed = [e for e in r.history(1)]
    before = world.live("dev")
    world.release("killed")
    steps = [s for s in r.steps() if s.startswith(("build/", "dev/"))]
    kills = {(event, step) for step in steps for event in ("step-started", "step-done")}
    with world.callers(["dev"]) as callers:
        done, happened = r.drive_killed(r.status()["run"] + 1, kills, "--until", "dev")
    run = r.status()
    report.run(run)
    report.check(done.returncode == DONE, f"killed {len(happened)} times, it was delivered all the same")
    report.check({s for _, s in happened} == set(steps), f"every step of {len(steps)} was killed")
    plain = lambda entries: [(event, step) for event, step, _ in story(entries) if step in steps and event != "step-waits" and not event.startswith("approved")]
    report.check(plain(r.history(run["run"])) == plain(undisturbed), "its log tells what that of an undisturbed run tells")
    now = world.live("dev")
    report.check(all(now[n] != before[n] and not now[n][1] for n in REGIONS), "both regions run the new version")
    report.requests(callers)
    report.check(r("history", "--check").returncode == DONE, "the audit log is whole")


ACTS = {act.__name__: act for act in (good, errors, latency, alarm, half, killed)}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--until", choices=ENVIRONMENTS, default="prod", help="the last environment of the first act")
    options.add_argument("--acts", default=",".join(ACTS), help=f"of {', '.join(ACTS)}; the first is always played")
    options.add_argument("--without-terraform", action="store_true", help="a program answers in its place: minutes instead of an hour")
    options.add_argument("--requests", type=int, default=15000, help="at least so many of them in each act")
    options.add_argument("--folder", help="where everything is put and left")
    chosen = options.parse_args()
    stages = ENVIRONMENTS[:ENVIRONMENTS.index(chosen.until) + 1]
    folder = pathlib.Path(chosen.folder or tempfile.mkdtemp(prefix="prism-rehearsal-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    world = World(folder, report, stages, chosen)
    try:
        for name, act in ACTS.items():
            if name == "good" or name in chosen.acts.split(","):
                act(world, report, stages)
                if name == "good" and report.wrong:
                    break
    finally:
        world.close()
    (folder / "history.txt").write_text(world.rehearsal("history").stdout)
    report.say(f"{'all as it should be' if not report.wrong else f'{len(report.wrong)} things were not as they should be:'}")
    for what in report.wrong:
        report.say(f"  WRONG  {what}")
    if chosen.folder or report.wrong:
        report.say(f"{folder} has the log (history.txt), the store, the regions")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
