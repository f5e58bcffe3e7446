"""The whole of platform/pipeline.json: dev, staging, prod, two regions each, every gate approved by somebody else, functions rolled out in
two regions of this machine under requests. Terraform is a program that answers as it does; `make rehearse-delivery` has the real one.

Then a change that is bad, and one whose pipeline is killed at every step: the list of kills is the list of steps."""

import contextlib
import json
import pathlib
import shutil
import subprocess

import pytest

from conftest import PRISM, ROOT
from delivery_kit import DONE, ENDED_BADLY, ENVIRONMENTS, REGIONS, US, Callers, Fleet, Rehearsal, before_the_built_one, stand_in, story
from rollout_kit import release
from signer_kit import SignerStandIn

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is missing: run tools/setup test")

@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    fleet = Fleet(tmp_path_factory.mktemp("fleet") / "data").up()
    yield fleet
    fleet.down()


@pytest.fixture(scope="module")
def rehearse(tmp_path_factory, fleet):
    """rehearse(name): an own store of runs, an own Terraform and AWS Signer, with the fleet's regions as those of every environment."""
    signers = contextlib.ExitStack()

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        (folder / "artifacts").mkdir()
        signer = signers.enter_context(SignerStandIn(folder / "artifacts"))
        made = Rehearsal(folder, {"PRISM_STATE_BUCKET": "states", "PRISM_STATE_REGION": US, **signer.environment})
        made.overlay["actions"]["sign"] = {"every_s": 1}
        made.terraform = stand_in(folder / "terraform")
        made.lead_to(lambda environment, region: fleet.socket(region), bake_s=1, requests_min=20, quiet_s=60, slower_percent=100000)
        made.overlay["actions"]["terraform-plan"] = {"program": str(made.terraform / "terraform")}
        made.overlay["actions"]["publish"] = {"to_variable": None, "to": str(folder / "artifacts")}
        return made

    with signers:
        yield make


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """package(name, how it misbehaves): a release's ZIP of `catalog`, in front of the built one."""
    return lambda name, **how: release(tmp_path_factory.mktemp(name), catalog=f"{before_the_built_one('catalog', **how)}# {name}\n")


def live(fleet):
    return {name: fleet.live(name) for name in REGIONS}


@pytest.fixture(scope="module")
def first(rehearse, package, fleet):
    """The first delivery, undisturbed."""
    made = rehearse("undisturbed")
    made.release_is(package("first"))
    made.before = live(fleet)
    with Callers([fleet]) as callers:
        made.done = made.drive()
    made.callers, made.run = callers, made.status()
    made.now = live(fleet)
    return made


def test_a_change_goes_from_dev_to_staging_to_prod(first):
    assert first.done.returncode == DONE, first.done.stderr[-3000:]
    good, bad = first.callers.counted()
    assert good > 100 and bad <= good / 1000, first.callers.bad[:5]
    assert all(first.now[name] != first.before[name] and not first.now[name][1] for name in REGIONS)
    log = first.history()
    assert log[0]["data"]["overlay"]["why"] == "rehearsal", "what is otherwise than the pipeline's file says is in the log"
    assert {e["release"] for e in log if e["event"] == "stage-done" and e["stage"] in ENVIRONMENTS} == {first.run["release"]}
    approved = [e for e in log if e["event"] == "approved"]
    assert [e["step"] for e in approved] == [s for s in first.steps() if s.endswith("/approve")], "every gate, in order"
    assert all(e["who"] == "bob" and e["plan"] for e in approved)
    assert [s["stage"] for s in first.run["stages"] if s["done"]] == ["build", "dev", "promote-staging", "staging", "promote-prod", "prod"]
    bakes = {s["step"]: s["result"] for stage in first.run["stages"] for s in stage["steps"] if s["step"].endswith("/bake")}
    assert len(bakes) == 6 and all(result["requests"] >= 100 for step, result in bakes.items() if not step.startswith("dev/"))
    signed = {s["step"]: s["result"] for stage in first.run["stages"] for s in stage["steps"] if s["step"].endswith("/sign")}
    assert all(("skipped" in result) == step.startswith("dev/") for step, result in signed.items()) and len(signed) == 6
    # Which the stand-in of Terraform was given, or it would not have planned: tests/sys/test_signing.py.
    copies = {(step.split("/")[2], result["signed"]["catalog"]["signed_sha256"]) for step, result in signed.items() if "signed" in result}
    assert len(copies) == len(REGIONS) == len({digest for _, digest in copies}), "a copy for each region; here all environments have one profile and bucket"
    place = pathlib.Path(first.run["place"])
    assert place.name == first.run["release"] and json.loads((place / "release.sig").read_text())["algorithm"] == "ed25519", "the signature goes along"
    assert first("history", "--check").returncode == DONE


def test_drift_knows_what_the_pipeline_delivered(first):
    done = subprocess.run([PRISM, "drift", "-e", "dev", "--state", first.state, "--terraform", first.terraform / "terraform", "--platform", ROOT / "platform",
                           "--infra", ROOT / "infra"], env=first.env, capture_output=True, text=True, timeout=120, cwd=first.root)
    assert done.returncode == DONE and done.stdout.count("no drift") >= 1, done.stdout + done.stderr


