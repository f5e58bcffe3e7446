"""The `prism` command as people and scripts meet it: exit codes, JSON, what send and tail promise, what is remembered,
what is installed."""

import json
import os
import pathlib
import pty
import signal
import sqlite3
import subprocess
import time

import pytest
from conftest import BUILD, PRISM, ROOT, Region, free_port
from schema_kit import MADE_BEFORE

DONE, FAILED, USAGE, NOT_RUNNING, REFUSED, REGION_ERROR = range(6)


def ndjson(path, count, bad=(), first=1):
    """One record a line with its number; the lines in `bad` are cut in half."""
    lines = (f'{{"i":{i}' + ("," if i in bad else "}") for i in range(first, first + count))
    path.write_text("\n".join(lines) + "\n")
    return path


def bare(*args, **kw):
    """Without a region, and with nothing of this machine's environment that names one."""
    env = {"PATH": os.environ["PATH"], **kw.pop("env", {})}
    return subprocess.run([PRISM, *map(str, args)], capture_output=True, text=True, env=env, timeout=60, **kw)


# -- exit codes --

@pytest.mark.parametrize("args", [
    ("status",), ("down",), ("query", "SELECT 1"), ("tail", "x"), ("datasets",), ("retention", "show"), ("tenant", "list"), ("key", "list"),
    ("logs",), ("invoke", "ingest"), ("tick", "seal"), ("send", "/dev/null", "-d", "x")])
def test_without_a_region_every_verb_says_so(tmp_path, args):
    done = bare("--data", tmp_path / "none", *args)
    assert done.returncode == NOT_RUNNING and "prism: no region" in done.stderr and done.stdout == ""
    done = bare("--data", tmp_path / "none", *args, "--json")
    assert done.returncode == NOT_RUNNING and set(json.loads(done.stdout)) == {"error"}
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("args, said", [
    (("stats",), "did you mean 'status'?"), (("tick", "sael"), "did you mean 'seal'?"),
    (("query", "--fromat", "csv", "SELECT 1"), "did you mean --format?"), (("key", "creat"), "did you mean 'create'?"),
    (("query",), "something is missing: SQL|-"), (("query", "SELECT 1", "2"), "what is '2'?"),
    (("query", "-f", "xml", "SELECT 1"), "one of table json"), (("--port", "70000", "status"), "from 1 to 65535"),
    (("send", "x"), "--dataset is needed"), (("send", "x", "-d", "No"), "dataset name"),
    (("--data=", "status"), "no data folder"), (("tenant", "create", "a", "--quotas", "{"), "no JSON"), (("retention", "set", "x"), "--days or --rules is needed")])
def test_mistakes_are_named(tmp_path, args, said):
    done = bare(*args, env={"HOME": str(tmp_path)})
    assert done.returncode == USAGE and said in done.stderr
    done = bare(*args, "--json", env={"HOME": str(tmp_path)})
    assert done.returncode == USAGE and said in json.loads(done.stdout)["error"]


def test_help_needs_nothing_and_is_the_same_by_either_way():
    for verb in ("up", "send", "key", "key create"):
        by_verb, by_option = bare("help", *verb.split()), bare(*verb.split(), "--help")
        assert by_verb.returncode == by_option.returncode == DONE and by_verb.stdout == by_option.stdout != ""
    codes = bare("help", "exit-codes").stdout
    documented = (ROOT / "docs" / "cli.md").read_text()
    for line in codes.splitlines()[1:7]:
        number, text = line.split(None, 1)
        assert f"| {number} | {text} |" in documented
    for verb in bare("--help").stdout.split("Verbs:\n")[1].split("\n\n")[0].splitlines():
        assert f"`{verb.split()[0]}" in documented


def test_tables_are_brought_up_to_the_release(tmp_path):
    data = tmp_path / "data"
    absent = bare("--data", data, "migrate", "--status")
    assert absent.returncode == 1 and "meta.db" in absent.stderr and not data.exists()
    data.mkdir()
    for state in "applied now", "applied":
        done = bare("--data", data, "migrate", "--json")
        answer = json.loads(done.stdout)
        adding = {step["state"] for step in answer["steps"] if step["kind"] != "contract"}
        assert done.returncode == DONE and adding == {state} and answer["pending"] == 0 and answer["contract_pending"] == 1
    status = bare("migrate", "--status", "--meta", data / "meta.db")
    assert status.returncode == DONE and status.stdout.split()[:5] == ["STEP", "KIND", "NAME", "STATE", "APPLIED"]


