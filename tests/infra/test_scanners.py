"""checkov over the sources and over the plans: no failed check but those of checkov.yaml, each with its reason."""

import concurrent.futures
import fnmatch
import json
import os
import subprocess

import kit
import pytest
import yaml

SUPPRESSED = yaml.safe_load((kit.HERE / "checkov.yaml").read_text())
PLANS = "global", kit.HOME  # the other region is of the same code, and has less
CHECKOV = kit.part("venv-checkov") / "bin" / "checkov"


def checkov(*arguments):
    """(check, address, title) of every failed check. It is told to ask nobody."""
    done = subprocess.run([CHECKOV, *map(str, arguments), "--compact", "--quiet", "--skip-download", "--output", "json"], capture_output=True, text=True,
                          env={**os.environ, "LOG_LEVEL": "ERROR"}, timeout=900)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0 and report["summary"]["resource_count"] > 0, report["summary"]
    return {(c["check_id"], c["resource"], c["check_name"]) for c in report["results"]["failed_checks"]}


def suppresses(entry, check, resource):
    return entry["check"] == check and any(fnmatch.fnmatchcase(resource, p) or fnmatch.fnmatchcase(resource, "*." + p) for p in entry["resources"])


def unexplained(failed):
    return sorted(f"{check} {resource}: {title}" for check, resource, title in failed
                  if not any(suppresses(e, check, resource) for e in SUPPRESSED))


@pytest.fixture(scope="session")
def scans(applied):
    """All scans, one after another beside the other tests."""

    def sources():
        return checkov("--directory", kit.ROOT / "infra", "--framework", "terraform", "--skip-path", "tests")

    def plan(name):
        # Of what stands: in a plan from nothing checkov would take each key that AWS has yet to name for no key.
        return checkov("--file", applied.plan_again(name).result(), "--framework", "terraform_plan")

    one = concurrent.futures.ThreadPoolExecutor(1)
    yield {"sources": one.submit(sources), **{name: one.submit(plan, name) for name in PLANS}}
    one.shutdown(cancel_futures=True)


@pytest.mark.parametrize("what", ["sources", *PLANS])
def test_checkov(scans, what):
    failed = unexplained(scans[what].result())
    assert not failed, "\n".join(failed)


def test_every_suppression_has_a_reason_and_is_needed(scans):
    failed = set().union(*(s.result() for s in scans.values()))
    for entry in SUPPRESSED:
        assert len(entry["reason"]) > 20, entry
        for pattern in entry["resources"]:
            assert any(suppresses({**entry, "resources": [pattern]}, c, r) for c, r, _ in failed), f"{entry['check']} {pattern} suppresses nothing"
