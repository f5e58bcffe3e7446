"""`terraform test` of every module and stack with a mocked provider, and one module tree applied with the real provider. Two at a time.

OpenTofu does it where its language could differ: functions and expressions, mocks, refusals and preconditions, modules in modules, ephemeral values.
That it takes all of the modules and plans the stacks as Terraform does is test_opentofu.py's."""

import concurrent.futures
import re

import kit
import pytest

TESTED = sorted({f.parents[1].relative_to(kit.ROOT) for f in (kit.ROOT / "infra").rglob("*.tftest.hcl") if f.parents[2].name != "tests"})
REAL = sorted(f.relative_to(kit.ROOT) for f in (kit.ROOT / "infra" / "tests").glob("*") if f.is_dir())
PROGRAMS = {"terraform": kit.TERRAFORM, "tofu": kit.TOFU}
WITH_TOFU = {"function", "naming", "security", "service"}
CASES = [(program, where) for where in TESTED for program in PROGRAMS if program == "terraform" or where.name in WITH_TOFU]


def run(world, program, where):
    tree = kit.Tree(world.folder / "modules" / program / where, program=PROGRAMS[program])
    configures = any(re.search(r'(?m)^provider "', file.read_text()) for file in (tree.folder / where / "tests").glob("*.tftest.hcl"))
    tree.run(where, "init", "-backend=false", "-no-color")
    if not configures:
        return tree.run(where, "test", "-no-color", check=False, env=world.unconfigured)
    # What is configured may be shared by nobody else; within one run everything configures it alike.
    with kit.SharedProvider(tree.folder / "provider.log") as own:
        return tree.run(where, "test", "-no-color", check=False, env=own.environment)


@pytest.fixture(scope="session")
def started(world, request):
    """All that is selected, begun at once, so that the applies and these share the machine."""
    two = concurrent.futures.ThreadPoolExecutor(2)
    selected = [item.callspec.params["case"] for item in request.session.items if "started" in item.fixturenames]
    yield {case: two.submit(run, world, *case) for case in selected}
    two.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", CASES, ids=[f"{where.relative_to('infra')}-{program}" for program, where in CASES])
def test_module(started, case):
    done = started[case].result()
    assert done.returncode == 0, "\n".join(line for line in done.stdout.splitlines() if not line.endswith(("... pass", "... skip")))[-8000:]
    assert re.search(r"Success! [1-9][0-9]* passed, 0 failed", done.stdout), done.stdout


@pytest.mark.parametrize("where", REAL, ids=[w.name for w in REAL])
def test_with_the_real_provider(world, scratch, where):
    """Applied, changed and destroyed by `terraform test`."""
    tree = kit.Tree(scratch(f"real-{where.name}"), world.emulator)
    tree.run(where, "init", "-no-color")
    done = tree.run(where, "test", "-no-color")
    assert re.search(r"Success! [1-9][0-9]* passed, 0 failed", done.stdout), done.stdout
