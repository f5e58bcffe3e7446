"""The edge router's own tests, by the test runner of Node.js, and what Lambda@Edge allows a package."""

import json
import re
import subprocess

import kit
import pytest

EDGE = kit.ROOT / "edge"
PACKAGE = json.loads((EDGE / "package.json").read_text())


@pytest.mark.parametrize("file", sorted(path.name for path in (EDGE / "test").glob("*.test.mjs")))
def test_router(file):
    done = subprocess.run(["node", "--test", "--test-reporter=tap", EDGE / "test" / file], capture_output=True, text=True)
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.M)
    assert done.returncode == 0 and passed and int(passed[1]) > 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_package_holds_what_it_imports_and_nothing_else():
    files = {name for name in PACKAGE["files"]}
    imported = {match for name in files for match in re.findall(r"""from ["']\./([^"']+)["']""", (EDGE / name).read_text())}
    assert imported <= files and "router.mjs" in files
    assert not PACKAGE.get("dependencies")
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html: 1 MB for a viewer's function, which the router may become
    assert sum((EDGE / name).stat().st_size for name in files) < 1_000_000
