"""Records over HTTP to queryable Parquet: CPU seconds per million records, all processes counted, beside
VictoriaLogs taking the same records, and beside DuckDB turning the same file into Parquet.

The sender is the same for both servers (plain NDJSON bodies of about 4 MB over two kept connections) and not
counted; `prism send` with its compression is measured too, with the sender counted."""

import http.client
import json
import pathlib
import resource
import subprocess
import threading
import time

import duckdb
from conftest import free_port

from measure import BUILD, Region, arguments, cpu_seconds, folder_bytes, logs, scratch, setup_path, table

BATCH = 4_000_000


def batches(path):
    with path.open("rb") as f:
        while True:
            block = f.read(BATCH)
            if not block:
                return
            yield block + f.readline()


def post_all(port, target, headers, path, connections=2):
    source, lock, failures = batches(path), threading.Lock(), []

    def work():
        http_ = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            with lock:
                body = next(source, None)
            if body is None:
                return
            http_.request("POST", target, body, headers)
            answer = http_.getresponse()
            text = answer.read()
            if answer.status >= 300:
                failures.append((answer.status, text[:200]))

    threads = [threading.Thread(target=work) for _ in range(connections)]
    started = time.time()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures[:3]
    return time.time() - started


def prism(folder, path, records, sender):
    region = Region(pathlib.Path(folder) / "prism").up()
    pid = region.pid
    region.one("SELECT 1")
    before, mine = cpu_seconds(pid), resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.time()
    if sender == "plain":
        post_all(region.port, "/v1/ingest/bench", {"Authorization": f"Bearer {region.key}", "Content-Type": "application/x-ndjson"}, path)
        client = 0
    else:
        region.run("send", path, "--dataset", "bench", timeout=600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        client = after.ru_utime + after.ru_stime - mine.ru_utime - mine.ru_stime
    accepted_wall, accepted = time.time() - started, cpu_seconds(pid) - before
    region.run("tick", "seal", timeout=600)
    sealed = cpu_seconds(pid) - before
    size = folder_bytes(region.data / "segments")
    assert region.one("SELECT count(*) FROM bench") == records
    before_compact = cpu_seconds(pid)
    region.run("tick", "compact", timeout=600)
    compacted = cpu_seconds(pid) - before_compact
    compact_size = folder_bytes(region.data / "analytics")
    region.down()
    return dict(accept=accepted, sealed=sealed, client=client, wall=accepted_wall, size=size, compact=compacted, compact_size=compact_size)


def victorialogs(folder, path, records):
    home = setup_path("victoria-logs")
    if not home:
        return None
    port, data = free_port(), pathlib.Path(folder) / "vl"
    server = subprocess.Popen([home / "bin" / "victoria-logs", f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=10y"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=1).request("GET", "/health")
                break
            except OSError:
                time.sleep(0.05)
        before = cpu_seconds(server.pid)
        wall = post_all(port, "/insert/jsonline?_stream_fields=service,host&_time_field=time&_msg_field=message",
                        {"Content-Type": "application/stream+json"}, path)
        # Acknowledged is not yet on disk there: it flushes every 5 s. Wait for that, and until its CPU is quiet.
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        c.request("GET", "/internal/force_flush")
        c.getresponse().read()
        time.sleep(7)
        last = cpu_seconds(server.pid)
        for _ in range(30):
            time.sleep(2)
            now = cpu_seconds(server.pid)
            if now - last < 0.05:
                break
            last = now
        cpu = cpu_seconds(server.pid) - before
        c.request("GET", "/select/logsql/stats_query?query=*%20%7C%20stats%20count()%20rows")
        counted = json.loads(c.getresponse().read())["data"]["result"][0]["value"][1]
        assert int(counted) == records, counted
        return dict(cpu=cpu, wall=wall, size=folder_bytes(data))
    finally:
        server.terminate()
        server.wait()


def duckdb_alone(folder, path):
    out = pathlib.Path(folder) / "alone.parquet"
    program = (f"import duckdb,resource;c=duckdb.connect();c.execute(\"SET threads=2; SET enable_progress_bar=false\");"
               f"c.execute(\"COPY (SELECT * FROM read_ndjson('{path}')) TO '{out}' (FORMAT parquet, COMPRESSION zstd)\");"
               f"u=resource.getrusage(resource.RUSAGE_SELF);print(u.ru_utime+u.ru_stime)")
    import sys
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return dict(cpu=float(done.stdout), size=out.stat().st_size)


def main():
    args = arguments(records=1_000_000)
    million = args.records / 1e6
    with scratch() as folder:
        path = logs(args.records, folder)
        reference = victorialogs(folder, path, args.records)
        alone = duckdb_alone(folder, path)
        plain = prism(pathlib.Path(folder) / "a", path, args.records, "plain")
        send = prism(pathlib.Path(folder) / "b", path, args.records, "send")
    rows = []

    def row(name, cpu, size, wall=None):
        rows.append([name, f"{cpu / million:.2f}", f"{args.records / cpu:,.0f}", f"{size / million / 1e6:.1f}",
                     f"{reference['cpu'] / cpu:.2f}" if reference else "-", f"{wall:.1f}" if wall else ""])

    if reference:
        row("VictoriaLogs, HTTP to disk", reference["cpu"], reference["size"], reference["wall"])
    row("DuckDB alone, file to Parquet (no HTTP, no durability)", alone["cpu"], alone["size"])
    row("Prism, plain HTTP, accepted on stable storage", plain["accept"], plain["size"], plain["wall"])
    row("Prism, plain HTTP to queryable Parquet", plain["sealed"], plain["size"])
    row("Prism, prism send to queryable Parquet, sender counted", send["sealed"] + send["client"], send["size"], send["wall"])
    row("Prism, the compaction that follows", plain["compact"], plain["compact_size"])
    table(["", "CPU s / M records", "records / CPU s", "MB / M records", "x VictoriaLogs", "wall s"], rows)


main()
