"""What the benchmarks share: CPU of process trees, medians, tables, where the build is."""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile

from conftest import BUILD, PRISM, ROOT, SHARED_LOGS, Region, children_of

TICK = os.sysconf("SC_CLK_TCK")


def arguments(**defaults):
    parser = argparse.ArgumentParser()
    for name, value in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    return parser.parse_args()


def cpu_seconds(pid):
    """User and system time of a process, its living descendants, and those it has reaped."""
    total = 0
    for p in [pid, *children_of(pid)]:
        try:
            fields = pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(map(int, fields[11:15]))
        except OSError:
            pass
    return total / TICK


def rss_bytes(pid):
    """Private and shared resident memory (Pss would need root of others)."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def peak_rss_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def folder_bytes(path):
    return sum(f.stat().st_size for f in pathlib.Path(path).rglob("*") if f.is_file())


def logs(records, folder):
    """NDJSON from the real logs by loggen; the same bytes every time."""
    path = pathlib.Path(folder) / f"logs-{records}.ndjson"
    with path.open("wb") as out:
        subprocess.run([BUILD / "bench" / "loggen", "--records", str(records), *sorted(SHARED_LOGS.glob("*.log"))], stdout=out, check=True)
    return path


def setup_path(part):
    done = subprocess.run([ROOT / "tools" / "setup", "--path", part], capture_output=True, text=True)
    return pathlib.Path(done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else None


def median(values):
    return statistics.median(values)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def table(header, rows):
    cells = [header, *[[str(c) for c in r] for r in rows]]
    widths = [max(len(r[i]) for r in cells) for i in range(len(header))]
    for r in cells:
        print("| " + " | ".join(c.ljust(w) for c, w in zip(r, widths)) + " |")
        if r is header:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|")


def scratch():
    return tempfile.TemporaryDirectory(prefix="prism-bench-")


__all__ = ["BUILD", "PRISM", "ROOT", "Region", "arguments", "children_of", "cpu_seconds", "folder_bytes", "logs", "median",
           "peak_rss_bytes", "percentile", "rss_bytes", "scratch", "setup_path", "table"]
