"""JSONata expressions a second (bench/expressions.c), beside the official module under Node.js where there is one (expressions.mjs)."""

import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile

from measure import BUILD, ROOT, arguments

ORDER = {"id": "o-1", "customer": {"name": "Ada", "vip": True}, "lines": [{"sku": f"s{i}", "price": i * 1.5, "count": i} for i in range(1, 6)]}
ITEMS = {"items": [{"id": i, "name": f"item {i}", "tags": ["a", "b"], "price": i / 4} for i in range(1000)]}
CASES = [
    ("path", "$states.input.customer.name", ORDER),
    ("condition", "$states.input.customer.vip = true and $count($states.input.lines) > 3", ORDER),
    ("arithmetic", "$states.input.lines[0].price * 2 + 1", ORDER),
    ("object", "{'id': $states.input.id, 'to': $states.input.customer.name, 'n': $count($states.input.lines)}", ORDER),
    ("sum of lines", "$sum($states.input.lines.(price * count))", ORDER),
    ("map with a function", "$map($states.input.lines, function($l) { $l.sku & ':' & $l.count })", ORDER),
    ("path in 60 KB", "$states.input.items[999].name & ''", ITEMS),
    ("beside 60 KB", "$states.input.name & '!'", {"name": "Ada", **ITEMS}),
    ("filter of 1,000", "$count($states.input.items[price > 100])", ITEMS),
]


def rates(command):
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: float(rate) for name, rate in (line.split("\t") for line in lines)}


def medians(runs):
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main():
    args = arguments(runs=3, ms=500)
    program = BUILD / "bench" / "expressions"
    node = shutil.which("node")
    module = subprocess.run([ROOT / "tools" / "setup", "--path", "jsonata"], check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        cases = pathlib.Path(folder) / "cases.json"
        cases.write_text(json.dumps([dict(zip(("name", "expression", "input"), case)) for case in CASES]))
        ours, theirs = [], []
        for _ in range(args.runs):
            ours.append(rates([program, cases, str(args.ms)]))
            if node:
                theirs.append(rates([node, ROOT / "bench" / "expressions.mjs", f"{module}/jsonata.js", cases, str(args.ms)]))
    print(f"opening an engine: {rates([program, '--open', '20'])['open']:,.0f} us")
    print("| expression | Prism / CPU s | Node.js / CPU s | ratio |\n|---|---|---|---|")
    ours, theirs = medians(ours), medians(theirs) if theirs else {}
    for name, rate in ours.items():
        other = theirs.get(name)
        print(f"| {name} | {rate:,.0f} | {f'{other:,.0f} | {rate / other:.2f}' if other else ' | '} |")


main()
