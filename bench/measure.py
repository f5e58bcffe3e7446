"""What the benchmarks share: CPU of process trees, medians, tables, where the build is."""

import argparse
import os
import pathlib
import re
import socket
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


class Wire:
    """One kept connection that sends ready bytes and knows when an answer is whole, and nothing else: what a client
    library does with headers and objects (0.2 ms and more a request in Python) is not the server's time."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, method, path, body, headers):
        lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def call(self, request):
        """The bytes of the answer: head and body, as they came."""
        self.socket.sendall(request)
        answer, whole = b"", None
        while whole is None or not whole(answer):
            piece = self.socket.recv(1 << 18)
            if not piece:
                raise ConnectionError(f"the region closed the connection behind {answer[-200:]!r}")
            answer += piece
            if whole is None and b"\r\n\r\n" in answer:
                whole = self.measure_of(answer)
        return answer

    @staticmethod
    def measure_of(answer):
        head = answer[:answer.index(b"\r\n\r\n") + 4]
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if length:
            return lambda so_far: len(so_far) >= len(head) + int(length[1])
        return lambda so_far: so_far.endswith(b"\r\n0\r\n\r\n")

    @staticmethod
    def body_of(answer):
        head, rest = answer.split(b"\r\n\r\n", 1)
        if b"chunked" not in head.lower():
            return rest
        body = b""
        while (size := int(rest[:rest.index(b"\r\n")], 16)) > 0:
            at = rest.index(b"\r\n") + 2
            body, rest = body + rest[at:at + size], rest[at + size + 2:]
        return body


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


__all__ = ["BUILD", "PRISM", "ROOT", "Region", "Wire", "arguments", "children_of", "cpu_seconds", "folder_bytes", "logs", "median",
           "peak_rss_bytes", "percentile", "rss_bytes", "scratch", "setup_path", "table"]
