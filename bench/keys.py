"""Whether the time that a refusal takes tells what was wrong with a key. Classes of wrong keys take turns in an order drawn anew for each turn; each is
held against its neighbour by two tests that know nothing of the distributions' shape. Twice: of the authorizer's function alone (bench/keys.c), where
a fraction of a microsecond shows, and at a region's gateway, where those stand who might want to know.

Mann-Whitney's U as the probability that a call of the one took longer than one of the other (one half: nothing to be told) with the z of it being
chance, and how many calls of each somebody needs who wants to be sure; Kolmogorov and Smirnov's greatest distance D of the two distributions, and the D that chance passes once in a thousand times. The line
`unknown again` compares a class with itself: what the method makes of nothing. The line `right` is the other end: what opens may be told."""

import bisect
import collections
import datetime
import hashlib
import math
import pathlib
import random
import secrets
import subprocess
import sys
import time

from measure import BUILD, Region, Wire, arguments, median, scratch, table

# what, class, class, whether they must be alike
PAIRS = [("unknown again", "unknown", "unknown_too", True), ("revoked, of unknown", "revoked", "unknown", True),
         ("expired, of unknown", "expired", "unknown", True), ("revoked, of expired", "revoked", "expired", True),
         ("a living key's id before another secret, of nobody's id", "id_known", "id_unknown", True),
         ("a character short, of one too many", "short", "long", True), ("right, of unknown", "right", "unknown", False)]
APART_NS = 1000  # in the function: more than a read that finds a row takes longer than one that finds none
SURE = 4  # as z: what is told by it is told wrongly once in 16,000 times
POOL = 40  # keys of a class at the gateway


def mann_whitney(a, b):
    """Probability that a value of a is greater than one of b, and z."""
    counts = collections.Counter(a) + collections.Counter(b)
    ranks, below, ties = {}, 0, 0
    for value in sorted(counts):
        n = counts[value]
        ranks[value] = below + (n + 1) / 2
        below += n
        ties += n ** 3 - n
    n, m = len(a), len(b)
    u = sum(ranks[v] for v in a) - n * (n + 1) / 2
    sigma = math.sqrt(n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1))))
    return u / (n * m), (u - n * m / 2) / sigma


def kolmogorov_smirnov(a, b):
    a, b = sorted(a), sorted(b)
    distance = max(abs(bisect.bisect_right(a, v) / len(a) - bisect.bisect_right(b, v) / len(b)) for v in {*a, *b})
    return distance, math.sqrt(-math.log(0.001 / 2) / 2 * (len(a) + len(b)) / (len(a) * len(b)))


def compare(times):
    """The tables; the pairs that must be alike and are not, with the difference of their medians in nanoseconds."""
    table(["class", "calls", "median"], [[name, f"{len(values):,}", f"{median(values) / 1000:.2f} us"] for name, values in sorted(times.items())])
    print()
    rows, told = [], []
    for what, first, second, alike in PAIRS:
        if not times[first] or not times[second]:
            continue
        a, b = times[first], times[second]
        (p, z), (d, chance) = mann_whitney(a, b), kolmogorov_smirnov(a, b)
        difference = median(a) - median(b)
        if alike and abs(z) > SURE:
            told.append((what, difference))
        needed = f"{math.ceil(SURE ** 2 / 6 / (p - 0.5) ** 2):,}" if abs(z) > SURE else ""
        rows.append([what, f"{difference:+,.0f} ns", f"{p:.4f}", f"{z:+.1f}", needed, f"{d:.4f}", f"{chance:.4f}"])
    table(["compared", "medians", "P(longer)", "z", "calls to be sure", "D", "D by chance"], rows)
    print(f"told apart: {', '.join(what for what, _ in told) or 'nothing'}")
    return told


def in_the_function(turns, folder):
    times = collections.defaultdict(list)
    out = subprocess.run([BUILD / "bench" / "keys", folder, str(turns)], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        name, ns = line.split()
        times[name].append(int(ns))
    return compare(times)


def drawn():
    secret = secrets.token_bytes(24)
    return f"prism_{hashlib.sha256(secret).hexdigest()[:16]}_{secret.hex()}"


def issued(region, **body):
    answer = region.call("POST", "/v1/admin/tenants/bench/keys", key=region.admin_key, json={"scopes": ["ingest"], **body})
    assert answer.status_code == 201, answer.text
    return answer.json()["key"]


def pools(region):
    """Keys by class. None of a class has a character in common with one of another but by chance."""
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=10)
    region.run("tenant", "create", "bench")
    found = {"expired": [issued(region, expires=soon.strftime("%Y-%m-%dT%H:%M:%SZ")) for _ in range(POOL)],
             "revoked": [issued(region) for _ in range(POOL)],
             "id_known": [issued(region)[:22] + drawn()[22:] for _ in range(POOL)],
             "id_unknown": [drawn()[:22] + drawn()[22:] for _ in range(POOL)],
             "unknown": [drawn() for _ in range(POOL)], "unknown_too": [drawn() for _ in range(POOL)],
             "short": [drawn()[:-1] for _ in range(POOL)], "long": [drawn() + "0" for _ in range(POOL)]}
    for key in found["revoked"]:
        assert region.call("DELETE", f"/v1/admin/tenants/bench/keys/{key.split('_')[1]}", key=region.admin_key).status_code < 300
    time.sleep(max(0, (soon - datetime.datetime.now(datetime.timezone.utc)).total_seconds() + 1))
    return found


def at_the_gateway(turns, folder):
    region = Region(pathlib.Path(folder) / "data", env={"PRISM_REGION_WRONG_KEYS_MAX": "0"}).up()
    times = collections.defaultdict(list)
    try:
        wire, found = Wire(region.port), pools(region)
        requests = {name: [wire.request("POST", "/v1/query", b"{}", {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
                           for key in keys] for name, keys in found.items()}
        order = list(requests)
        for turn in range(-POOL, turns):
            random.shuffle(order)
            for name in order:
                begin = time.perf_counter_ns()
                answer = wire.call(requests[name][turn % POOL])
                took = time.perf_counter_ns() - begin
                assert answer.startswith(b"HTTP/1.1 401 "), answer
                if turn >= 0:
                    times[name].append(took)
    finally:
        region.down()
    compare(times)


def main():
    args = arguments(turns=20000)
    with scratch() as folder:
        print("In the function:\n")
        told = in_the_function(args.turns, folder)
        print("\nAt the gateway:\n")
        at_the_gateway(args.turns // 4, folder)
    return any(abs(difference) > APART_NS for _, difference in told)


sys.exit(main())
