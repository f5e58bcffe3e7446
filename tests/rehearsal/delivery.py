#!/usr/bin/env python3
"""make rehearse-delivery - the project's own platform/pipeline.json, dev to staging to prod, with what can be had without AWS.

  Terraform, provider, state, lock, artifacts   the real programs on an emulator of AWS (tests/infra/emulator), both regions
  rollouts, bakes, alarms, requests             `prism up --regions` for each environment: Lambda's and CloudWatch's protocols on its sockets
  approvals, promotion, ways back, audit log    `prism pipeline` itself

An overlay (docs/design/pipeline.md) leads the steps there and shortens times; the list is the file's. Then changes that are bad, each under
requests, and one whose pipeline is killed at every step. What happened is printed stage by stage; the exit code is 1 when it was not as it should be.

With --keep the emulator and the regions go on when this ends, however it does. The same folder again goes on where it was: with the run that was
on its way, and with the acts that have not come out right yet. --end stops what runs there."""

import argparse
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("sys", "infra", "rehearsal")]

from acts import ACTS, Report  # noqa: E402
from delivery_kit import ENVIRONMENTS  # noqa: E402
from world import World  # noqa: E402


def chosen_of(arguments):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--until", choices=ENVIRONMENTS, default="prod", help="the last environment of the first act")
    options.add_argument("--acts", help=f"of {', '.join(ACTS)}; without it all that did not come out right yet. The first is the ground for the others")
    options.add_argument("--without-terraform", action="store_true", help="a program answers in its place: minutes instead of an hour")
    options.add_argument("--requests", type=int, default=20000, help="at least so many of them in each act")
    options.add_argument("--keep", metavar="FOLDER", type=pathlib.Path, help="where everything is put, and runs on")
    options.add_argument("--end", action="store_true", help="stop what runs in the folder of --keep")
    chosen = options.parse_args(arguments)
    unknown = set((chosen.acts or "good").split(",")) - set(ACTS)
    if unknown:
        options.error(f"no such act: {', '.join(sorted(unknown))}")
    if chosen.end and not chosen.keep:
        options.error("--end takes --keep FOLDER")
    return chosen


def play(world, report, stages, acts):
    right = world.kept["right"]
    names = [name for name in ACTS if (name in acts.split(",") if acts else name not in right) or (name == "good" and name not in right)]
    if world.kept["doing"] and world.kept["doing"]["act"] not in names:
        raise SystemExit(f"act {world.kept['doing']['act']} is on its way there: go on with it first")
    for name in names:
        before = len(report.wrong)
        ACTS[name](world, report, stages)
        world.done(name, len(report.wrong) == before)
        if name == "good" and report.wrong:
            break


def main(arguments=None):
    chosen = chosen_of(arguments)
    folder = chosen.keep.resolve() if chosen.keep else pathlib.Path(tempfile.mkdtemp(prefix="prism-rehearsal-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    if chosen.end:
        World.end(folder)
        report.say(f"nothing runs in {folder} any more")
        return 0
    world = World(folder, report, ENVIRONMENTS[:ENVIRONMENTS.index(chosen.until) + 1], chosen.requests, not chosen.without_terraform)
    try:
        play(world, report, list(world.fleets), chosen.acts)
    finally:
        (folder / "history.txt").write_text(world.rehearsal("history").stdout)
        if not chosen.keep:
            world.close()
    report.say(f"{'all as it should be' if not report.wrong else f'{len(report.wrong)} things were not as they should be:'}")
    for what in report.wrong:
        report.say(f"  WRONG  {what}")
    if chosen.keep or report.wrong:
        report.say(f"{folder} has the log (history.txt), the store, the regions{', which run on' if chosen.keep else ''}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
