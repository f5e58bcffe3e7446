"""One tenant that sends a hundred times its quota beside nine that keep to theirs: the nine's latency alone and beside it, and what they
lost. Requests are sent by the clock, not one behind the other, so a wait is counted for all that it held up."""

import http.client
import json
import pathlib
import re
import subprocess
import threading
import time

from measure import Region, arguments, percentile, scratch, table

OTHERS = 9
CONNECTIONS = 16  # of the flood


class Sender(threading.Thread):
    """So many requests a second; each one's latency is from when it was due."""

    def __init__(self, port, key, name, rate, seconds, start):
        super().__init__()
        self.port, self.key, self.name_, self.rate, self.seconds, self.start_at = port, key, name, rate, seconds, start
        self.latencies, self.lost = [], []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/x-ndjson"}
        for i in range(int(self.rate * self.seconds)):
            due = self.start_at + i / self.rate
            time.sleep(max(0, due - time.monotonic()))
            try:
                connection.request("POST", "/v1/ingest/logs", body=json.dumps({"n": i, "of": self.name_}), headers=headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.lost.append(answer.status)
            except OSError as error:
                self.lost.append(type(error).__name__)
                connection.close()
            self.latencies.append(time.monotonic() - due)


def flood(region, key, rate, seconds, folder):
    script = pathlib.Path(folder) / "flood.lua"
    script.write_text('wrk.method="POST"\nwrk.headers["Content-Type"]="application/x-ndjson"\nwrk.body="{\\"n\\":1}"\n'
                      f"function delay() return {int(1000 * CONNECTIONS / rate)} end\n")
    return subprocess.Popen(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds + 2}s", "-s", str(script), "-H", f"Authorization: Bearer {key}",
                             region.url + "/v1/ingest/flood"], stdout=subprocess.PIPE, text=True)


def tenant(region, name, rate):
    key = region.tenant(name)
    quotas = json.dumps({"quotas": {"requests_per_s": rate, "requests_burst": rate}})
    changed = region.call("PATCH", f"/v1/admin/tenants/{name}", key=region.admin_key, data=quotas, headers={"Content-Type": "application/json"})
    assert changed.status_code == 200, changed.text
    return key


def round_of(region, keys, args):
    start = time.monotonic() + 0.5
    # Under the quota by a twentieth: clocks of sender and gateway are not one.
    senders = [Sender(region.port, key, f"t{i}", args.rate * 0.95, args.seconds, start + i / args.rate / OTHERS) for i, key in enumerate(keys)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    latencies = [l * 1000 for sender in senders for l in sender.latencies]
    return len(latencies), percentile(latencies, 50), percentile(latencies, 99), sum(len(s.lost) for s in senders)


def main():
    args = arguments(seconds=60, rate=20, times=100)
    with scratch() as folder:
        region = Region(pathlib.Path(folder) / "data").up()
        try:
            noisy, keys = tenant(region, "noisy", args.rate), [tenant(region, f"quiet{i}", args.rate) for i in range(OTHERS)]
            alone = round_of(region, keys, args)
            process = flood(region, noisy, args.rate * args.times, args.seconds, folder)
            beside = round_of(region, keys, args)
            out = process.communicate()[0]
            total = int(re.search(r"(\d+) requests in", out).group(1))
            refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
            served = (total - int(refused.group(1) if refused else 0)) / (args.seconds + 2)
            rows = [[name, f"{n:,}", f"{p50:.2f} ms", f"{p99:.2f} ms", lost] for name, (n, p50, p99, lost) in (("alone", alone), ("beside the flood", beside))]
            table(["nine tenants", "requests", "p50", "p99", "lost"], rows)
            print(f"p99 beside / alone: {beside[2] / alone[2]:.2f}")
            print(f"the flood: {total / (args.seconds + 2):,.0f} requests/s sent, {served:.1f} served of a quota of {args.rate}")
        finally:
            region.down()


main()
