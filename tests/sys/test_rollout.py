"""`prism rollout` on a region that is being called: good versions get all calls, bad ones go back by themselves and say why."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from region_kit import ENV_QUICK, control, wait
from rollout_kit import Load, client, publish, release, started, tree_of_versions, version, write_version

# No alarm counts, and no latency unless a test says so: a busy machine makes any version slow.
QUICK = ["--bake", "1s", "--requests", "20", "--poll", "100ms", "--alarms", "none-is-called-so", "--slower", "100000"]


def quick_alarms(root):
    alarm = next(a for a in root["alarms"] if a["id"] == "function-errors")
    alarm.update({"period_s": 5, "periods": 1, "datapoints": 1})


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rollout")
    r = tree_of_versions(folder, env=ENV_QUICK, min=2)
    r.edit("alarms.json", quick_alarms)
    r.store = folder / "delivery"
    r.up()
    yield r
    r.down()


def rollout(tree, verb, *args, check=True):
    return tree.run("rollout", verb, "catalog", "--store", tree.store, *args, check=check, timeout=300)


def status(tree):
    return json.loads(rollout(tree, "status", "--json").stdout)


def weight(tree):
    with client(tree) as api:
        alias = api.get_alias(FunctionName="catalog", Name="live")
    return alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})


def story(tree):
    return [e["what"] for e in status(tree)["events"]]


def went_back(tree, old, *args):
    """A rollout that must end on the old version; its reason."""
    done = rollout(tree, "start", *QUICK, *args, check=False)
    assert done.returncode == 1 and "is back on the old version" in done.stderr, done.stdout + done.stderr
    assert weight(tree) == (old, {})
    assert status(tree)["state"] == "rolled-back" and status(tree)["reason"] in done.stderr
    return status(tree)["reason"]


def test_a_good_version_gets_all_calls_and_not_one_fails(tree, tmp_path):
    with Load(tree) as load:
        done = rollout(tree, "start", "--code", write_version(tmp_path / "good", "good"), *QUICK)
    assert not load.bad and load.versions["good"] > 0 and load.versions["1"] > 0
    number, weights = weight(tree)
    assert number != "1" and weights == {}
    said = status(tree)
    assert said["state"] == "done" and said["alias"] == {"main": int(number), "other": 0, "weight": 0}
    told = story(tree)
    assert [re.sub(r"[:;].*", "", t) for t in told] == [
        "begins", "starts", "gets 10 % of the calls", "step of 10 % was fine", "gets 33 % of the calls", "step of 33 % was fine",
        "gets 100 % of the calls", "step of 100 % was fine", "gets all calls"]
    assert all(t in done.stdout for t in told)
    assert "rollout of" in rollout(tree, "status").stdout
    again = rollout(tree, "start", "--version", number, *QUICK)
    assert "is live already" in again.stdout


@pytest.mark.parametrize("how, more, reason", [
    ({"error_rate": 0.5}, [], "errors: "), ({"sleep_s": 0.4}, ["--slower", "25", "--steps", "33,100"], "latency: p90 is ")], ids=["errors", "latency"])
def test_a_worse_version_goes_back_by_itself(tree, tmp_path, how, more, reason):
    old, _ = weight(tree)
    with Load(tree, threads=4) as load:
        wait(lambda: load.total() > 200, seconds=120)
        why = went_back(tree, old, "--code", write_version(tmp_path / "bad", "bad", **how), "--requests", "100000", *more)
        seen = load.total()
        wait(lambda: load.total() > seen + 200, seconds=120)
    assert why.startswith(reason)
    assert len(load.bad) < 0.1 * load.total(), (len(load.bad), load.total())  # soak-rollout asks for 99.9 %


def test_a_version_that_does_not_start_gets_no_call_at_all(tree, tmp_path):
    old, _ = weight(tree)
    with Load(tree) as load:
        why = went_back(tree, old, "--code", write_version(tmp_path / "dead", "dead", crash=True))
    assert why == "the new version does not start: FUNCTION_ERROR_INIT_FAILURE"
    assert not load.bad
    assert not any("gets" in t for t in story(tree))


def test_an_alarm_takes_it_back(tree, tmp_path):
    old, _ = weight(tree)
    with client(tree) as api:
        bad = publish(api, write_version(tmp_path / "bad", "fails", error_rate=1.0))

    def fire_until_its_end(p):
        """The alarm looks back for five seconds only."""
        while p.poll() is None:
            control(tree, "POST", f"/2015-03-31/functions/catalog/invocations?Qualifier={bad}", {})
            time.sleep(0.2)
        return p.communicate()

    quiet = lambda: not [a for a in tree.status()["alarms"]["firing"] if a["name"].endswith("-function-errors-catalog")]
    wait(quiet, seconds=60)
    code = write_version(tmp_path / "fine", "fine")
    with started(tree, "catalog", "--code", code, "--bake", "10m", "--poll", "100ms", "--slower", "100000") as p:
        wait(lambda: weight(tree)[1], seconds=60)
        _, err = fire_until_its_end(p)
    assert p.returncode == 1 and re.search(r"alarm \S+-function-errors-catalog fires: 1 of the last 1 datapoints", err), err
    assert weight(tree) == (old, {})
    with started(tree, "catalog", "--code", code) as p:
        _, err = fire_until_its_end(p)
    assert p.returncode == 4 and "fires already" in err and weight(tree) == (old, {})
    wait(quiet, seconds=60)


def test_people_pause_resume_promote_and_roll_back(tree, tmp_path):
    old, _ = weight(tree)
    for verb in ("pause", "resume", "promote"):
        assert rollout(tree, verb, check=False).returncode == 4
    code = write_version(tmp_path / "mine", "mine")
    with Load(tree) as load:
        with started(tree, "catalog", "--code", code, *QUICK, "--bake", "10m") as p:
            wait(lambda: weight(tree)[1], seconds=60)
            rollout(tree, "pause")
            number, share = next(iter(weight(tree)[1].items()))
            assert share == pytest.approx(0.1) and status(tree)["paused"]
            p.send_signal(signal.SIGINT)
            p.communicate(timeout=60)
            assert p.returncode == -signal.SIGINT  # and nothing was moved
            assert weight(tree) == (old, {number: share})
        if old != "1":  # the same one again would go on with it
            other = rollout(tree, "start", "--version", "1", *QUICK, check=False)
            assert other.returncode == 4 and "is under way" in other.stderr
        rollout(tree, "promote")
        assert weight(tree) == (number, {}) and status(tree)["state"] == "done"
        rollout(tree, "rollback", "--reason", "on second thoughts")
        assert weight(tree) == (old, {}) and "on second thoughts" in status(tree)["reason"]
        rollout(tree, "rollback")  # again: nothing to do
        with started(tree, "catalog", "--version", number, *QUICK, "--bake", "10m") as p:
            wait(lambda: weight(tree)[1], seconds=60)
            rollout(tree, "rollback")
            p.communicate(timeout=60)
            assert p.returncode == 1
        assert weight(tree) == (old, {})
    assert not load.bad


def test_who_moves_the_alias_besides_is_left_alone(tree, tmp_path):
    old, _ = weight(tree)
    with started(tree, "catalog", "--code", write_version(tmp_path / "a", "a"), *QUICK, "--bake", "10m") as p, client(tree) as api:
        number = wait(lambda: weight(tree)[1], seconds=60).popitem()[0]
        api.update_alias(FunctionName="catalog", Name="live", FunctionVersion=number, RoutingConfig={"AdditionalVersionWeights": {old: 0.5}})
        _, err = p.communicate(timeout=60)
        assert p.returncode == 4 and "moved by somebody else" in err
        assert weight(tree) == (number, {old: 0.5}) and status(tree)["state"] == "failed"
        api.update_alias(FunctionName="catalog", Name="live", FunctionVersion=old, RoutingConfig={"AdditionalVersionWeights": {}})


@pytest.mark.parametrize("arguments", [["--steps", "10,5,100"], ["--steps", "10,50"], ["--steps", "x"], ["--version", "1", "--s3", "a/b"], ["--s3", "nothing"]])
def test_wrong_arguments_touch_nothing(tree, arguments):
    before = weight(tree)
    done = rollout(tree, "start", *arguments, check=False)
    assert done.returncode == 2 and done.stderr.startswith("prism: ") and weight(tree) == before


def test_code_that_is_none_is_refused(tree, tmp_path):
    before = weight(tree)
    (tmp_path / "empty").mkdir()
    done = rollout(tree, "start", "--code", tmp_path / "empty", check=False)
    assert done.returncode == 4 and "has no executable file bootstrap" in done.stderr
    done = rollout(tree, "start", "--version", "999", check=False)
    assert done.returncode == 4 and "no version 999" in done.stderr and weight(tree) == before


def test_a_bake_of_the_pipeline_asks_the_region(tree, tmp_path):
    bake = {"time_s": 0, "requests_min": 5, "requests_of": ["local/catalog"], "alarms": ["none-is-called-so"], "every_s": 1,
            "endpoint": f"unix:{tree.data}/region.sock"}
    (tmp_path / "pipeline.json").write_text(json.dumps({"version": 1, "stages": [
        {"name": "s", "steps": [{"name": "look", "action": "wait", "with": bake, "timeout_s": 120}]}]}))
    baking = subprocess.Popen([tree.tree / "prism", "pipeline", "run", "--file", tmp_path / "pipeline.json", "--root", tmp_path, "--json"],
                              env=tree.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with Load(tree):
        said, _ = baking.communicate(timeout=150)
    assert baking.returncode == 0, said
    assert json.loads(said)["run"]["stages"][0]["steps"][0]["result"]["requests"] >= 5


# ---- killed at every step ----

STEPS = ["begins", "starts", "gets 10 %", "step of 10 %", "gets 33 %", "step of 33 %", "gets 100 %", "step of 100 %"]


def reached(tree, step):
    """The story of the rollout that is under way has that step."""
    return lambda: status(tree)["state"] not in ("none", "done", "rolled-back", "failed") and any(t.startswith(step) for t in story(tree))


def ends_as_if_nothing_had_happened(tree, old, said):
    """Started again until its end."""
    for _ in range(20):
        done = rollout(tree, "start", "--version", said, *QUICK, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == 1 and "out of reach" in done.stderr, done.stderr
    assert weight(tree) == (said, {}) and status(tree)["state"] == "done"
    told = [re.sub(r"[:;].*", "", t) for t in story(tree) if t != "goes on"]
    # each step once, in order: what was done before the kill was not done again
    assert [t for t in told if t.startswith("step of")] == ["step of 10 % was fine", "step of 33 % was fine", "step of 100 % was fine"]
    assert told[0] == "begins" and told[-1] == "gets all calls"
    rollout(tree, "rollback")
    assert weight(tree) == (old, {})


def test_a_controller_that_is_killed_at_any_step_is_gone_on_with(tree, tmp_path):
    old, _ = weight(tree)
    with client(tree) as api:
        number = publish(api, write_version(tmp_path / "k", "killed"))
    with Load(tree) as load:
        for step in STEPS:
            with started(tree, "catalog", "--version", number, *QUICK) as p:
                wait(lambda: p.poll() is not None or reached(tree, step)(), seconds=120)
                p.kill()
        ends_as_if_nothing_had_happened(tree, old, number)
    assert not load.bad


def test_a_controller_that_is_killed_anywhere_is_gone_on_with(tree, tmp_path):
    """Not at a step's end but at any moment: the clock says when."""
    old, _ = weight(tree)
    dice = random.Random(11)
    with client(tree) as api:
        number = publish(api, write_version(tmp_path / "m", "anywhere"))
    with Load(tree) as load:
        for _ in range(12):
            with started(tree, "catalog", "--version", number, *QUICK) as p, contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(dice.uniform(0.02, 0.6))
        ends_as_if_nothing_had_happened(tree, old, number)
    assert not load.bad


