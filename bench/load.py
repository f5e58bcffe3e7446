"""A generator of load that is the same for whoever is measured (wrk), on a processor of its own, and what it and the server used of theirs."""

import contextlib
import os
import pathlib
import re
import resource
import subprocess
import tempfile

from measure import cpu_seconds

HEADER = ["", "requests/s", "of a core", "requests / CPU s", "p50", "p99", "p99.9", "errors", "generator"]
# wrk's own table ends with 99 %.
SCRIPT = """
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("told %d %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


def processors():
    """(of the server, of the generator): one each, so that a second of the server's is a second of one core."""
    mine = sorted(os.sched_getaffinity(0))
    return {mine[0]}, {mine[-1]}


@contextlib.contextmanager
def on(processor):
    """What is started inside runs there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processor)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def wrk(url, connections, seconds, pids, key=None, body=None):
    """A row of the table: the server is the processes below pids."""
    script = SCRIPT
    if body is not None:
        script += f'wrk.method="POST"\nwrk.headers["Content-Type"]="application/json"\nwrk.body="{body}"\n'
    with tempfile.TemporaryDirectory(prefix="prism-bench-") as folder, on(processors()[1]):
        path = pathlib.Path(folder) / "load.lua"
        path.write_text(script)
        command = ["wrk", "-t1", f"-c{connections}", "-s", str(path), *(["-H", f"Authorization: Bearer {key}"] if key else [])]
        subprocess.run([*command, "-d2s", url], capture_output=True, check=True)  # warms up
        server, own = sum(map(cpu_seconds, pids)), resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run([*command, f"-d{seconds}s", url], capture_output=True, text=True, check=True).stdout
        used, after = sum(map(cpu_seconds, pids)) - server, resource.getrusage(resource.RUSAGE_CHILDREN)
    count, took_us, p50, p99, p999, errors = map(int, re.search(r"^told (.*)$", out, re.MULTILINE).group(1).split())
    generator = after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime
    took = took_us / 1e6
    return [f"{count / took:,.0f}", f"{used / took:.2f}", f"{count / used:,.0f}" if used else "", *(f"{us / 1000:.2f} ms" for us in (p50, p99, p999)),
            errors, f"{generator / took:.2f}"]
