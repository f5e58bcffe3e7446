"""OpenTofu takes the same files: every module and stack validates, and the stacks' plans are those of Terraform."""

import json

import kit
import pytest

MODULES = sorted({f.parent.relative_to(kit.ROOT) for f in (kit.ROOT / "infra").rglob("terraform.tf")})


@pytest.fixture(scope="module")
def tree(scratch):
    return kit.Tree(scratch("tofu-validate"), program=kit.TOFU)


@pytest.mark.parametrize("where", MODULES, ids=[str(m.relative_to("infra")) for m in MODULES])
def test_validate(world, tree, where):
    tree.run(where, "init", "-no-color", "-backend=false")
    done = tree.run(where, "validate", "-no-color", env=world.unconfigured)
    assert "Success!" in done.stdout, done.stdout


def changes(plan):
    return {c["address"]: c["change"]["actions"] for c in json.loads(plan.read_text())["resource_changes"] if c["mode"] == "managed"}


@pytest.mark.parametrize("name", ["global", *kit.REGIONS])
def test_plan_is_terraforms(applied, name):
    """From nothing: the same resources under the same addresses."""
    terraform = applied.plan_json(name)
    stack = applied.stack(name, folder=f"tofu-{name}", program=kit.TOFU)
    stack.init(f"nothing/tofu-{name}")
    out = applied.folder / f"tofu-{name}.plan"
    stack.plan(out)
    assert changes(stack.show(out, applied.unconfigured)) == changes(terraform)
