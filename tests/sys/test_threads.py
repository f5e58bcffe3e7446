"""A short run of a whole region where threads meet: queries that are watched, cancelled and time out, engines that are
opened and closed beside them, a sender with several connections. Under ThreadSanitizer (tools/run-tests --threads) a
race ends the process that has it; in every build nothing may crash."""

import concurrent.futures
import json
import socket

import pytest

from conftest import Region

RECORDS = 4000
SLOW = "SELECT count(*) FROM range(100000000000) r(i) WHERE i % 7 = 2"


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    r = Region(tmp_path_factory.mktemp("threads") / "data", env={"PRISM_QUERY_TIMEOUT_MS": "20000"}).up()
    yield r
    r.down()


def ask_and_leave(region):
    """A query whose caller is gone before it ends."""
    body = json.dumps({"sql": SLOW}).encode()
    with socket.create_connection(("127.0.0.1", region.port), timeout=60) as conn:
        conn.sendall(b"POST /v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     + f"Authorization: Bearer {region.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        conn.settimeout(0.5)
        with pytest.raises(TimeoutError):
            conn.recv(1)


def test_nothing_races_and_nothing_crashes(region, tmp_path):
    path = tmp_path / "lines.ndjson"
    path.write_text("".join(json.dumps({"n": n, "text": f"line {n}", "even": n % 2 == 0}) + "\n" for n in range(RECORDS)))
    region.run("send", path, "--dataset", "lines", timeout=300)
    other = region.tenant("other")
    region.ingest("lines", [{"n": 1}], key=other)
    assert region.one("SELECT count(*) FROM lines") == RECORDS

    def turn(i):
        if i % 6 == 0:
            assert region.run("tick", ("seal", "compact")[i % 4 // 2], timeout=300).returncode == 0
        elif i % 6 == 1:
            region.ingest("more", [{"n": i, "deep": {"x": [i]}}] * 50)
        elif i % 6 == 2:
            assert region.one("SELECT count(*) FROM lines", key=other) == 1
        elif i % 6 == 3:
            answer = region.call("POST", "/v1/query", json={"sql": "SELECT * FROM lines ORDER BY n", "format": ("csv", "arrow", "parquet")[i // 6 % 3]})
            assert answer.status_code == 200
        elif i % 6 == 4:
            ask_and_leave(region)
        else:
            assert region.one("SELECT count(*) FROM lines WHERE regexp_matches(text, '[0-9]$')") == RECORDS

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(turn, range(30)))
    assert region.query("SELECT 1", limit=1).status_code == 200
    status = region.status()
    assert {f["name"]: f["crashes"] for f in status["functions"] if f["crashes"]} == {}
    for log in (region.data / "logs").glob("*.log"):
        assert "ThreadSanitizer" not in log.read_text(errors="replace"), log
