"""Golden cases of the States Language: tests/conform/<rule>/ holds a definition, an input, and what must come of it: output or error, and the
types of the history's events in order. README.md there says what the fields are."""

import json
import subprocess

import pytest

from conftest import PRISM, ROOT

CASES = sorted(p.parent for p in (ROOT / "tests" / "conform").glob("*/definition.asl.json"))


FIELDS = {"output", "error", "cause", "stubs", "type", "trace", "events", "because"}
ORDERED = [f"{family}{order}{path}" for family in ("String", "Numeric", "Timestamp") for path in ("", "Path")
           for order in ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")]
OPERATORS = {*ORDERED, "BooleanEquals", "BooleanEqualsPath", "StringMatches", "And", "Or", "Not",
             "IsString", "IsNumeric", "IsBoolean", "IsTimestamp", "IsNull", "IsPresent"}


def members(value):
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from members(inner)


def test_there_are_cases():
    assert len(CASES) >= 150
    assert OPERATORS <= {name for folder in CASES for name in members(json.loads((folder / "definition.asl.json").read_text()))}
    assert {field for folder in CASES for field in json.loads((folder / "expected.json").read_text())} <= FIELDS


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_rule(folder, tmp_path):
    expected = json.loads((folder / "expected.json").read_text())
    history = tmp_path / "history.json"
    stubs = [argument for stub in expected.get("stubs", []) for argument in ("--stub", stub)]
    done = subprocess.run([PRISM, "workflow", "run", "definition.asl.json", "--input-file", "input.json", "--history", history,
                           "--type", expected.get("type", "STANDARD"), *stubs], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == (3 if "error" in expected else 0), done.stdout + done.stderr
    got = json.loads(done.stdout)
    if "error" in expected:
        assert got["Error"] == expected["error"], got
        if "cause" in expected:
            assert got["Cause"] == expected["cause"]
    else:
        assert got == expected["output"]
    trace = [event["type"] for event in json.loads(history.read_text())["events"]]
    if "events" in expected:  # too many to write down: how many, and the last ones
        assert len(trace) == expected["events"]
        trace = trace[-len(expected["trace"]):]
    assert trace == expected["trace"]
