"""What a rehearsal is played in: an AWS or a program in place of Terraform, two regions of this machine for each environment, a store of runs. It can
be left as it stands and come back to: `world.json` says what was played and what was on its way."""

import contextlib
import json
import threading
import time

import aws
import kit
from delivery_kit import REGIONS, Callers, Fleet, Rehearsal, before_the_built_one, stand_in
from releases import package, tree
from signer_kit import SignerStandIn

FUNCTION = "ingest"  # that changes: a ZIP, as all but those with DuckDB
# Per cent that a p90 may be in a rollout. The first calls of new instances are slow where the machine has other things to do, and a version that is
# tried has no others; so it is looked at where it is what the act is about, and a change that is bad there is 25 times as slow.
SLOWER, NO_MATTER = 400, 100000
MIX = (2, 6, 2)  # of requests: lists, records, queries
QUICK_S, CALM_S = 0.005, 0.25  # between two requests of a caller


class World:
    def __init__(self, folder, report, stages, requests, real):
        self.folder, self.report, self.until, self.requests, self.step = folder, report, stages[-1], requests, ""
        kept = folder / "world.json"
        self.kept = json.loads(kept.read_text()) if kept.exists() else {"real": real, "right": [], "fleets": {}, "doing": None}
        if self.kept["real"] != real:
            raise SystemExit(f"{folder} was begun {'with' if self.kept['real'] else 'without'} Terraform")
        if not (folder / "tree").exists():
            tree(folder / "tree")
        self.fleets = {name: self.fleet(name) for name in stages}
        self.rehearsal = r = Rehearsal(folder / "delivery", {"PRISM_STATE_BUCKET": kit.STATE_BUCKET, "PRISM_STATE_REGION": kit.HOME})
        r.lead_to(lambda environment, region: f"unix:{folder}/fleets/{environment}/regions/{region}/region.sock", bake_s=5, requests_min=40, quiet_s=10,
                  slower_percent=NO_MATTER)
        (self.on_aws if real else self.on_nothing)(folder, r)
        report.say(f"{'an emulator of AWS' if real else 'a program in place of Terraform'}, and two regions of this machine for each of {', '.join(stages)}")

    # -- what it is made of --

    def fleet(self, name):
        fleet, known = Fleet(self.folder / "fleets" / name, self.folder / "tree" / "prism"), self.kept["fleets"].get(name)
        if known:
            return fleet.again(**known)
        fleet.up()
        self.keep(fleets={**self.kept["fleets"], name: {"port": fleet.port, "keys": fleet.keys}})
        return fleet

    def on_aws(self, folder, r):
        there = aws.start(folder)
        r.env.update(there["environment"])
        r.overlay["actions"]["terraform-plan"] = {"program": there["terraform"], "parallelism": 60}
        for environment in aws.ENVIRONMENTS:
            r.overlay["steps"][f"{environment}/publish"] = {"to_variable": None, "to": f"s3://prism-{environment}-artifacts-use1-{kit.ACCOUNT}"}
        self.failure, self.refuse, self.refused = "AccessDenied", folder / "refuse", rf"PUT /2015-03-31/functions/[^/]*-{FUNCTION}[^/]*/code"

    def on_nothing(self, folder, r):
        (folder / "artifacts").mkdir(exist_ok=True)
        r.env.update(SignerStandIn(folder / "artifacts").__enter__().environment)  # for as long as this process
        place = folder / "terraform"
        if not place.exists():
            stand_in(place)
        r.overlay["actions"].update({"terraform-plan": {"program": str(place / "terraform")}, "publish": {"to_variable": None, "to": str(folder / "artifacts")}})
        self.failure, self.refuse, self.refused = "half of it is there", place / "fail", ""

    @contextlib.contextmanager
    def failing_half_way(self):
        self.refuse.write_text(self.refused)
        try:
            yield
        finally:
            self.refuse.unlink(missing_ok=True)

    def close(self):
        for fleet in self.fleets.values():
            fleet.down()
        aws.stop(self.folder)

    @staticmethod
    def end(folder):
        """What runs in a folder of which nothing else is known."""
        for place in (folder / "fleets").glob("*"):
            Fleet(place, folder / "tree" / "prism").down()
        aws.stop(folder)

    # -- what is kept --

    def keep(self, **what):
        self.kept.update(what)
        new = self.folder / "world.json.new"
        new.write_text(json.dumps(self.kept, indent=1))
        new.rename(self.folder / "world.json")

    def doing(self, act, **what):
        """What is to be known of an act when it is gone on with later; what was noted when it began."""
        if not (self.kept["doing"] and self.kept["doing"]["act"] == act):
            run = self.rehearsal.begun() + 1
            self.keep(doing={"act": act, "run": run, **{k: v() for k, v in what.items()}})
        return self.kept["doing"]

    def done(self, act, right):
        self.keep(doing=None, right=sorted({*self.kept["right"], act} if right else {*self.kept["right"]} - {act}))

    # -- what can be seen --

    def live(self, environment):
        """Of each region: the version that has the calls, what is on its way, the code."""
        fleet = self.fleets[environment]
        return {name: [*fleet.live(name, FUNCTION), fleet.code(name, FUNCTION)] for name in REGIONS}

    # -- what is done --

    def release(self, name, **how):
        other = f"# {name}\n".encode()
        first = f"{before_the_built_one(FUNCTION, **how)}# {name}\n" if how else other
        self.rehearsal.release_is(package(self.folder / "packages" / name, {FUNCTION: first, "keys": other}))

    def pause_of(self, fleet):
        """Terraform has no use for requests, and the machine is one: many of them while versions are tried, a few else."""
        return QUICK_S if self.step.startswith(f"{fleet.data.name}/") and self.step.endswith(("/rollout", "/bake")) or not self.step else CALM_S

    @contextlib.contextmanager
    def callers(self, environments):
        over = threading.Event()

        def follow():
            while not over.wait(0.2):
                self.step = self.rehearsal.step_now() or "none"
            self.step = ""

        following = threading.Thread(target=follow)
        self.step = "none"
        with Callers([self.fleets[name] for name in environments], threads=2, mix=MIX, pause_of=self.pause_of) as callers:
            following.start()
            try:
                yield callers
            finally:
                over.set()
                following.join()
            # A bad version is found by its first dozen of failures, however many calls there are; what they are a share of has to be said.
            while sum(callers.counted()) < self.requests:
                time.sleep(0.5)

    def deliver(self, environments, **how):
        """One change of FUNCTION and of `keys`, under requests of those environments' regions; or the rest of one. (exit code and words, callers)"""
        r, doing = self.rehearsal, self.kept["doing"]
        name = f"{doing['act']}-{doing['run']}"
        with self.callers(environments) as callers:
            if r.begun() >= doing["run"]:
                done = r.drive_rest()
            else:
                if not (self.folder / "packages" / name / "artifacts.tfvars.json").exists():
                    self.release(name, **how)
                r.release_is(self.folder / "packages" / name)
                done = r.drive(r.begin("--until", self.until if len(environments) > 1 else environments[0]))
        return done, callers
