"""Small requests from the gateway through the cached authorizer result to a function and back, load generator on the
same cores; beside the same server answering by itself (the mock route, no function). Plain and over TLS 1.3. Beside other servers: nginx.py."""

import pathlib
import re
import subprocess

from conftest import free_port
from measure import Region, arguments, scratch, table


def wrk(region, url, connections, seconds, script=None):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Authorization: Bearer {region.key}"]
    if script:
        command += ["-s", str(script)]
    out = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    p = {m.group(1): m.group(2) for m in re.finditer(r"\s+(50|90|99)%\s+(\S+)", out)}
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return rate, p.get("50"), p.get("99"), int(errors.group(1)) if errors else 0


def main():
    args = arguments(seconds=8, connections=32)
    with scratch() as folder:
        region, tls_port = Region(pathlib.Path(folder) / "data"), free_port()
        region.run("up", "--detach", "--tls-port", tls_port)
        script = pathlib.Path(folder) / "post.lua"
        script.write_text('wrk.method="POST"\nwrk.headers["Content-Type"]="application/json"\nwrk.body="{}"\n')
        rows = []
        for name, path, lua in [("mock route: server alone", "/v1/health", None), ("gateway, authorizer, function", "/v1/logs", script)]:
            for how, url in [("", region.url + path), (", TLS 1.3", f"https://localhost:{tls_port}{path}")]:
                wrk(region, url, args.connections, 2, lua)
                rate, p50, p99, errors = wrk(region, url, args.connections, args.seconds, lua)
                rows.append([name + how, f"{rate:,.0f}", p50, p99, errors])
        table(["", "requests/s", "p50", "p99", "errors"], rows)
        region.down()


main()
