"""The tables' suite, which ctest runs on SQLite, once more on DynamoDB as moto has it, without and with TLS.

moto comes with `tools/setup infra`; the suite is the unit test's own program, of the build that is under test."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import pytest

from conftest import ROOT, free_port

PRESET = os.environ.get("PRISM_BUILD", "release").replace("release", "dev")  # release has no unit tests
HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def suite():
    subprocess.run([ROOT / "tools" / "build", PRESET, "--target", "test_store_tables"], check=True, stdout=subprocess.DEVNULL)
    return ROOT / "build" / PRESET / "bin" / "test_store_tables"


@contextlib.contextmanager
def dynamodb(*arguments):
    """Its port."""
    found = subprocess.run([ROOT / "tools" / "setup", "--path", "venv-infra"], capture_output=True, text=True)
    assert found.returncode == 0, "moto is missing: run tools/setup infra"
    port = free_port()
    emulator = subprocess.Popen([f"{found.stdout.strip()}/bin/python", HERE / "dynamodb_emulator.py", str(port), *arguments],
                                stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            assert emulator.poll() is None, "the emulator ended"
            time.sleep(0.1)
        yield port
    finally:
        emulator.terminate()
        emulator.wait(10)


def run(suite, endpoint, ca_file="", tests="*"):
    env = {**os.environ, "PRISM_TEST_DYNAMODB": endpoint, "PRISM_TEST_CA_FILE": str(ca_file)}
    done = subprocess.run([suite, tests], env=env, capture_output=True, text=True, timeout=300)
    sys.stdout.write(done.stdout + done.stderr)
    return done


def test_the_suite_of_tables_passes_on_dynamodb(suite):
    with dynamodb() as port:
        done = run(suite, f"http://127.0.0.1:{port}")
    assert done.returncode == 0
    ran = int(re.search(r"Running (\d+) test", done.stdout)[1])
    assert ran >= 13 and f"[  PASSED  ] {ran} test(s)" in done.stderr + done.stdout


def test_the_service_is_trusted_by_its_certificate_alone(suite, tmp_path):
    ca_file = tmp_path / "ca.pem"
    with dynamodb(str(ca_file)) as port:
        trusted = run(suite, f"https://localhost:{port}", ca_file, "an_item_comes_back*")
        unknown = run(suite, f"https://localhost:{port}", "", "an_item_comes_back*")
        other_name = run(suite, f"https://127.0.0.1:{port}", ca_file, "an_item_comes_back*")
    assert trusted.returncode == 0
    for refused in unknown, other_name:
        assert refused.returncode != 0 and "UNAVAILABLE: dynamodb CreateTable" in refused.stderr and "TLS failed" in refused.stderr