def test_a_region_that_is_killed_at_any_step_comes_back_where_it_was(tree, tmp_path):
    old, _ = weight(tree)
    with client(tree) as api:
        number = publish(api, write_version(tmp_path / "r", "region"))
    stations = [(old, {}), (old, {number: 0.1}), (old, {number: 0.33}), (old, {number: 1.0}), (number, {})]
    with started(tree, "catalog", "--version", number, *QUICK, "--contact", "10m") as p:
        for step in ("gets 10 %", "gets 33 %", "gets 100 %"):
            with Load(tree):
                wait(lambda: p.poll() is not None or reached(tree, step)(), seconds=120)
            before = stations.index(weight(tree))
            tree.kill()
            tree.up()
            assert stations.index(weight(tree)) >= before  # the controller may have been quicker than the kill
        with Load(tree):
            out, err = p.communicate(timeout=120)
    assert p.returncode == 0, out + err
    assert weight(tree) == (number, {})
    rollout(tree, "rollback")


def test_a_region_that_was_away_too_long_goes_back(tree, tmp_path):
    old, _ = weight(tree)
    with started(tree, "catalog", "--code", write_version(tmp_path / "away", "away"), *QUICK, "--bake", "10m", "--contact", "1s") as p:
        wait(lambda: weight(tree)[1], seconds=60)
        tree.kill()
        lines = []
        wait(lambda: lines.append(p.stdout.readline()) or "out of reach" in lines[-1], seconds=60)
        time.sleep(1.2)  # what --contact allows has passed: time is what is tried here
        tree.up()
        _, err = p.communicate(timeout=120)
    assert p.returncode == 1 and ("out of reach for too long" in err or "it stands where it stood" in err), err
    if "it stands where it stood" in err:  # twice as long passed on a busy machine before the region was there
        rollout(tree, "rollback")
    assert weight(tree) == (old, {})


