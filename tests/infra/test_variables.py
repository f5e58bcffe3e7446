"""Bad variables are refused while planning, with a message that says what to do."""

import concurrent.futures
import json

import kit
import pytest
from wrong_variables import CASES, REGION

GOOD = [("as it stands", "global", {}, []), ("as it stands", "region", {}, [])]


@pytest.fixture(scope="module")
def planned(applied, request):
    """Every selected case's plan; two at a time, each with a file of variables of its own."""
    applied.applied("global")
    stacks = {"global": applied.stack("global", folder="variables-global"), "region": applied.stack(REGION, folder="variables-region")}
    for name, stack in stacks.items():
        stack.init(f"nothing/variables-{name}")
    good = {name: json.loads(stack.overrides.read_text()) for name, stack in stacks.items()}

    def work(case):
        name, which, change, _ = case
        stack = stacks[which]
        file = stack.tree.folder / f"{name.replace(' ', '-')}.tfvars.json"
        file.write_text(json.dumps({**good[which], **change}))
        return stack.run("plan", "-no-color", "-lock=false", "-refresh=false", stack.var_files[0], f"-var-file={file}", check=False,
                         env=applied.configured(which))

    two = concurrent.futures.ThreadPoolExecutor(2)
    selected = [item.callspec.params["case"] for item in request.session.items if "planned" in item.fixturenames]
    yield {(case[0], case[1]): two.submit(work, case) for case in selected}
    two.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=[c[0] for c in CASES])
def test_refused(planned, case):
    done = planned[case[0], case[1]].result()
    assert done.returncode == 1, "the plan was accepted"
    message = " ".join(done.stdout.replace("│", " ").split())
    assert "Error: Invalid value for variable" in message or "precondition failed" in message or "postcondition failed" in message, message[-3000:]
    for word in case[3]:
        assert word in message, f"the message lacks {word!r}:\n{done.stdout[done.stdout.find('Error:'):][:3000]}"


@pytest.mark.parametrize("case", GOOD, ids=[c[1] for c in GOOD])
def test_good_ones_are_taken(planned, case):
    """So that a refusal above is the change's doing."""
    assert " to add, 0 to change, 0 to destroy" in planned[case[0], case[1]].result().stdout


ENVIRONMENTS = sorted((p.stem, name) for p in (kit.PLATFORM / "environments").glob("*.jsonnet") if p.stem not in ("local", "prod") for name in ("global", *kit.REGIONS))


@pytest.mark.parametrize("environment, name", ENVIRONMENTS, ids=map("/".join, ENVIRONMENTS))
def test_every_environments_files_plan(applied, environment, name):
    """As they are rendered; prod's is what is applied. The emulator has one global stack, of prod; the others' regional stacks are told of it."""
    applied.applied("global")
    if name != "global" and environment != "prod":
        ssm = applied.emulator.client("ssm", name)
        text = ssm.get_parameter(Name="/prism/prod/global")["Parameter"]["Value"].replace("prism-prod", f"prism-{environment}").replace("prism_prod", f"prism_{environment}")
        ssm.put_parameter(Name=f"/prism/{environment}/global", Value=text, Type="String", Overwrite=True)
    stack = kit.Stack(applied.folder / "environments" / environment / name, applied.emulator, "global" if name == "global" else "region", name,
                      {} if name == "global" else {"artifacts": applied.packages.artifacts}, environment)
    stack.init(f"nothing/{environment}/{name}")
    assert " to add, 0 to change, 0 to destroy" in stack.plan(None, "-refresh=false").stdout
