"""The acts of a rehearsal: each a change, what happens to it, and what has to be so afterwards."""

import threading
import time

import conftest
from delivery_kit import DONE, ENDED_BADLY, REGIONS, WAVES, story
from region_kit import control
from rollout_kit import client, publish, write_version
from world import FUNCTION, NO_MATTER, SLOWER

PER_THOUSAND = 1  # requests that may fail of a thousand
FIRST = "eu-west-1"


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


def delivered(world, report, run, stages, before):
    """The new version has the calls in all regions of those environments, and the log is whole."""
    for name in stages:
        now = world.live(name)
        report.check(all(now[r][0] != before[name][r][0] and not now[r][1] for r in REGIONS), f"{name}: both regions run the new version")
    log = world.rehearsal.history(run["run"])
    approved = [e for e in log if e["event"] == "approved"]
    report.check(approved and all(e["who"] == "bob" and e.get("plan") for e in approved), f"{len(approved)} plans were approved by bob, each by its digest")
    releases = {e["stage"]: e["release"] for e in log if e["event"] == "stage-done" and e["stage"] in stages}
    report.check(set(releases.values()) == {run["release"]} and set(releases) == set(stages), f"the same release {run['release']} everywhere: {', '.join(releases)}")
    report.check(world.rehearsal("history", "--check").returncode == DONE, "the audit log is whole")


def last_line(done):
    return (done.stderr.strip().splitlines() or [done.returncode])[-1]


def good(world, report, stages):
    report.say("ACT good: a change, from nothing, under requests of all regions")
    doing = world.doing("good", before=lambda: {name: world.live(name) for name in stages})
    done, callers = world.deliver(stages)
    run = world.rehearsal.status()
    report.run(run)
    report.check(done.returncode == DONE, f"it was delivered: {last_line(done)}")
    if done.returncode != DONE:
        return
    world.keep(good=run["run"])
    report.requests(callers)
    delivered(world, report, run, stages, doing["before"])


def went_back(world, report, step, why, done, callers, doing):
    """A bad change in dev: taken back by itself, and the log tells it."""
    run = world.rehearsal.status()
    report.run(run)
    log = world.rehearsal.history(run["run"])
    back = [e for e in log if e["event"] == "going-back"]
    report.check(done.returncode == ENDED_BADLY, f"{doing['act']}: the run failed and went back by itself")
    report.check(bool(back) and back[0]["data"]["step"] == step and why in back[0]["data"]["why"], f"the log says why: {back[0]['data']['why'][:160] if back else 'nothing'}")
    undone = [e["step"] for e in log if e["event"] == "undo-done"]
    report.check(log[-1]["event"] == "run-ended" and any(e["event"] == "went-back" for e in log), f"taken back: {', '.join(undone) or 'nothing had begun'}")
    left = run.get("left") or []
    report.check(not left, f"nothing is left for a person to do{': ' + '; '.join(map(str, left)) if left else ''}")
    report.check(world.live("dev") == doing["before"], "both regions run what they ran before")
    report.requests(callers)


def bad_change(world, act):
    return world.doing(act, before=lambda: world.live("dev"))


def errors(world, report, stages):
    report.say("ACT errors: a change that answers every second call with an error")
    doing = bad_change(world, "errors")
    done, callers = world.deliver(["dev"], error_rate=0.5)
    went_back(world, report, f"dev/first/{FIRST}/rollout", "errors: ", done, callers, doing)


def latency(world, report, stages):
    report.say("ACT latency: a change that takes 300 ms longer")
    doing, rollout = bad_change(world, "latency"), world.rehearsal.overlay["actions"]["rollout"]
    rollout["slower_percent"] = SLOWER
    done, callers = world.deliver(["dev"], sleep_s=0.3)
    rollout["slower_percent"] = NO_MATTER
    went_back(world, report, f"dev/first/{FIRST}/rollout", "latency: ", done, callers, doing)


