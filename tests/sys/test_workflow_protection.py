"""Every task of every state machine is protected, and docs/design/workflows.md says how: its table is compared with the definitions, row by row."""

import json
import re

import pytest

from conftest import ROOT

WORKFLOWS = ROOT / "platform" / "workflows"
MACHINES = list(json.loads((ROOT / "platform" / "workflows.json").read_text())["machines"])
PAGE = (ROOT / "docs" / "design" / "workflows.md").read_text()
WITHOUT = {"of a breaker", "alert", "question", "undo", "one tenant", "by hand"}  # why a task stands behind no breaker; the page explains each


def definition(machine):
    text = (WORKFLOWS / f"{machine}.asl.json").read_text().replace("${shards}", "[]")
    return json.loads(re.sub(r":\s*\$\{[a-z_]+\}", ": 1", text))


def tasks(flow, above=()):
    """Name, state, the states around it."""
    for name, state in flow["States"].items():
        if state["Type"] == "Task":
            yield name, state, above
        for inner in [state.get("ItemProcessor"), *state.get("Branches", [])]:
            if inner:
                yield from tasks(inner, (*above, state))


def catchers(state, above):
    """Its own; else those of what stands around it."""
    for holder in (state, *reversed(above)):
        if holder.get("Catch"):
            return holder["Catch"]
    return []


def retries(state):
    return [retry for retry in state.get("Retry", []) if retry.get("MaxAttempts", 3) > 0]


def payload(state):
    return state.get("Arguments") or state.get("Parameters")


def rows(machine):
    """The table's rows as the definition has them, but for the last column."""
    grouped = {}
    for name, state, above in tasks(definition(machine)):
        key = (", ".join(str(retry["MaxAttempts"]) for retry in retries(state)), ", ".join(c["Next"] for c in catchers(state, above)))
        grouped.setdefault(key, []).append(name)
    return [f"| `{machine}` | {', '.join(names)} | {tries} | {then} |" for (tries, then), names in grouped.items()]


def table():
    """{(machine, task): (the row without its last column, the last column)}"""
    found = {}
    for line in PAGE.partition("## What protects each task")[2].partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            for task in cells[1].split(", "):
                assert (cells[0], task) not in found, f"{task} of {cells[0]} stands there twice"
                found[cells[0].strip("`"), task] = (line.rpartition("|")[0].rpartition("|")[0] + "|", cells[4])
    return found


def by_row(machine):
    """Rows of the page that tell of the same thing in several lines, for the sake of the last column, become one again."""
    merged = {}
    for (of, task), (row, _) in table().items():
        if of == machine:
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            merged.setdefault((cells[2], cells[3]), set()).add(task)
    return merged


@pytest.mark.parametrize("machine", MACHINES)
def test_each_task_retries_and_is_caught(machine):
    for name, state, above in tasks(definition(machine)):
        assert retries(state), f"{name} is not retried"
        for retry in retries(state):
            assert retry.get("JitterStrategy") == "FULL" and retry.get("BackoffRate", 2) > 1 and retry.get("MaxDelaySeconds"), f"{name}: {retry}"
        assert any("States.ALL" in catcher["ErrorEquals"] for catcher in catchers(state, above)), f"{name} is not caught"


@pytest.mark.parametrize("machine", MACHINES)
def test_the_page_tells_each_tasks_protection(machine):
    derived = {}
    for row in rows(machine):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        derived[cells[2], cells[3]] = set(cells[1].split(", "))
    assert by_row(machine) == derived, "docs/design/workflows.md, What protects each task, should have:\n" + "\n".join(rows(machine))


def test_the_page_tells_of_no_other_task():
    there = {(machine, name) for machine in MACHINES for name, _, _ in tasks(definition(machine))}
    assert set(table()) == there


def is_of_a_breaker(state):
    return "dynamodb" in state["Resource"] and payload(state)["TableName"].endswith("-breakers")


def becomes(state):
    """What a task makes of a breaker, and whether only on a condition."""
    match = re.search(r"SET breaker_state = (:\w+)", payload(state).get("UpdateExpression", ""))
    if match:
        return payload(state)["ExpressionAttributeValues"][match[1]]["S"], "ConditionExpression" in payload(state)
    return None


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_said_of_breakers_is_so(machine):
    said = {task: last for (of, task), (_, last) in table().items() if of == machine}
    for name, state, above in tasks(definition(machine)):
        last = said[name]
        assert last.startswith("behind `") or last in WITHOUT, f"{name}: '{last}'"
        assert last.startswith("behind `") == ([c["Next"] for c in catchers(state, above)] == ["RecordFailure"]), name
        assert (last == "of a breaker") == is_of_a_breaker(state), name
        assert (last == "question") == state["Resource"].endswith(".waitForTaskToken"), name
        assert (last == "alert") == state["Resource"].endswith("sns:publish"), name


@pytest.mark.parametrize("machine", sorted({of for (of, _), (_, last) in table().items() if last.startswith("behind `")}))
def test_a_breaker_is_whole(machine):
    own = [state for _, state, _ in tasks(definition(machine)) if is_of_a_breaker(state)]
    assert len({str(payload(state)["Key"]["breaker"]) for state in own}) == 1  # one key for all that is done to it
    assert any(payload(state).get("ConsistentRead") for state in own)
    # of several executions one opens it and one probes; whoever probed in vain opens it again, success and an operator close it
    made = [becomes(state) for state in own if becomes(state)]
    assert sorted(made) == [("closed", False), ("closed", False), ("half-open", True), ("open", False), ("open", True)]
    assert any("failures :one" in payload(state).get("UpdateExpression", "") for state in own)


def test_the_page_explains_each_word():
    for word in WITHOUT:
        assert f"| {word} |" in PAGE.partition("## What protects each task")[2], word