# ---- as steps of a pipeline ----

def pipeline(tree, folder, *later, **more):
    """One stage: what was published is rolled out in the region, and what comes after."""
    socket = f"unix:{tree.data / 'region.sock'}"
    where = {"prefix": "cat", "store": str(folder / "journal"), "endpoint": socket}
    step = {"name": "rollout", "action": "rollout", "with": {**where, "bake_s": 1, "requests_min": 20, "quiet_s": 600, "alarms": "none-is-called-so", "slower_percent": 100000, **more},
            "undo": {"action": "rollback", "with": where}, "timeout_s": 600}
    (folder / "platform").mkdir(parents=True)
    (folder / "platform" / "pipeline.json").write_text(json.dumps({"version": 1, "stages": [{"name": "s", "steps": [step, *later]}]}))
    return subprocess.run([tree.tree / "prism", "pipeline", "run", "--state", folder / "state", "--root", folder, "--as", "ada"], env=tree.env,
                          capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)


def test_steps_of_a_pipeline_roll_out_and_take_back(tree, tmp_path):
    failing = {"name": "after", "action": "command", "with": {"argv": ["false"]}}
    with client(tree) as api, Load(tree) as load:
        good = publish(api, write_version(tmp_path / "v1", "by pipeline"))
        done = pipeline(tree, tmp_path / "one")
        assert done.returncode == 0, done.stdout + done.stderr
        assert weight(tree) == (good, {})
        assert not load.bad
        bad = publish(api, write_version(tmp_path / "v2", "bad by pipeline", error_rate=0.5))
        done = pipeline(tree, tmp_path / "two")
        assert done.returncode != 0 and "catalog went back" in done.stdout + done.stderr, done.stdout + done.stderr
        assert weight(tree) == (good, {})
        api.delete_function(FunctionName="catalog", Qualifier=bad)
        newer = publish(api, write_version(tmp_path / "v3", "good again"))
        assert newer != good
        done = pipeline(tree, tmp_path / "three", failing)
        assert done.returncode != 0 and weight(tree) == (good, {}), done.stdout + done.stderr