class Ringing:
    """Calls of a broken version that nobody else calls, while another is on its way: they make the function's alarm fire."""

    def __init__(self, fleet, broken):
        self.fleet, self.region, self.broken = fleet, conftest.Region(fleet.place(FIRST)), broken
        self.over, self.on = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=run) for run in (self.watch, *[self.ring] * 4)]

    def watch(self):
        while not self.over.wait(0.2):
            (self.on.set if self.fleet.live(FIRST, FUNCTION)[1] else self.on.clear)()

    def ring(self):
        while not self.over.is_set():
            if self.on.wait(0.2):
                control(self.region, "POST", f"/2015-03-31/functions/{FUNCTION}/invocations?Qualifier={self.broken}", {})

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def alarm(world, report, stages):
    report.say("ACT alarm: a change that is fine itself, during which an alarm fires")
    doing, fleet = bad_change(world, "alarm"), world.fleets["dev"]
    with client(conftest.Region(fleet.place(FIRST))) as api:
        broken = publish(api, write_version(world.folder / "broken", "broken", error_rate=1.0), FUNCTION)
    with Ringing(fleet, broken):
        done, callers = world.deliver(["dev"])
    went_back(world, report, f"dev/first/{FIRST}/rollout", "fires", done, callers, doing)


def half(world, report, stages):
    report.say("ACT half: a change whose Terraform fails half-way: AWS refuses the code of one function after others")
    doing = bad_change(world, "half")
    with world.failing_half_way():
        done, callers = world.deliver(["dev"])
    went_back(world, report, f"dev/first/{FIRST}/apply", world.failure, done, callers, doing)


def rollback(world, report, stages):
    """A change that was delivered, and that somebody takes back afterwards."""
    report.say("ACT rollback: a good change in dev, then `prism rollback` of it")
    doing = world.doing("rollback", before=lambda: world.live("dev"))
    r = world.rehearsal
    if r.begun() <= doing["run"]:
        done, callers = world.deliver(["dev"])
        new = done.returncode == DONE and all(now[2] != doing["before"][n][2] for n, now in world.live("dev").items())
        report.check(new, f"dev runs a new release{'' if new else f': {last_line(done)}'}")
        if not new:
            return
    with world.callers(["dev"]) as callers:
        done = r.drive_rest() if r.begun() > doing["run"] else r.roll_back("--environment", "dev")
    run = r.status()
    report.run(run)
    report.check(done.returncode == DONE, f"it was taken back: {last_line(done)}")
    now = world.live("dev")
    report.check(all(now[n][2] == doing["before"][n][2] and not now[n][1] for n in REGIONS), "both regions run the code of before")
    steps = [s["step"].rsplit("/", 1)[1] for s in run["stages"][0]["steps"] if s["state"] == "done"]
    report.check(steps.count("aliases") == 2 and steps.count("rollout") == 2, "aliases went first, then Terraform, then what it made")
    report.requests(callers)
    report.check(r("history", "--check").returncode == DONE, "the audit log is whole")


def killed(world, report, stages):
    report.say("ACT killed: a good change whose pipeline is killed with SIGKILL at the beginning and end of every step and in the middle of applies, and resumed")
    r = world.rehearsal
    doing = world.doing("killed", before=lambda: world.live("dev"), killed=list)
    name = f"killed-{doing['run']}"
    if not (world.folder / "packages" / name).exists():
        world.release(name)
    r.release_is(world.folder / "packages" / name)
    steps = [s for s in r.steps() if s.startswith(("build/", "dev/"))]
    kills = {(event, step) for step in steps for event in ("step-started", "step-noted", "step-done")}  # noted: Terraform begins to change things
    happened = [tuple(kill) for kill in doing["killed"]]
    with world.callers(["dev"]) as callers:
        try:
            done, happened = r.drive_killed(doing["run"], kills, "--until", "dev", killed=happened)
        finally:
            world.keep(doing={**doing, "killed": happened})
    run = r.status()
    report.run(run)
    report.check(done.returncode == DONE, f"killed {len(happened)} times, it was delivered all the same")
    noted = [step for event, step in happened if event == "step-noted"]
    report.check({s for _, s in happened} == set(steps), f"every step of {len(steps)} was killed, in its middle: {', '.join(noted)}")
    report.check(all(f"dev/{wave}/{region}/apply" in noted for wave, region in WAVES.items()), "the applies of both regions were")
    plain = lambda entries: [(event, step) for event, step, _ in story(entries) if step in steps and event != "step-waits" and not event.startswith("approved")]
    report.check(plain(r.history(run["run"])) == plain(r.history(world.kept["good"])), "its log tells what that of an undisturbed run tells")
    now = world.live("dev")
    report.check(all(now[n][0] != doing["before"][n][0] and not now[n][1] for n in REGIONS), "both regions run the new version")
    report.requests(callers)
    report.check(r("history", "--check").returncode == DONE, "the audit log is whole")


ACTS = {act.__name__: act for act in (good, errors, latency, alarm, half, rollback, killed)}