def went_back(made, package, step, why):
    """A delivery that ends badly at that step: its stage is taken back, and the log says why."""
    made.release_is(package)
    done = made.drive()
    assert done.returncode == ENDED_BADLY and why in done.stderr, done.stderr[-3000:]
    log = made.history(made.status()["run"])
    back, = (e for e in log if e["event"] == "going-back")
    assert back["data"]["step"] == step and why in back["data"]["why"]
    assert [e["event"] for e in log[-3:-1]] == ["undo-done", "went-back"] or log[-2]["event"] == "went-back", [e["event"] for e in log]
    assert {e["step"] for e in log if e["event"] == "undo-started"} <= {e["step"] for e in log if e["event"] == "step-started"}
    assert not any(e["event"] == "stage-done" and e["stage"] == "dev" for e in log)
    return log


def test_a_worse_version_takes_its_stage_back(first, package, fleet):
    before = live(fleet)
    with Callers([fleet]) as callers:
        log = went_back(first, package("worse", error_rate=0.9), "dev/first/eu-west-1/rollout", "catalog went back")
    assert live(fleet) == before
    assert "errors: " in next(e for e in log if e["event"] == "step-failed")["data"]["error"]
    assert any(e["event"] == "undo-done" and e["step"] == "dev/first/eu-west-1/rollout" for e in log)
    good, bad = callers.counted()
    assert good > 100 and bad < good, callers.bad[:5]  # how many of a thousand is what the rehearsal measures, over minutes


def test_terraform_that_fails_half_way_takes_its_stage_back(first, package, fleet):
    before = live(fleet)
    (first.terraform / "fail").touch()
    log = went_back(first, package("unlucky"), "dev/first/eu-west-1/apply", "half of it is there")
    assert any(e["event"] == "undo-done" and e["step"] == "dev/first/eu-west-1/apply" and "is back at release" in e["data"]["result"]["summary"] for e in log)
    assert live(fleet) == before


def test_what_was_delivered_is_rolled_back(first, package, fleet):
    """`prism rollback` of one environment: the aliases go first, then Terraform, then what that made gets the calls."""
    before = {name: fleet.code(name) for name in REGIONS}
    first.release_is(package("regretted"))
    rollout = first.overlay["actions"]["rollout"]
    first.overlay["actions"]["rollout"] = {**rollout, "bake_s": 0, "requests_min": 0}
    done = first.drive(first.begin("--until", "dev"))
    first.overlay["actions"]["rollout"] = rollout
    assert done.returncode == DONE, done.stderr[-3000:]
    assert all(fleet.code(name) != before[name] for name in REGIONS)
    with Callers([fleet]) as callers:
        done = first.roll_back("--environment", "dev")
    assert done.returncode == DONE, done.stderr[-3000:]
    run = first.status()
    assert run["release"] == first.run["release"] and run["outcome"] == "succeeded"
    steps = [s["step"] for s in run["stages"][0]["steps"] if s["state"] == "done" and f"/{US}/" in s["step"]]
    assert [step.rsplit("/", 1)[1] for step in steps] == ["plan", "approve", "aliases", "apply", "rollout"]
    assert {name: fleet.code(name) for name in REGIONS} == before and not any(weights for _, weights in live(fleet).values())
    assert first("history", "--check").returncode == DONE
    good, bad = callers.counted()
    assert good > 0 and bad <= good / 1000, callers.bad[:5]


def outline(run):
    """What a run came to, until dev is done: of each step its state and what it was about."""
    return [(s["step"], s["state"], {k: v for k, v in s.get("result", {}).items() if k in ("digest", "changes", "summary", "baked_s", "plan")})
            for stage in run["stages"][:2] for s in stage["steps"] if not s["step"].endswith(("/rollout", "/release"))]


def until_dev(entries):
    told = [(event, step) for event, step, _ in story(entries) if event != "run-ended"]
    return told[:told.index(("stage-done", "dev")) + 1]


def test_killed_at_every_step_it_ends_as_undisturbed(first, rehearse, package, fleet):
    """As far as dev: tests/unit/delivery/pipeline/test_resume_whole.c kills all of the list, with actions of its own."""
    made = rehearse("killed")
    made.release_is(package("killed"))
    before = live(fleet)
    steps = [step for step in made.steps() if step.startswith(("build/", "dev/"))]
    kills = {("step-started", step) for step in steps}
    with Callers([fleet]) as callers:
        done, killed = made.drive_killed(1, kills, "--until", "dev")
    assert done.returncode == DONE, done.stderr[-3000:]
    assert {step for _, step in killed} == set(steps), sorted(kills - set(killed))
    run = made.status()
    assert outline(run) == outline(first.run) and run["outcome"] == "succeeded"
    assert until_dev(made.history(1)) == until_dev(first.history(1))
    assert all(fleet.live(name) != before[name] and not fleet.live(name)[1] for name in REGIONS)
    assert made("history", "--check").returncode == DONE
    good, bad = callers.counted()
    assert bad <= good / 1000, callers.bad[:5]
