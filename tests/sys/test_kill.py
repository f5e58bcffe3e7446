"""kill -9 of the whole process tree at random moments: nothing answered is lost, nothing doubled."""

import json
import os
import random
import shutil
import subprocess
import time

import duckdb
import pytest

from conftest import PRISM, Region

ROUNDS = int(os.environ.get("PRISM_KILL_ROUNDS", "6"))
RECORDS = int(os.environ.get("PRISM_KILL_RECORDS", "60000"))


@pytest.fixture
def log_file(tmp_path, log_lines):
    path = tmp_path / "logs.ndjson"
    with path.open("w") as f:
        for i in range(RECORDS):
            f.write(json.dumps({"time": f"2026-11-20T{i // 3600000:02d}:{i // 60000 % 60:02d}:{i // 1000 % 60:02d}.{i % 1000:03d}000Z",
                                "n": i, "message": log_lines[i % len(log_lines)]}) + "\n")
    return path


def exact(rows):
    count, distinct, total = rows
    assert count == RECORDS and distinct == RECORDS and total == RECORDS * (RECORDS - 1) // 2


CHECK = "SELECT count(*), count(DISTINCT n), sum(n) FROM "


LIVE = 1  # svc/catalog/catalog_internal.h


def kept(region):
    """The Parquet files of the dataset, without what a kill left between an object and its catalog entry. That goes by `retain`, once it is old enough that
    nobody can be about to enter it: in a folder all is made so old, and one such file is added, so that there is one. Nothing in S3 can be made older:
    there those files are taken that the catalog names."""
    folder = region.parquet()
    if region.up_options:
        named = set(region.catalog(f"SELECT object_key FROM segments WHERE dataset = 'killed' AND state = {LIVE}"))
        files = [f for f in folder.rglob("*.parquet") if str(f.relative_to(folder)) in named]
        assert len(files) == len(named) > 0
        return files
    files = sorted(folder.rglob("*.parquet"))
    left = next(f for f in files if "killed" in f.parts)
    files.append(shutil.copy(left, left.with_stem(left.stem[:-1] + ("1" if left.stem[-1] == "0" else "0"))))
    for f in files:
        os.utime(f, (0, 0))
    region.run("tick", "retain")
    assert not files[-1].exists()
    return list((folder / "default" / "killed").rglob("*.parquet"))


def exact_in_files(files):
    exact(duckdb.sql(f"{CHECK} read_parquet({[str(f) for f in files]})").fetchone())


def test_sending_through_kills_loses_and_doubles_nothing(tmp_path, log_file):
    region = Region(tmp_path / "data").up()
    chance = random.Random(7)
    sender = subprocess.Popen([PRISM, "send", log_file, "--dataset", "killed", "--batch-bytes", str(RECORDS * 230 // 1500), "--concurrency", "2", "--max-time", "240", "--json"],
                              env=region.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    kills = 0
    while sender.poll() is None and kills < ROUNDS:
        time.sleep(chance.uniform(0.0, 0.25))
        region.kill()
        kills += 1
        region.up()
    out, err = sender.communicate(timeout=240)
    assert sender.returncode == 0, err
    assert kills >= min(ROUNDS, 4), f"sending was over after {kills} kills: the test showed too little"
    exact(region.rows(CHECK + "killed")[0])
    for op in ("seal", "compact", "seal"):
        region.run("tick", op)
    exact(region.rows(CHECK + "killed")[0])
    exact_in_files(kept(region))
    region.down()


def test_sealing_and_compacting_through_kills_loses_and_doubles_nothing(tmp_path, log_file):
    region = Region(tmp_path / "data").up()
    chance = random.Random(11)
    region.run("send", log_file, "--dataset", "killed", "--batch-bytes", "100000")
    for i in range(ROUNDS * 2):
        op = "seal" if i % 2 == 0 else "compact"
        tick = subprocess.Popen([PRISM, "tick", op], env=region.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.0, 0.35))
        region.kill()
        tick.wait(timeout=60)
        region.up()
        exact(region.rows(CHECK + "killed")[0])
    region.run("tick", "seal")
    region.run("tick", "compact")
    exact_in_files(kept(region))
    exact(region.rows(CHECK + "killed")[0])
    region.down()
