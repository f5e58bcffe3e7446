"""`prism up` on a new folder, and on existing data: exec to the first answer over HTTP; idle memory of the region process."""

import http.client
import pathlib
import subprocess
import time

from measure import PRISM, Region, arguments, median, rss_bytes, scratch, table


def main():
    args = arguments(runs=15)
    with scratch() as folder:
        region = Region(pathlib.Path(folder) / "data").up()
        region.ingest("d", [{"n": i} for i in range(1000)])
        region.run("tick", "seal")
        region.down()
        ready, answered, query, idle = [], [], [], []
        for _ in range(args.runs):
            started = time.perf_counter()
            subprocess.run([PRISM, "up", "--detach"], env=region.env, check=True, stdout=subprocess.DEVNULL)
            ready.append(time.perf_counter() - started)
            while True:
                try:
                    c = http.client.HTTPConnection("127.0.0.1", region.port, timeout=5)
                    c.request("GET", "/v1/health")
                    c.getresponse().read()
                    break
                except OSError:
                    pass
            answered.append(time.perf_counter() - started)
            assert region.one("SELECT count(*) FROM d") == 1000
            query.append(time.perf_counter() - started)
            time.sleep(1.5)
            idle.append(rss_bytes(region.pid))
            region.down()
        new = []
        for n in range(args.runs):
            fresh = Region(pathlib.Path(folder) / f"new-{n}")
            started = time.perf_counter()
            subprocess.run([PRISM, "up", "--detach"], env=fresh.env, check=True, stdout=subprocess.DEVNULL)
            new.append(time.perf_counter() - started)
            fresh.down()
        plain = []
        for _ in range(args.runs):
            started = time.perf_counter()
            subprocess.run(["/bin/true"], check=True)
            plain.append(time.perf_counter() - started)
        ms = lambda v: f"{median(v) * 1e3:.1f} ms"
        table(["", "median"], [["prism up --detach returns on a new folder", ms(new)],
                               ["prism up --detach returns (region ready)", ms(ready)], ["first HTTP answer", ms(answered)],
                               ["first SQL answer over existing data", ms(query)], ["/bin/true, started the same way", ms(plain)],
                               ["idle memory of the region process (RSS)", f"{median(idle) / 2**20:.1f} MiB"]])


main()