def test_tables_of_before_are_taken_over_and_contracted_by_a_word(tmp_path):
    file = tmp_path / "meta.db"
    with sqlite3.connect(file) as db:
        db.executescript(MADE_BEFORE)
    status = json.loads(bare("migrate", "--status", "--json", "--meta", file).stdout)
    assert [(s["number"], s["kind"], s["state"]) for s in status["steps"]] == [(1, "expand", "applied"), (2, "contract", "pending"), (3, "expand", "pending")]
    shown = bare("migrate", "--dry-run", "--contract", "--meta", file)
    assert shown.returncode == DONE and shown.stdout.endswith("-- 2 contract: the list of steps of before\nDROP TABLE IF EXISTS migrations;\n")
    adding = bare("migrate", "--dry-run", "--meta", file).stdout
    assert adding.startswith("-- 3 expand: retention of tenants and by attribute\nCREATE TABLE retention (") and "DROP" not in adding and shown.stdout.startswith(adding)
    for wrong in (["--force"], ["--expand-only", "--contract"], ["--to", "0"]):
        assert bare("migrate", "--meta", file, *wrong).returncode == USAGE
    assert bare("migrate", "--meta", file, "--expand-only").returncode == DONE
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT number, applied_ns, length(checksum) FROM schema_steps WHERE number = 1").fetchall() == [(1, 1795766308842743693, 64)]
        assert db.execute("SELECT count(*) FROM migrations").fetchone() == (1,)
        db.execute("INSERT INTO schema_functions VALUES ('ingest', 1, ?)", (time.time_ns(),))
    held = bare("migrate", "--meta", file, "--contract")
    assert held.returncode == REFUSED and "ingest knows 1" in held.stderr
    assert bare("migrate", "--meta", file, "--contract", "--to", "1").returncode == DONE
    forced = bare("migrate", "--meta", file, "--contract", "--force", "--json")
    assert forced.returncode == DONE and json.loads(forced.stdout)["contracted"] == 2
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'").fetchone() == (0,)
        db.execute("UPDATE schema_steps SET checksum = 'x' WHERE number = 1")
    edited = bare("migrate", "--meta", file)
    assert edited.returncode == 1 and "was run here with another text" in edited.stderr


def test_the_region_s_answers_have_their_codes(region):
    for args, code in {
        ("query", "SELEC"): REFUSED, ("query", "FROM nowhere"): REFUSED, ("query", "SELECT 1", "--key", "no"): REFUSED,
        ("tail", "nowhere"): REFUSED, ("datasets", "nowhere"): REFUSED, ("retention", "show", "nowhere"): REFUSED, ("retention", "set", "--days", "5"): REFUSED, ("tenant", "show", "nobody"): REFUSED,
        ("key", "list", "nobody"): REFUSED, ("key", "create", "--scopes", "x"): REFUSED, ("logs", "nothing"): REFUSED,
        ("invoke", "nothing"): REFUSED, ("invoke", "storage"): REGION_ERROR, ("invoke", "storage", "/nowhere"): FAILED,
        ("tenant", "list", "--key", region.key): REFUSED, ("query", "SELECT 1", "-o", "/nowhere/x"): FAILED,
        ("query", "SELECT 1", "--port", free_port()): NOT_RUNNING, ("send", "/nowhere", "-d", "x"): FAILED,
    }.items():
        done = region.run(*args, check=False)
        assert done.returncode == code, (args, done)
        assert done.stderr.startswith("prism: ")
    assert region.run("invoke", "storage", "-", input="{cut", check=False).returncode == REFUSED


# -- --json --

