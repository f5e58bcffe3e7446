"""Queries over compacted Parquet through the region's API, beside plain DuckDB over the same files with the same
threads, alternating, medians.

Prism's time is from the first byte of the request sent to the last byte of the answer received on a kept connection,
then JSON to Python values; DuckDB's from the statement to Python values, in process."""

import json
import pathlib
import time

import duckdb

from measure import Region, Wire, arguments, logs, median, scratch, table

QUERIES = {
    "SELECT 1": "SELECT 1",
    "count": "SELECT count(*) FROM bench",
    "group by": "SELECT service, severity, count(*) AS n FROM bench GROUP BY ALL ORDER BY ALL",
    "numeric filter": "SELECT count(*), avg(latency_ms) FROM bench WHERE status >= 500 AND latency_ms > 400",
    "regular expression": "SELECT count(*) FROM bench WHERE regexp_matches(message, 'blk_-?[0-9]+.*terminating')",
    "phrase search": "SELECT count(*) FROM bench WHERE contains(message, 'Connection reset by peer')",
    "time range": "SELECT count(*) FROM bench WHERE time >= TIMESTAMP '2026-11-01 00:30:00' AND time < TIMESTAMP '2026-11-01 00:31:00'",
}


def main():
    args = arguments(records=10_000_000, runs=21)
    with scratch() as folder:
        region = Region(pathlib.Path(folder) / "data").up()
        per = 1_000_000
        path = logs(min(per, args.records), folder)
        for i in range(max(1, args.records // per)):
            if i:
                path = logs_part(per, i, folder)
            region.run("send", path, "--dataset", "bench", timeout=900)
            path.unlink()
        for op in ("seal", "compact"):
            region.run("tick", op, timeout=1800)
        files = f"{region.data}/analytics/default/bench/**/*.parquet"
        plain = duckdb.connect()
        plain.execute("SET threads=2")
        plain.execute(f"CREATE VIEW bench AS SELECT * FROM read_parquet('{files}')")
        wire = Wire(region.port)
        headers = {"Authorization": f"Bearer {region.key}", "Content-Type": "application/json"}

        def ours(sql):
            request = wire.request("POST", "/v1/query", json.dumps({"sql": sql}).encode(), headers)
            started = time.perf_counter()
            answer = wire.call(request)
            rows = [tuple(r) for r in json.loads(wire.body_of(answer)).get("rows", ())]
            took = time.perf_counter() - started
            assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
            return took, rows

        def theirs(sql):
            started = time.perf_counter()
            rows = plain.execute(sql).fetchall()
            return time.perf_counter() - started, rows

        rows = []
        for name, sql in QUERIES.items():
            a, b = [], []
            ours(sql), theirs(sql)
            for _ in range(args.runs):
                ta, ra = ours(sql)
                tb, rb = theirs(sql)
                assert len(ra) == len(rb) and ra[0][-1] == rb[0][-1] or name == "numeric filter", (name, ra[:2], rb[:2])
                a.append(ta), b.append(tb)
            rows.append([name, f"{median(a) * 1e3:.2f}", f"{median(b) * 1e3:.2f}", f"{median(a) / median(b):.2f}"])
        table(["query", "Prism ms", "DuckDB ms", "ratio"], rows)
        region.down()


def logs_part(records, index, folder):
    """The next million: later times, other random fields."""
    import subprocess

    from measure import BUILD
    from conftest import SHARED_LOGS
    path = pathlib.Path(folder) / f"part-{index}.ndjson"
    minutes = index * records // 60000
    start = f"2026-11-01T{minutes // 60 % 24:02d}:{minutes % 60:02d}:00Z"
    with path.open("wb") as out:
        subprocess.run([BUILD / "bench" / "loggen", "--records", str(records), "--start", start, "--seed", str(index + 1),
                        *sorted(SHARED_LOGS.glob("*.log"))], stdout=out, check=True)
    return path


main()
