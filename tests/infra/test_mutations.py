"""The stacks are broken on purpose in many ways; `prism verify` finds each, by its rule, and nothing in what is unbroken."""

import concurrent.futures
import re

import kit
import pytest
from mutations import ALL, UNBROKEN

BATCH = 12
STACKS = {"global": "global", "region": "us-east-1"}


def clashes(one, other):
    """Whether two of a batch could be taken for each other, or touch the same place."""
    if one.rule == other.rule:
        return True
    texts = {(e.file, e.old) for e in one.edits} & {(e.file, e.old) for e in other.edits}
    names = {e.file for e in one.edits if e.old is None} & {e.file for e in other.edits if e.old is None}
    near = any(a.file == b.file and a.old and b.old and (a.old in b.old or b.old in a.old) for a in one.edits for b in other.edits)
    return bool(texts or names or near) or {one.name, other.name} in APART


# What must not be broken at the same time: one hides the other.
APART = [
    {"functions outside of the VPC", "the hot store is not mounted"},
    {"no limit for a function", "what should scale from zero is kept warm"},
    {"the file system is in the clear", "throughput by chance"},
    {"the database is public", "one instance only"},
    {"prod falls asleep", "readers follow the CPU only"},
    {"copies are switched off", "replication before versioning"},
    {"copies are switched off", "buckets forget"},
    {"buckets under S3's own key", "copies are switched off"},
    {"functions share a role", "functions before what they may do"},
    {"functions share a role", "another function owns the database as well"},
    {"functions share a role", "the audit log can be deleted from"},
    {"functions share a role", "the bridge calls any function of another region"},
    {"functions share a role", "storage opens any key of another region"},
    {"functions share a role", "storage reads whole buckets of another region"},
    {"functions share a role", "operators run any machine"},
    {"functions share a role", "operators stop executions of any machine"},
]


def batches():
    made = {stack: [] for stack in STACKS}
    for mutation in ALL:
        for batch in made[mutation.stack]:
            if len(batch) < BATCH and not any(clashes(mutation, other) for other in batch):
                batch.append(mutation)
                break
        else:
            made[mutation.stack].append([mutation])
    return [(stack, tuple(batch)) for stack, all_of_it in made.items() for batch in all_of_it]


BATCHES = batches()
BATCH_OF = {mutation: i for i, (_, batch) in enumerate(BATCHES) for mutation in batch}


def change(tree, mutation):
    for e in mutation.edits:
        path = tree.folder / e.file
        if e.old is None:
            assert not path.exists(), e.file
            path.write_text(e.new)
        else:
            tree.edit(e.file, e.old, e.new)


@pytest.fixture(scope="session")
def found(applied, request):
    """Findings of every batch that has a selected mutation; two batches are planned at a time."""
    wanted = sorted({BATCH_OF[item.callspec.params["mutation"]] for item in request.session.items
                     if hasattr(item, "callspec") and "mutation" in item.callspec.params})

    def work(number):
        stack_name, batch = BATCHES[number]
        name = STACKS[stack_name]
        stack = applied.stack(name, folder=f"mutants/{number}")
        for mutation in batch:
            change(stack.tree, mutation)
        stack.init(f"nothing/mutants-{number}")
        out = applied.folder / f"mutants-{number}.plan"
        stack.plan(out, "-refresh=false", env=applied.configured(stack_name))
        return kit.verify(stack.show(out, applied.unconfigured), infra=stack.tree.folder / "infra")

    applied.applied("global")
    two = concurrent.futures.ThreadPoolExecutor(2)
    yield {number: two.submit(work, number) for number in wanted}
    two.shutdown(cancel_futures=True)


def test_there_are_enough_and_each_has_its_rule():
    known = {rule["id"] for rule in kit.rules()}
    assert len(ALL) >= 40 and len({m.name for m in ALL}) == len(ALL)
    assert {m.rule for m in ALL} == known - set(UNBROKEN), "a rule needs a mutation, or a reason why not"
    assert set(UNBROKEN) <= known


@pytest.mark.parametrize("mutation", ALL, ids=[m.name for m in ALL])
def test_a_mutation_still_fits(mutation):
    """Its text occurs exactly once: a mutation must not rot."""
    for e in mutation.edits:
        path = kit.ROOT / e.file
        if e.old is None:
            assert not path.exists() and path.parent.is_dir(), e.file
        else:
            assert path.read_text().count(e.old) == 1, f"{e.file} has it {path.read_text().count(e.old)} times: {e.old}"


@pytest.mark.parametrize("stacks", [("global",), tuple(kit.REGIONS), ("global", *kit.REGIONS)], ids=["global", "regions", "all together"])
def test_nothing_is_found_in_what_is_unbroken(applied, stacks):
    findings = kit.verify(*[applied.plan_json(name) for name in stacks])
    assert not findings, "\n".join(f"{f['rule']} {f['address']}: {f['message']}" for f in findings)


@pytest.mark.parametrize("mutation", ALL, ids=[m.name for m in ALL])
def test_mutation_is_found(found, mutation):
    findings = found[BATCH_OF[mutation]].result()
    mine = [f for f in findings if f["rule"] == mutation.rule]
    assert [f for f in mine if re.search(mutation.address, f["address"] or "")], \
        f"{mutation.rule} found: {[(f['address'], f['message']) for f in mine][:10]}; others: {sorted({f['rule'] for f in findings})}"
    assert all(f["message"] and f["fix"] for f in mine), "every finding says what to do"