def test_every_verb_answers_in_json(region, tmp_path):
    region.ingest("shapes", [{"a": 1, "s": "x"}])
    status = region.json("status")
    assert {"pid", "port", "functions", "queues", "data"} <= set(status) and status["port"] == region.port
    assert {"name", "instances"} <= set(status["functions"][0])
    up = region.json("up", "--detach")
    assert up["already_running"] and up["port"] == region.port and up["endpoint"] == region.url
    assert region.json("query", "SELECT 1 AS a")["rows"] == [[1]]
    assert {"name", "rows"} <= set(region.json("datasets")["datasets"][0])
    assert {"name": "a", "type": "int"} in region.json("datasets", "shapes")["columns"]
    admin = ("--key", region.json("key", "create", "default", "--scopes", "query,admin")["key"])
    assert region.json("retention", "set", "--days", "30", *admin) == {"days": 30} and region.json("retention", "show", *admin) == {"from": "tenant", "days": 30}
    assert region.json("retention", "set", "shapes", "--days", "7", *admin) == {"days": 7} and region.json("retention", "show", "shapes") == {"from": "dataset", "days": 7}
    assert region.json("retention", "clear", "shapes", *admin) == {"from": "tenant", "days": 30}
    assert region.json("retention", "clear", *admin) == {"from": "class"} and region.json("retention", "show", "shapes")["from"] == "class"
    rules = [{"attribute": "s", "equals": "x", "days": 3}]
    assert region.json("retention", "set", "shapes", "--rules", json.dumps(rules), *admin) == {"rules": rules}
    assert region.json("retention", "show", "shapes")["rules_from"] == "dataset" and "  s = x: 3 days\n" in region.run("retention", "show", "shapes").stdout
    assert region.run("retention", "set", "shapes", "--rules", '[{"attribute":"s"}]', *admin, check=False).returncode == REFUSED
    assert region.run("retention", "set", "shapes", "--days", "9", *admin).stdout == "shapes: 9 days\n"
    assert region.run("retention", "show").stdout == "datasets that do not say it themselves: as the class of each says\n"
    assert [json.loads(l)["a"] for l in region.run("tail", "shapes", "--json").stdout.splitlines()] == [1]
    assert region.json("tick", "seal")["op"] == "seal"
    assert region.json("version")["version"]
    assert region.json("tenant", "create", "shape")["name"] == "shape"
    assert "shape" in [t["name"] for t in region.json("tenant", "list")["tenants"]]
    assert region.json("tenant", "show", "shape")["status"] == "active"
    assert region.json("tenant", "suspend", "shape")["status"] == "suspended"
    assert region.json("tenant", "resume", "shape")["status"] == "active"
    key = region.json("key", "create", "shape", "--label", "a \"b\"", "--expires", "2099-01-01T00:00:00Z")
    assert key["key"].startswith(f"prism_{key['id']}_") and key["scopes"] == ["ingest", "query"]
    assert [k["id"] for k in region.json("key", "list", "shape")["keys"]] == [key["id"]]
    assert region.json("query", "SELECT 2 AS a", "--key", key["key"])["rows"] == [[2]]
    assert region.json("key", "revoke", "shape", key["key"])["status"] == "revoked"
    assert region.run("query", "SELECT 2", "--key", key["key"], check=False).returncode == REFUSED
    region.json("tenant", "delete", "shape")
    assert region.json("invoke", "storage", "--async")["request_id"]
    assert region.json("audit", "list", "shape")["calls"][0]["operation"] == "tenant.create"
    assert region.json("audit", "verify")["problems"] == []
    refused = region.run("query", "SELEC", "--json", check=False)
    assert "SELEC" in json.loads(refused.stdout)["error"]
    for line in region.run("logs", "--json").stdout.splitlines():
        json.loads(line)


# -- what a terminal gets --

