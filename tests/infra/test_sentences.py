"""docs/infrastructure.md stays true: it holds every sentence of the requirements, and each file, test and rule that it names exists."""

import ast
import json
import re
import subprocess

import kit
import pytest

PAGE = (kit.ROOT / "docs" / "infrastructure.md").read_text()
SEED = kit.ROOT.parent / "shared" / "seed" / "infrastructure-architecture.txt"  # what was asked for; not part of the project
ENTRY = re.compile(r"^(\d+)\. (.+)\n((?:   - .+\n?)+)", re.M)
ENTRIES = {int(number): (sentence, notes) for number, sentence, notes in ENTRY.findall(PAGE)}


def named(what):
    """All that stands in backquotes behind `in:` or `proven by:`, with the sentences' numbers."""
    return [(number, name) for number, (_, notes) in ENTRIES.items()
            for line in notes.splitlines() if line.startswith(f"   - {what}: ") for name in re.findall(r"`([^`]+)`", line)]


def sentences(text):
    lines = [line.replace("**", "").strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [sentence for line in lines[1:] for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", line)]  # the first is the title


def test_numbers_follow_each_other():
    assert list(ENTRIES) == list(range(1, len(ENTRIES) + 1))


@pytest.mark.skipif(not SEED.exists(), reason="the requirements do not lie beside this checkout")
def test_every_sentence_is_there():
    assert [sentence for sentence, _ in ENTRIES.values()] == sentences(SEED.read_text())


def test_every_sentence_has_a_file_and_a_proof():
    for what in ("in", "proven by"):
        assert {number for number, _ in named(what)} | {len(ENTRIES)} == set(ENTRIES), what


def test_files_exist():
    assert [(number, path) for number, path in named("in") if not path.endswith("/") and not (kit.ROOT / path).exists()] == []


def test_proofs_exist():
    rules = {rule["id"] for rule in json.loads(subprocess.run([kit.PRISM, "verify", "--list", "--json"], check=True,
                                                              capture_output=True, text=True).stdout)["rules"]}
    wrong = []
    for number, name in named("proven by"):
        path, _, function = name.partition("::")
        if name.startswith("PV-"):
            found = name in rules
        elif function:
            found = (kit.ROOT / path).exists() and function in {
                node.name for node in ast.parse((kit.ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)}
        else:
            found = (kit.ROOT / path).is_file()
        if not found:
            wrong.append((number, name))
    assert wrong == []
    assert rules - {name for _, name in named("proven by")} == set(), "rules that prove no sentence of this page"
