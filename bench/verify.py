"""`prism verify` on the plans of the global stack and two regions, beside checkov on the same plans. Both read the same JSON; checkov knows
some thousand rules for any project, prism verify Prism's own."""

import os
import pathlib
import subprocess
import sys
import time

from measure import PRISM, ROOT, median, setup_path, table

ROUNDS, CHECKOV_ROUNDS = 20, 3


def plans():
    """Made anew when anything that they come from is newer."""
    folder = ROOT / "build" / "infra-plans"
    sources = [f for d in ("infra", "platform", "edge", "tests/infra") for f in (ROOT / d).rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    files = [folder / f"{name}.json" for name in ("global", "us-east-1", "eu-west-1")]
    if not all(f.exists() and f.stat().st_mtime > max(s.stat().st_mtime for s in sources) for f in files):
        print("making the plans (some minutes) ...", flush=True)
        subprocess.run([setup_path("venv-infra") / "bin" / "python", ROOT / "tests" / "infra" / "make_plans.py", folder], check=True,
                       stdout=subprocess.DEVNULL)
    return files


def timed(arguments, good):
    start = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, env={**os.environ, "LOG_LEVEL": "ERROR"})
    took = time.perf_counter() - start
    if done.returncode not in good:
        sys.exit(f"{arguments[0]}: exit {done.returncode}\n{done.stdout.decode()[-2000:]}\n{done.stderr.decode()[-2000:]}")
    return took


def main():
    if not setup_path("venv-checkov"):
        sys.exit("checkov is missing: run tools/setup infra")
    files = plans()
    mine = [PRISM, "verify", "--format", "json", "--infra", ROOT / "infra", "--platform", ROOT / "platform", *[a for f in files for a in ("--plan", f)]]
    theirs = [setup_path("venv-checkov") / "bin" / "checkov", "--framework", "terraform_plan", "--skip-download", "--compact", "--quiet", "--output", "json",
              *[a for f in files for a in ("--file", f)]]
    timed(mine, (0, 4))
    prism, checkov = [], []
    for i in range(ROUNDS):
        prism.append(timed(mine, (0, 4)))
        if i % (ROUNDS // CHECKOV_ROUNDS + 1) == 0:
            checkov.append(timed(theirs, (0, 1)))
    size = sum(pathlib.Path(f).stat().st_size for f in files)
    print(f"{len(files)} plans, {size / 1e6:.1f} MB of JSON; median of {len(prism)} and {len(checkov)} runs, whole processes")
    table(["", "seconds"], [["prism verify", f"{median(prism):.3f}"], ["checkov", f"{median(checkov):.2f}"]])
    print(f"prism verify is {median(checkov) / median(prism):.0f} times as fast")


if __name__ == "__main__":
    main()