def test_data_cannot_act_on_a_terminal(region):
    evil = "a\x1b[31mb\nc\x9bd\u202ee\x7f"
    region.ingest("evil", [{"message": evil, "n": None, "e": ""}])
    for out in (region.run("query", "SELECT message, n, e FROM (SELECT message, NULL AS n, e FROM evil)").stdout,
                region.run("tail", "evil").stdout):
        assert r"a\x1b[31mb\nc\u{9b}d\u{202e}e\x7f" in out
        assert not any(c in out for c in "\x1b\x9b\u202e\x7f")
    table = region.run("query", "SELECT 1 AS a, NULL AS b, '' AS c, 'x' AS d").stdout
    assert table.splitlines()[1].split() == ["1", "NULL", "x"]
    assert region.run("query", "SELECT 1 AS a WHERE false").stdout == "a\n"
    assert region.run("query", "-", "-f", "csv", input="SELECT 1 AS a,\n 'ü' AS b").stdout == "a,b\n1,ü\n"
    refused = region.run("query", "FROM \"no\x1b[2J\"", check=False)
    assert refused.returncode == REFUSED and "\x1b" not in refused.stderr


def test_a_table_fits_a_terminal_and_a_pipe_gets_all(region):
    wide = "SELECT repeat('x', 500) AS a, repeat('日', 300) AS b, 7 AS c"
    assert "x" * 500 in region.run("query", wide).stdout
    master, slave = pty.openpty()
    subprocess.run(["stty", "cols", "60"], stdin=slave, check=True)
    subprocess.run([PRISM, "query", wide], stdout=slave, env=region.env, timeout=60, check=True)
    os.close(slave)
    text = os.read(master, 65536).decode()
    os.close(master)
    lines = text.split("\r\n")
    assert "…" in lines[1] and lines[1].rstrip().endswith("7")
    assert sum(2 if c == "日" else 1 for c in lines[1]) <= 60


def test_a_reader_that_leaves_ends_it_quietly(region):
    command = f'"{PRISM}" query "SELECT i, i FROM range(900000) t(i)" -f %s | head -n 2; echo "${{PIPESTATUS[0]}}"'
    for form in ("csv", "table"):
        done = subprocess.run(["bash", "-c", command % form], env=region.env, capture_output=True, text=True, timeout=60)
        assert done.stdout.splitlines()[-1] == str(128 + signal.SIGPIPE) and done.stderr == ""
    full = subprocess.run(f'"{PRISM}" query "SELECT 1" > /dev/full', shell=True, env=region.env, capture_output=True, text=True)
    assert full.returncode == FAILED and "No space left" in full.stderr


def test_a_result_file_is_whole_or_not_there(region, tmp_path):
    out = tmp_path / "r.csv"
    region.run("query", "SELECT 1 AS a", "-f", "csv", "-o", out)
    assert out.read_text() == "a\n1\n"
    assert region.run("query", "SELECT error('x') FROM range(10)", "-o", out, check=False).returncode == REFUSED
    slow = subprocess.Popen([PRISM, "query", "SELECT count(*) FROM range(100000000000) t(i) WHERE i*i%7=3", "-o", out], env=region.env)
    time.sleep(0.3)
    slow.send_signal(signal.SIGINT)
    assert slow.wait(60) == -signal.SIGINT
    assert [p.name for p in tmp_path.iterdir()] == ["r.csv"] and out.read_text() == "a\n1\n"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
    region.run("query", "SELECT 1 AS a", "-f", "csv", "-o", pipe)
    assert reader.communicate(timeout=60)[0] == "a\n1\n" and pipe.is_fifo()


# -- send --

def test_send_names_refused_lines_and_stores_all_others(region, tmp_path):
    bad = (1, 3, 7777, 12000)
    path = ndjson(tmp_path / "mid.ndjson", 12000, bad)
    done = region.run("send", path, "-d", "mid", "-b", "20K", check=False)
    assert done.returncode == REFUSED
    assert [int(l.removeprefix(f"{path}:").split(":")[0]) for l in done.stderr.splitlines()[:4]] == list(bad)
    told = json.loads(region.run("send", path, "-d", "mid", "-b", "20K", "--json", check=False).stdout)
    assert (told["records"], told["accepted"], told["refused"], told["duplicates"]) == (12000, 0, 4, 11996)
    assert [e["line"] for e in told["errors"]] == list(bad) and told["complete"]
    assert region.rows("SELECT count(*), count(DISTINCT i) FROM mid") == [[11996, 11996]]