def deliver(tree, folder, package, *more):
    """A release is made, published in the region and rolled out; an overlay says where that region is."""
    folder.mkdir()
    (folder / "platform").mkdir()
    (folder / "platform" / "pipeline.json").write_text(json.dumps({"version": 1, "stages": [
        {"name": "build", "steps": [{"name": "release", "action": "release", "with": {"package": "built", "source": "test"}}]},
        {"name": "s", "steps": [{"name": "rollout", "action": "rollout", "with": {"prefix": "prism-"}, "timeout_s": 600}, *more]}]}))
    (folder / "overlay.json").write_text(json.dumps({"why": "one machine", "steps": {"build/release": {"package": str(package)}}, "actions": {"rollout": {
        "prefix": None, "publish": True, "endpoint": f"unix:{tree.data / 'region.sock'}", "store": str(folder / "journal"), "bake_s": 1, "requests_min": 20,
        "quiet_s": 600, "alarms": "none-is-called-so", "slower_percent": 100000}}}))
    return subprocess.run([tree.tree / "prism", "pipeline", "run", "--state", folder / "state", "--root", folder, "--overlay", folder / "overlay.json"],
                          env=tree.env, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)


def test_a_release_is_published_and_what_went_back_is_not_tried_again(tree, tmp_path):
    good, bad = (release(tmp_path / f"{name}-package", catalog=version(name, error_rate=rate)) for name, rate in (("released", 0.0), ("broken", 0.6)))
    with Load(tree) as load:
        done = deliver(tree, tmp_path / "one", good)
        assert done.returncode == 0, done.stdout + done.stderr
        live = weight(tree)
        assert load.versions["released"] > 0 and not load.bad
        gone = deliver(tree, tmp_path / "two", bad)
        assert gone.returncode == 3 and "catalog went back" in gone.stderr, gone.stdout + gone.stderr
        assert weight(tree) == live
        with client(tree) as api:
            assert [v["Version"] for v in api.list_versions_by_function(FunctionName="catalog")["Versions"]][-1] != live[0]
        seen = len(load.bad)
        again = deliver(tree, tmp_path / "three", good)  # the newest version is the broken one, and nobody asked for that
        assert again.returncode == 0, again.stdout + again.stderr
        assert weight(tree) == live and len(load.bad) == seen


# ---- make soak-rollout ----

if "PRISM_SOAK_ROLLOUT" in os.environ:

    def test_bad_versions_cost_less_than_a_call_in_a_thousand(tree, tmp_path):
        with Load(tree, threads=6, pause_s=0.0) as load:
            time.sleep(20)
            for name, how in (("errors", {"error_rate": 0.5}), ("latency", {"sleep_s": 0.15}), ("crash", {"crash": True})):
                went_back(tree, weight(tree)[0], "--code", write_version(tmp_path / name, name, **how), "--slower", "25", "--requests", "1000000")
                print(name, status(tree)["reason"])
                time.sleep(20)
        print(f"{load.total()} calls, {len(load.bad)} failed")
        assert len(load.bad) < 0.001 * load.total()
