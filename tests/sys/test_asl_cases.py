"""State machine cases recorded on AWS, run by `prism workflow run`; they stand beside the project, not in it."""

import re
import subprocess
import sys

import pytest

from conftest import PRISM, ROOT

CASES = ROOT.parent / "shared" / "asl"

pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the recorded cases are not here")


@pytest.mark.parametrize("chosen, at_least", [
    (["--ql", "JSONPath"], 370), (["--ql", "JSONata"], 60), (["--ql", "all", "--lambda-stub", "--only-needs"], 40),
], ids=["JSONPath", "JSONata", "functions"])
def test_every_case_ends_as_on_aws(chosen, at_least):
    command = f"{PRISM} workflow run {{definition}} --input {{input_json}} --type {{type}}"
    done = subprocess.run([sys.executable, CASES / "run.py", "--cmd", command, "--jobs", "4", "--cause", "exact", "--timeout", "120", *chosen,
                           CASES / "cases.jsonl"], capture_output=True, text=True, timeout=900)
    passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", done.stdout).groups())
    assert failed == 0, done.stdout[-4000:]
    assert passed >= at_least