@pytest.mark.parametrize("name, raw, content, records, refused", [
    ("empty", False, b"", 0, 0),
    ("no_end", False, b'{"a":1}\n{"a":2}', 2, 0),
    ("crlf_bom", False, b'\xef\xbb\xbf{"a":1}\r\n\r\n  \n{"a":2}\r\n', 2, 0),
    ("garbage", False, bytes(range(256)) * 20, 21, 21),
    ("text", True, b"one\r\n\n \xff\xfe\x00\x1b[1m\nlast", 3, 0),
    ("long", False, b'{"a":1}\n{"a":"' + b"x" * 20_000_000 + b'"}\n{"a":3}\n', 3, 1),
    ("large", False, b'{"a":1}\n{"a":"' + b"x" * 2_000_000 + b'"}\n{"a":3}\n', 3, 1)])
def test_send_takes_any_input(region, tmp_path, name, raw, content, records, refused):
    path = tmp_path / f"in put ü {name}"
    path.write_bytes(content)
    args = ["send", path, "-d", f"any_{name}", "--json", *(["--raw"] if raw else [])]
    done = region.run(*args, check=False)
    told = json.loads(done.stdout)
    assert done.returncode == (REFUSED if refused else DONE)
    assert (told["records"], told["refused"], told["accepted"]) == (records, refused, records - refused)
    if name in ("long", "large"):
        assert [e["line"] for e in told["errors"]] == [2]
    if records > refused:
        assert region.one(f"SELECT count(*) FROM any_{name}") == records - refused


