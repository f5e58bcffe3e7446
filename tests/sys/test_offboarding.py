"""A tenant goes: its data is exported so that others read it, removed from every place, and a proof says so."""

import contextlib
import datetime
import hashlib
import json
import random
import time

import duckdb
import pyarrow.parquet
import pytest

from region_kit import Tree, environment, invoke, wait
from test_workflows import ended, question_of, questions, sfn, started

CANARY = "canary5f1c0e7b9d2a"
ROWS = 400


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path, env=environment())
    machine = tree.tree / "platform" / "workflows" / "tenant-offboarding.asl.json"
    text = machine.read_text().replace('"Seconds": 120', '"Seconds": 1').replace('"Seconds": 960', '"Seconds": 1')
    machine.write_text(text.replace('"IntervalSeconds": 30', '"IntervalSeconds": 1').replace('"MaxDelaySeconds": 300', '"MaxDelaySeconds": 1'))
    tree.up()
    yield tree
    tree.down()


def record(i):
    return {"time": f"2026-11-{1 + i % 20:02}T12:00:00Z", "n": i, "message": f"{CANARY} {i}", "half": i / 2 if i % 3 else None}


def fill(tree, name="acme"):
    """Rows in analytics, in segments and hot, in two datasets; a client's request key besides. The tenant's key."""
    key = json.loads(tree.run("workflow", "start", "tenant-onboarding", "--sync", "--input", json.dumps({"tenant": name})).stdout)["key"]
    for third in range(3):
        rows = [record(i) for i in range(ROWS) if i % 3 == third]
        tree.ingest("app", rows, key=key, headers={"Idempotency-Key": f"third-{third}"}).raise_for_status()
        tree.ingest("audit", [{"n": third, "who": CANARY}], key=key).raise_for_status()
        if third < 2:
            assert invoke(tree, "storage", {"op": "seal"})[2]["failed"] == 0
        if third < 1:
            assert invoke(tree, "storage", {"op": "compact"})[2]["failed"] == 0
    assert tree.one("SELECT count(*) FROM app", key=key) == ROWS
    return key


def places_of(tree, name):
    """Paths of files, below the region's folder and in its buckets, that have the tenant's name in them."""
    stores = [tree.parquet(s) for s in ("segments", "analytics")]
    roots = {tree.data, *(stores if tree.up_options else [])}
    found = {str(p.relative_to(root)) for root in roots for p in root.rglob("*") if name in p.relative_to(root).parts}
    return sorted(p for p in found if not p.startswith("tmp/query-"))  # a running query's copies of what is in S3: the proof tells of them


def bytes_with(tree, text, but=()):
    """Files that hold the text."""
    found = []
    for path in tree.data.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and text.encode() in path.read_bytes() and not set(but) & set(path.parts):
                found.append(str(path.relative_to(tree.data)))
    return found


def read_by_others(export, dataset):
    """(rows by DuckDB, rows by pyarrow) of an exported dataset, from the manifest alone; hashes and counts are compared on the way."""
    manifest = json.loads((export / "manifest.json").read_text())
    about = next(d for d in manifest["datasets"] if d["name"] == dataset)
    files = [export / o["key"] for o in about["objects"]]
    for path, said in zip(files, about["objects"], strict=True):
        data = path.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (said["bytes"], said["sha256"])
        assert pyarrow.parquet.read_metadata(path).num_rows == said["rows"]
    assert sorted(files) == sorted((export / "data" / dataset).iterdir())  # the whole folder may be read, too
    assert {c["name"] for c in about["columns"]} >= {"time", "n"}
    by_duckdb = duckdb.sql(f"SELECT * FROM read_parquet('{export}/data/{dataset}/*.parquet', union_by_name = true)")
    by_pyarrow = [row for path in files for row in pyarrow.parquet.read_table(path).to_pylist()]
    assert about["rows"] == by_duckdb.aggregate("count(*)").fetchone()[0] == len(by_pyarrow)
    return [dict(zip(by_duckdb.columns, row, strict=True)) for row in by_duckdb.fetchall()], by_pyarrow


def as_sent(row):
    time_ = row["time"] if row["time"].tzinfo is None else row["time"].astimezone(datetime.timezone.utc)
    return {"time": time_.strftime("%Y-%m-%dT%H:%M:%SZ"), "n": row["n"], "message": row["message"], "half": row.get("half")}


def offboarded(tree, *options, name="acme"):
    """What the command printed; a question fails at once, and shows what it is."""
    tree.run("tenant", "offboard", name, "--confirm", name, "--name", "off", *options)
    return of_execution(tree, "off")


