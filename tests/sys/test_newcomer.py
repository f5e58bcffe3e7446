"""What `prism up` and the README print must work as printed."""

import re
import subprocess

from conftest import PRISM, ROOT, Region


def test_the_curl_lines_of_up_work_as_printed(tmp_path):
    region = Region(tmp_path / "data")
    said = region.run("up", "--detach").stdout
    lines = [l.replace("\\\n", " ") for l in re.findall(r"  (curl (?:.*\\\n)*.*)", said)]
    assert len(lines) == 2
    for line in lines:
        done = subprocess.run(["bash", "-c", line + " --fail-with-body"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    assert region.one("SELECT message FROM app") == "hello"
    assert region.one("SELECT body FROM logs") == "hello"
    collector = said[said.index("exporters:"):]
    assert f"endpoint: http://127.0.0.1:{region.port}" in collector and region.key in collector
    region.down()


def test_the_three_lines_of_the_readme_work_as_printed(tmp_path):
    region = Region(tmp_path / "data").up()
    block = re.search(r"## Send and query\n\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)
    lines = block.strip().splitlines()
    assert len(lines) == 3
    out = ""
    for line in lines:
        done = subprocess.run(["bash", "-c", line.replace("build/prism", str(PRISM))], capture_output=True, text=True, env=region.env, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        out += done.stdout
    assert "connection reset by peer" in out
    region.down()


def test_completion_is_valid_shell(tmp_path):
    for shell in ("bash",):
        script = subprocess.run([PRISM, "completion", shell], capture_output=True, text=True, check=True).stdout
        assert "prism" in script
        assert subprocess.run([shell, "-n"], input=script, text=True).returncode == 0