def test_send_from_a_pipe_sends_what_has_come(region):
    feed = subprocess.Popen([PRISM, "send", "-", "-d", "piped", "--raw"], env=region.env, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    feed.stdin.write("first\nseco")
    feed.stdin.flush()
    deadline = time.time() + 60
    while time.time() < deadline and region.query("FROM piped").status_code != 200:
        time.sleep(0.1)
    assert region.rows("SELECT message FROM piped") == [["first"]]
    feed.stdin.write("nd\n")
    feed.stdin.flush()
    time.sleep(0.2)
    feed.send_signal(signal.SIGINT)
    assert feed.wait(60) == -signal.SIGINT  # while its input is open
    out, err = feed.communicate()
    assert "1 record stored" in out and "interrupted" in err


def test_an_interrupted_send_goes_on_where_it_was(region, tmp_path):
    path = ndjson(tmp_path / "much.ndjson", 1_000_000)
    for turn in range(10):  # a sender may be done before the first answer is seen here
        name = f"much{turn}"
        first = subprocess.Popen([PRISM, "send", path, "-d", name, "-b", "100K", "-c", "2", "--json"], env=region.env, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        while first.poll() is None and region.query(f"FROM {name} LIMIT 1").status_code != 200:
            time.sleep(0.005)
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=60)
        if first.returncode != DONE:
            break
    assert first.returncode == -signal.SIGINT and "send the same input again" in err
    assert json.loads(out)["complete"] is False
    told = json.loads(region.run("send", path, "-d", name, "-b", "100K", "--json").stdout)
    assert told["complete"] and told["accepted"] + told["duplicates"] == 1_000_000 and told["duplicates"] > 0
    assert region.rows(f"SELECT count(*), count(DISTINCT i) FROM {name}") == [[1_000_000, 1_000_000]]


def test_send_waits_for_a_region_that_restarts(tmp_path):
    region = Region(tmp_path / "da ta ü").up()
    path = ndjson(tmp_path / "in.ndjson", 300_000)
    sender = subprocess.Popen([PRISM, "send", path, "-d", "again", "-b", "20K", "-c", "2", "--json", "--repeat-on-error"],
                              env=region.env, stdout=subprocess.PIPE, text=True)
    time.sleep(0.1)
    region.kill()
    assert region.run("status", check=False).returncode == NOT_RUNNING  # a socket that nobody listens on
    assert region.run("down", check=False).returncode == NOT_RUNNING
    region.up()
    told = json.loads(sender.communicate(timeout=120)[0])
    assert sender.returncode == DONE and told["accepted"] + told["duplicates"] == 300_000
    assert region.rows("SELECT count(*), count(DISTINCT i) FROM again") == [[300_000, 300_000]]
    region.down()


def test_send_ends_at_once_when_its_key_is_refused(region, tmp_path):
    other = region.tenant("readers", scopes="query")
    path = ndjson(tmp_path / "in", 10)
    for key in ("prism_no", other):
        done = region.run("send", path, "-d", "keys", "--key", key, check=False)
        assert done.returncode == REFUSED and "refused" in done.stderr
    assert region.query("FROM keys").status_code == 404


# -- tail --

def test_tail_shows_each_new_record_once(region, tmp_path):
    at = "2026-01-01T00:00:00Z"
    region.run("send", "-", "-d", "followed", input="".join(f'{{"time":"{at}","i":{-i}}}\n' for i in range(1, 12001)))
    out = open(tmp_path / "out", "w+")
    tail = subprocess.Popen([PRISM, "tail", "followed", "-f", "-n", "2", "--json"], env=region.env, stdout=out)
    while out.seek(0) or len(out.readlines()) < 2:
        time.sleep(0.05)
    batches = [(at, 12000), ("2026-01-01T00:00:02Z", 15000), ("2026-01-01T00:00:01Z", 500), ("2026-01-01T00:00:03Z", 30)]
    n = 0
    for when, count in batches:
        region.run("send", "-", "-d", "followed", input="".join(f'{{"time":"{when}","i":{i}}}\n' for i in range(n, n + count)))
        n += count
        time.sleep(0.3)
    deadline, seen = time.time() + 60, []
    while time.time() < deadline and len(seen) < n + 2:
        time.sleep(0.2)
        out.seek(0)
        seen = [json.loads(l)["i"] for l in out.read().splitlines(keepends=True) if l.endswith("\n")]
    time.sleep(1.2)  # two polls more: nothing comes twice
    tail.send_signal(signal.SIGINT)
    assert tail.wait(60) == -signal.SIGINT
    out.seek(0)
    seen = [json.loads(l)["i"] for l in out]
    assert all(i < 0 for i in seen[:2]) and sorted(seen[2:]) == list(range(n))


def test_tail_shows_the_newest_in_order(region):
    region.ingest("ordered", [{"time": f"2026-01-01T00:00:{s:02}Z", "i": s} for s in (5, 1, 9, 3, 7)])
    shown = [json.loads(l)["i"] for l in region.run("tail", "ordered", "-n", "3", "--json").stdout.splitlines()]
    assert shown == [5, 7, 9]
    assert region.run("tail", "ordered", "-n", "0").stdout == ""
    assert [l.split()[-1] for l in region.run("tail", "ordered", "-w", "i < 5").stdout.splitlines()] == ["i=1", "i=3"]


# -- what is remembered --

def test_port_and_folder_are_remembered_and_precedence_holds(tmp_path):
    home, folder, ports = tmp_path / "home", tmp_path / "it's a folder ü", [free_port(), free_port()]
    env = {"HOME": str(home)}
    try:
        first = bare("up", "--detach", "--port", ports[0], env=env)
        assert first.returncode == DONE, first.stderr
        assert f"127.0.0.1:{ports[0]}" in first.stdout
        assert (home / ".local/share/prism/prism.json").exists()
        second = bare("--data", folder.name, "up", "--detach", cwd=tmp_path, env={**env, "PRISM_PORT": str(ports[1])})
        assert second.returncode == DONE, second.stderr
        stop = [l for l in second.stdout.splitlines() if l.endswith(" down")][0]
        here = json.loads(bare("status", "--json", env=env).stdout)
        there = json.loads(bare("status", "--json", env={**env, "PRISM_DATA": str(folder)}).stdout)
        assert (here["port"], there["port"]) == tuple(ports) and here["pid"] != there["pid"]
        wins = bare("--data", folder, "status", "--json", env={**env, "PRISM_DATA": str(tmp_path / "nowhere")})
        assert json.loads(wins.stdout)["pid"] == there["pid"]
        assert bare("query", "SELECT 1", env={**env, "PRISM_PORT": str(free_port())}).returncode == NOT_RUNNING
        other = bare("up", "--detach", "--port", free_port(), env=env)
        assert other.returncode == FAILED and f"port {ports[0]}" in other.stderr
        taken = bare("--data", tmp_path / "third", "--port", ports[0], "up", "--detach", env=env)
        assert taken.returncode == FAILED and "in use" in taken.stderr
        printed = subprocess.run(["bash", "-c", stop], env={"PATH": os.environ["PATH"], **env}, cwd="/", capture_output=True, text=True)
        assert printed.returncode == DONE, printed  # the line that up printed, from anywhere
        again = bare("--data", folder, "up", "--detach", "--json", env=env)
        assert json.loads(again.stdout)["port"] == ports[1] and "key" not in json.loads(again.stdout)
    finally:
        bare("down", env=env)
        bare("--data", folder, "down", env=env)


def test_up_in_the_foreground_ends_with_ctrl_c(tmp_path):
    region = Region(tmp_path / "data")
    up = subprocess.Popen([PRISM, "up", *region.up_options], env=region.env, stdout=subprocess.PIPE, text=True)
    said = ""
    while "Ctrl-C" not in said:
        said += up.stdout.readline()
    assert region.url in said and "curl" in said and "otlphttp" in said and region.key in said
    region.ingest("kept", [{"a": 1}])
    assert region.run("up", check=False).returncode == FAILED
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == DONE
    region.up()
    assert region.one("SELECT count(*) FROM kept") == 1
    region.down()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below", pathlib.Path("/proc/nothing")):
        done = bare("--data", path, "up", "--detach")
        assert done.returncode == FAILED and str(path.name) in done.stderr


# -- installed --

def test_the_installed_tree_works_by_itself(tmp_path):
    prefix, data, port = tmp_path / "pre fix", tmp_path / "data", str(free_port())
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, capture_output=True)
    for name in ("share/bash-completion/completions/prism", "share/zsh/site-functions/_prism", "share/man/man1/prism.1",
                 "share/fish/vendor_completions.d/prism.fish", "share/prism/platform/functions.json", "share/prism/settings.json"):
        assert (prefix / name).stat().st_size > 500, name
    functions = json.loads((prefix / "share/prism/platform/functions.json").read_text())["functions"]
    for name in functions if isinstance(functions, dict) else [f["name"] for f in functions]:
        assert os.access(prefix / "libexec/prism/fn" / name / "bootstrap", os.X_OK), name
    link = tmp_path / "prism"
    link.symlink_to(prefix / "bin" / "prism")
    env = {"PATH": "/usr/bin:/bin", "PRISM_DATA": str(data)}

    def installed(*args, **kw):
        return subprocess.run([link, *args], env=env, cwd="/", capture_output=True, text=True, timeout=60, check=True, **kw).stdout

    installed("up", "--detach", "--port", port)
    try:
        executables = {os.readlink(f"/proc/{p.name}/exe") for p in pathlib.Path("/proc").iterdir()
                       if p.name.isdigit() and str(data) in read_environment(p)}
        assert executables and all(e.startswith(str(prefix)) for e in executables), executables
        installed("send", "-", "-d", "x", input='{"a":1}\n')
        assert installed("query", "SELECT a FROM x", "-f", "csv") == "a\n1\n"
    finally:
        installed("down")


def read_environment(process):
    try:
        return (process / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def complete(script, *words):
    asked = "source " + str(script) + '; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); __prism; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", asked, "bash", *map(str, words)], capture_output=True, text=True, check=True)
    return [w for w in done.stdout.split("\n") if w]


def test_bash_completes(region, tmp_path):
    script = tmp_path / "prism.bash"
    script.write_text(bare("completion", "bash").stdout)
    region.ingest("completed", [{"a": 1}])
    (tmp_path / "a file.log").write_text("")
    assert complete(script, PRISM, "st") == ["status"]
    assert complete(script, PRISM, "key", "") == ["create", "list", "revoke"]
    assert complete(script, PRISM, "query", "-f", "c") == complete(script, PRISM, "query", "--format", "=", "c") == ["csv"]
    assert complete(script, PRISM, "query", "--out") == ["--output"]
    assert complete(script, PRISM, "send", tmp_path / "a") == [str(tmp_path / "a file.log")]
    assert complete(script, PRISM, "--data", region.data, "tail", "comp") == ["completed"]
    assert complete(script, PRISM, "-D", region.data, "send", "x", "-d", "comp") == ["completed"]
