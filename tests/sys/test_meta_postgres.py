"""The suites of the metadata store and of the catalog, which ctest runs on SQLite, once more on a real PostgreSQL 15 over TLS.

The suites are the unit tests' own programs, of the build that is under test."""

import os
import re
import subprocess
import sys

import pytest

import postgres_server
from conftest import ROOT

PRESET = os.environ.get("PRISM_BUILD", "release").replace("release", "dev")  # release has no unit tests
SUITES = ["test_store_meta", "test_svc_catalog_catalog", "test_svc_catalog_catalog_processes", "test_svc_catalog_datasets"]


@pytest.fixture(scope="module")
def programs():
    subprocess.run([ROOT / "tools" / "build", PRESET, "--target", *SUITES], check=True, stdout=subprocess.DEVNULL)
    return ROOT / "build" / PRESET / "bin"


@pytest.fixture(scope="module")
def postgres():
    with postgres_server.server() as server:
        yield server


def run(program, url, tests="*", **env):
    done = subprocess.run([program, tests], env={**os.environ, "PRISM_TEST_POSTGRES": url, **env}, capture_output=True, text=True, timeout=600)
    sys.stdout.write(done.stdout + done.stderr)
    return done


def ran(done):
    return int(re.search(r"Running (\d+) test", done.stdout)[1])


@pytest.mark.parametrize("suite", SUITES)
def test_the_suite_passes_on_postgresql(programs, postgres, suite):
    done = run(programs / suite, postgres.url())
    assert done.returncode == 0
    assert ran(done) >= 2 and "FAILED" not in done.stdout + done.stderr
