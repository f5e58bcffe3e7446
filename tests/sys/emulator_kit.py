"""moto on a loopback port for the tests that run Prism's own suites on it; it comes with `tools/setup infra`."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

from conftest import ROOT, free_port

PRESET = os.environ.get("PRISM_BUILD", "release").replace("release", "dev")  # release has no unit tests
HERE = pathlib.Path(__file__).resolve().parent


def build_suite(name):
    """The unit test's own program, of the build that is under test."""
    subprocess.run([ROOT / "tools" / "build", PRESET, "--target", name], check=True, stdout=subprocess.DEVNULL)
    return ROOT / "build" / PRESET / "bin" / name


def venv_python():
    found = subprocess.run([ROOT / "tools" / "setup", "--path", "venv-infra"], capture_output=True, text=True)
    assert found.returncode == 0, "moto is missing: run tools/setup infra"
    return f"{found.stdout.strip()}/bin/python"


@contextlib.contextmanager
def emulator(*arguments):
    """Its port."""
    port = free_port()
    process = subprocess.Popen([venv_python(), HERE / "aws_emulator.py", str(port), *arguments], stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            assert process.poll() is None, "the emulator ended"
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def run_suite(suite, tests="*", **environment):
    done = subprocess.run([suite, tests], env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)
    sys.stdout.write(done.stdout + done.stderr)
    return done


def all_passed(done, at_least):
    """Whether all tests of a suite ran and passed, and there were that many."""
    ran = int(re.search(r"Running (\d+) test", done.stdout + done.stderr)[1])
    return done.returncode == 0 and ran >= at_least and f"[  PASSED  ] {ran} test(s)" in done.stderr + done.stdout
