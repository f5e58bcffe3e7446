"""What can be said of infra/ without planning it."""

import copy
import json
import re
import subprocess
import sys
import threading

import conftest
import kit
import pytest

MODULES = sorted(f.parent for f in (kit.ROOT / "infra").rglob("*.tf") if f.name == "terraform.tf")
NAMES = [str(m.relative_to(kit.ROOT / "infra")) for m in MODULES]


def test_format():
    done = subprocess.run([kit.TERRAFORM, "fmt", "-check", "-diff", "-recursive", kit.ROOT / "infra"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prices_say_where_they_were_seen():
    """A figure that nobody can check is none: AWS's page, and what the figure was held against, of when where that is known."""
    prices = kit.platform("prices.json")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", prices["date"])
    for name, price in prices["types"].items():
        assert price["source"].startswith("https://aws.amazon.com/"), name
        assert ("month" in price) != ("hour" in price), name
        if price.get("month", price.get("hour")):
            assert price["seen"]["where"] and re.fullmatch(r"20\d\d(-\d\d-\d\d)?", price["seen"].get("of", prices["date"])), name


def test_tflint():
    done = subprocess.run([kit.TFLINT, "--recursive", "--config", kit.HERE / "tflint.hcl", "--format", "compact"], cwd=kit.ROOT / "infra",
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_layout_of_a_module(module):
    """Files by name; providers and backends live in the stacks only; nothing is configured to reach an emulator."""
    stack = module.parent.name == "infra"
    for name in ("variables.tf", "outputs.tf") if not stack else ("variables.tf",):
        assert (module / name).exists() or module.parent.parent.name == "modules", f"{module} lacks {name}"
    text = "\n".join(f.read_text() for f in module.glob("*.tf"))
    if not stack:
        assert "\nprovider " not in text and "backend " not in text, f"{module}: providers and backends are the stacks'"
    for word in ("endpoints {", "skip_credentials_validation", "skip_requesting_account_id", "s3_use_path_style", "127.0.0.1", "localhost"):
        assert word not in text, f"{module}: {word}"


def test_no_count_over_lists():
    """An element taken out of a list would move all that follow it."""
    for file in (kit.ROOT / "infra").rglob("*.tf"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            assert not re.match(r"\s*count\s*=", line), f"{file.relative_to(kit.ROOT)}:{number}: for_each over a map instead of count"


def test_what_platform_files_are_read_exist():
    for file in (kit.ROOT / "infra").glob("*/*.tf"):
        for line in file.read_text().splitlines():
            if "platform_dir}/" in line:
                name = line.split("platform_dir}/")[1].split('"')[0]
                assert (kit.PLATFORM / name).exists(), f"{file.relative_to(kit.ROOT)} reads platform/{name}"


def test_wildcards_have_reasons():
    for entry in json.loads((kit.ROOT / "infra" / "wildcards.json").read_text()):
        assert set(entry) == {"address", "action", "reason"} and len(entry["reason"]) > 20, entry


WORKFLOWS = sorted((kit.PLATFORM / "workflows").glob("*.asl.json"))


def filled(path):
    """A definition with its template's variables set, as infra/modules/workflows and the local interpreter do it."""
    values = {"partition": "aws", "region": "eu-west-1", "account": kit.ACCOUNT, "prefix": "prism-prod-euw1", "shards": '["shard-0","shard-1"]'}
    return re.sub(r"(?<!\$)\$\{(\w+)\}", lambda m: values.get(m[1], "20000" if m[1].endswith("_first") else "x1"), path.read_text())


@pytest.mark.parametrize("path", WORKFLOWS, ids=[p.name for p in WORKFLOWS])
def test_statelint(path, tmp_path):
    file = tmp_path / path.name
    file.write_text(filled(path))
    program = kit.part("venv-infra") / "bin" / "statelint"
    done = subprocess.run([program, file], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout + done.stderr


def validated(file, name):
    type_ = kit.platform("workflows.json")["machines"][name.removesuffix(".asl.json")]["type"]
    done = subprocess.run([kit.PRISM, "workflow", "validate", file, "--type", type_], capture_output=True, text=True)
    assert done.returncode in (0, 4), done.stderr
    return done


def states_of(flow):
    """All states of a flow and of those below it."""
    for state in flow["States"].values():
        yield state
        for inner in state.get("Branches", []) + [state[key] for key in ("ItemProcessor", "Iterator") if key in state]:
            yield from states_of(inner)


def wrong(definition):
    """The same with one thing wrong, one after the other; all of it is wrong to statelint, too."""

    def change(type_, **members):
        changed = copy.deepcopy(definition)
        next(state for state in states_of(changed) if state["Type"] == type_).update(members)
        return changed

    yield "StartAt of nothing", definition | {"StartAt": "?"}
    yield "an unknown member", definition | {"Unknown": 1}
    yield "Next of nothing", change("Pass", Next="?")
    yield "Next and End", change("Pass", Next=definition["StartAt"], End=True)
    yield "an unknown type", change("Pass", Type="Jump")
    yield "an unknown member of a state", change("Pass", Unknown=1)
    yield "a timeout of 0", change("Task", TimeoutSeconds=0)
    yield "a path that is none", change("Task", ResultPath="error")
    yield "all errors and another", change("Task", Catch=[{"ErrorEquals": ["States.ALL", "X"], "Next": definition["StartAt"]}])
    yield "a catcher that leads nowhere", change("Task", Catch=[{"ErrorEquals": ["X"]}])
    yield "a rule that leads nowhere", change("Choice", Choices=[{"Variable": "$.a", "IsPresent": True}])
    yield "a state out of reach", definition | {"States": definition["States"] | {"Nobody": {"Type": "Succeed"}}}


@pytest.mark.parametrize("path", WORKFLOWS, ids=[p.name for p in WORKFLOWS])
def test_prism_and_statelint_are_of_one_mind(path, tmp_path):
    """The one is Prism's own check, the other nobody's here: what is right is right to both, and what is made wrong is wrong to both."""
    file, text = tmp_path / path.name, filled(path)
    file.write_text(text)
    done = validated(file, path.name)
    assert done.returncode == 0 and "0 warnings" in done.stdout, done.stdout
    files = {}
    for i, (what, definition) in enumerate(wrong(json.loads(text))):
        files[what] = tmp_path / f"wrong-{i}.json"
        files[what].write_text(json.dumps(definition))
    program = kit.part("venv-infra") / "bin" / "statelint"
    for what, file in files.items():
        ours, theirs = validated(file, path.name), subprocess.run([program, file], capture_output=True, text=True)
        assert ours.returncode == 4, f"{what}: {ours.stdout}"
        assert theirs.stdout.strip() or theirs.returncode, what


def test_every_workflow_has_a_definition_and_is_linted():
    names = set(kit.platform("workflows.json")["machines"])
    assert names == {p.name.removesuffix(".asl.json") for p in WORKFLOWS}


def test_cfn_lint():
    """Prism is Terraform only. Should a CloudFormation template come, cfn-lint looks at it; today it must have none to look at."""
    templates = [f for f in kit.ROOT.glob("**/*.y*ml") if "build" not in f.parts and "AWSTemplateFormatVersion" in f.read_text(errors="ignore")]
    templates += [f for f in (kit.ROOT / "infra").rglob("*.json") if "AWSTemplateFormatVersion" in f.read_text()]
    for template in templates:
        done = subprocess.run([kit.part("venv-infra") / "bin" / "cfn-lint", template], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_a_step_is_begun_once(tmp_path):
    """However many threads ask for it at the same moment: a second emulator would know nothing of what was applied on the first."""
    world, begun, together = conftest.World(tmp_path / "world"), [], threading.Barrier(8)
    interval = sys.getswitchinterval()

    def ask():
        for number in range(200):
            together.wait()
            world.step(number, lambda number=number: begun.append(number)).result()

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        world.close()
    assert sorted(begun) == list(range(200))