def of_execution(tree, arn, seconds=180):
    """Its output. Who waits for an answer would wait for days."""

    def look():
        assert not (asked := questions(tree)), asked
        description = sfn(tree, "DescribeExecution", executionArn=arn)[1]
        return description if description["status"] != "RUNNING" else None

    execution = wait(look, seconds=seconds, every=0.1)
    assert execution["status"] == "SUCCEEDED", execution
    return json.loads(execution["output"])


def check_proof(tree, output, name="acme"):
    analytics = tree.parquet()
    text = (analytics / output["proof"]["key"]).read_bytes()
    proof = json.loads(text)
    assert hashlib.sha256(text).hexdigest() == output["proof"]["sha256"]
    manifest = (analytics / output["manifest"]["key"]).read_bytes()
    assert proof["before"]["manifest"]["sha256"] == output["manifest"]["sha256"] == hashlib.sha256(manifest).hexdigest()
    assert proof["format"] == "prism-proof-of-deletion" and proof["tenant"] == name and proof["exported"] == output["exported"]
    assert set(proof["left"].values()) == {0} and len(proof["left"]) == 13
    assert {d["name"]: d["rows"] for d in proof["before"]["datasets"]} == {"app": ROWS, "audit": 3}
    return proof


def test_an_export_is_read_by_others_and_nothing_else_is_left(tree):
    fill(tree)
    other = fill(tree, "globex")
    output = offboarded(tree)
    proof = check_proof(tree, output)
    assert proof["execution"] == sfn(tree, "DescribeExecution", executionArn="off")[1]["executionArn"]
    assert [r["count"] for r in proof["remains"] if r["what"].startswith("keys")] == [1]
    assert any(r["what"].startswith("buckets") for r in proof["remains"]) == bool(tree.up_options)

    export = tree.parquet() / "_exports" / "acme"
    sent = sorted((record(i) for i in range(ROWS)), key=lambda r: r["n"])
    for rows in read_by_others(export, "app"):
        assert sorted(map(as_sent, rows), key=lambda r: r["n"]) == sent
    for rows in read_by_others(export, "audit"):
        assert sorted(r["n"] for r in rows) == [0, 1, 2]

    assert all("_exports/acme" in p or "_proofs/acme" in p for p in places_of(tree, "acme")), places_of(tree, "acme")
    assert tree.one("SELECT count(*) FROM app", key=other) == ROWS  # nobody else lost a row
    # again: the name is gone for good, and the first proof stays what it is
    done = tree.run("tenant", "offboard", "acme", "--confirm", "acme", "--wait", "--name", "again", timeout=180)
    again = of_execution(tree, "again")
    assert again["proof"]["sha256"] in done.stderr and output["proof"]["key"] != again["proof"]["key"]
    if not tree.up_options:
        assert json.loads(done.stdout) == check_proof(tree, again)
    assert again["manifest"]["sha256"] == output["manifest"]["sha256"]
    check_proof(tree, output)


def test_without_an_export_no_byte_of_the_data_is_left(tree):
    fill(tree)
    done = tree.run("tenant", "offboard", "acme", check=False)
    assert done.returncode == 2 and "--confirm acme" in done.stderr
    output = offboarded(tree, "--no-export")
    check_proof(tree, output)
    assert {p for p in places_of(tree, "acme") if p.endswith((".json", ".parquet", ".wal"))} <= {
        f"{s}{p}" for s in ("", "analytics/", "copy/analytics/") for p in (output["manifest"]["key"], output["proof"]["key"])}
    assert bytes_with(tree, CANARY, but=["tmp"] if tree.up_options else []) == []


def test_who_was_deleted_before_has_no_export_and_is_told(tree):
    fill(tree)
    tree.run("tenant", "delete", "acme")
    arn = started(tree, "tenant-offboarding", "off", tenant="acme", confirm="acme")
    assert question_of(tree, arn)["message"]["error"]["Error"] == "Unexported"
    tree.run("workflow", "approve", "off", "--output", '{"action":"stop"}')
    assert ended(tree, arn)["error"] == "OffboardingFailed"
    output = of_execution(tree, started(tree, "tenant-offboarding", tenant="acme", confirm="acme", export=False))
    assert json.loads((tree.parquet() / output["proof"]["key"]).read_text())["before"]["after_deletion"] is True


def test_offboarding_goes_on_after_kills(tree):
    fill(tree)
    rng = random.Random(20261127)
    arn = started(tree, "tenant-offboarding", "off", tenant="acme", confirm="acme")
    for _ in range(6):
        time.sleep(rng.uniform(0.1, 1.2))  # anywhere in it
        tree.kill()
        tree.up()
        if sfn(tree, "DescribeExecution", executionArn=arn)[1]["status"] != "RUNNING":
            break
    check_proof(tree, of_execution(tree, arn))
    rows, again = read_by_others(tree.parquet() / "_exports" / "acme", "app")
    assert sorted(r["n"] for r in rows) == sorted(r["n"] for r in again) == list(range(ROWS))
