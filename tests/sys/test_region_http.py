"""HTTP at the gateway: methods, paths, uploads, slow and many clients."""

import contextlib
import http.client
import json
import re
import select
import socket
import time

import pytest
import requests

from region_kit import PROBE, Tree, environment, is_within, probe_in_place_of, problem, wait


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    r = Tree(tmp_path_factory.mktemp("http"), {"catalog": PROBE}, probe_in_place_of("catalog"), env=environment()).up()
    yield r
    r.down()


def raw(tree, text, wait_for=None):
    """Everything that is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", tree.port), timeout=60) as s:
        s.sendall(text if isinstance(text, bytes) else text.encode())
        got = b""
        while chunk := s.recv(65536):
            got += chunk
            if wait_for and wait_for in got:
                break
        return got


def head(tree, method, path, **headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Authorization: Bearer {tree.key}"]
    return "\r\n".join(lines + [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]) + "\r\n\r\n"


def test_methods_without_a_route(tree):
    for method in ("PUT", "DELETE", "PATCH"):
        problem(tree.call(method, "/v1/query"), 404)
    problem(tree.call("OPTIONS", "/v1/health"), 404)  # asked by pages without a preflight
    answer = tree.call("HEAD", "/v1/health")
    assert answer.status_code == 404 and answer.content == b"" and answer.headers["x-amzn-RequestId"]
    assert b"HTTP/1.1 404" in raw(tree, head(tree, "PROPFIND", "/v1/health"))
    assert raw(tree, head(tree, "BREW", "/v1/health")).startswith(b"HTTP/1.1 4")
    assert raw(tree, head(tree, "CONNECT", "x:1")).startswith(b"HTTP/1.1 501")


def test_a_head_answer_leaves_the_connection_usable(tree):
    with requests.Session() as session:
        for _ in range(3):
            assert session.head(tree.url + "/v1/health").content == b""
            assert session.get(tree.url + "/v1/health").status_code == 200


def test_expect_100_continue(tree):
    body = b'{"n":1}\n'
    start = head(tree, "POST", "/v1/ingest/expect", Content_Type="application/x-ndjson", Content_Length=len(body), Expect="100-continue")
    with socket.create_connection(("127.0.0.1", tree.port), timeout=60) as s:
        s.sendall(start.encode())
        assert s.recv(100).startswith(b"HTTP/1.1 100")
        s.sendall(body)
        assert s.recv(4096).startswith(b"HTTP/1.1 200")
    assert tree.one("SELECT count(*) FROM expect") == 1


def test_chunked_upload(tree):
    lines = [json.dumps({"n": i}).encode() + b"\n" for i in range(1000)]
    answer = tree.call("POST", "/v1/ingest/chunked", data=iter(lines), headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200 and answer.json()["accepted"] == 1000
    assert tree.one("SELECT count(*) FROM chunked") == 1000


@pytest.mark.parametrize("path, status, dataset", [
    ("/v1/ingest/%70lain", 200, "plain"),
    ("/v1/ingest/with%5Fline", 200, "with_line"),
    ("/v1/ingest/a%2Fb", 400, None),
    ("/v1/ingest/a%00b", 404, None),
    ("/v1/ingest/..%2f..%2fetc", 400, None),
    ("/v1/ingest/%zz", 404, None),
    ("/v1/ingest/", 404, None),
    ("/v1//ingest/x", 404, None),
    ("//v1/ingest/x", 404, None),
    ("/v1/ingest/x/", 404, None),
    ("/v1/ingest/../query", 404, None),
    ("/V1/INGEST/x", 404, None),
    ("/", 404, None),
])
def test_paths(tree, path, status, dataset):
    body = '{"n":1}'
    got = raw(tree, head(tree, "POST", path, Content_Type="application/x-ndjson", Content_Length=len(body)) + body)
    assert got.split()[1] == str(status).encode(), got
    if dataset:
        assert tree.one(f'SELECT count(*) FROM "{dataset}"') == 1


def test_query_parameters_and_headers_reach_the_function(tree):
    event = tree.call("GET", "/v1/datasets?a=1&a=2&b=%C3%A9+x&c", headers={"X-Own": "v"}).json()["event"]
    assert event["queryStringParameters"] == {"a": "2", "b": "\u00e9 x", "c": ""}
    assert event["multiValueQueryStringParameters"]["a"] == ["1", "2"]
    assert event["headers"]["X-Own"] == "v" and event["httpMethod"] == "GET" and event["resource"] == "/v1/datasets"
    assert event["requestContext"]["authorizer"]["tenant"] == "default"


@pytest.mark.parametrize("query", ["limit=%00", "a=1&limit=5%00", "a=%zz", "a=%4", "%00=1", "&".join(f"p{i}=1" for i in range(65))])
def test_a_query_that_cannot_be_read_is_refused(tree, query):
    connection = http.client.HTTPConnection("127.0.0.1", tree.port, timeout=60)  # requests would mend the escapes
    connection.request("GET", f"/v1/datasets?{query}", headers={"Authorization": f"Bearer {tree.key}"})
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    assert (answer.status, said["status"]) == (400, 400) and said["detail"].startswith("the query cannot be read")


def test_a_query_has_64_parameters(tree):
    event = tree.call("GET", "/v1/datasets?&&=x&" + "&".join(f"p{i}=1" for i in range(64))).json()["event"]
    assert len(event["queryStringParameters"]) == 64


NO_REQUESTS = [
    ("GET /v1/health HTTP/1.1\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("POST /v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413),
    ("GET /" + "x" * 30000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "x" * 30000 + "\r\n\r\n", 431),
    ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
]


def test_what_is_no_request_is_refused_and_logged(tree):
    refused = {}
    for text, status in NO_REQUESTS:
        got = raw(tree, text.encode("latin-1"))
        assert got.split()[1] == str(status).encode() and b"application/problem+json" in got, text[:60]
        refused[re.search(rb"x-amzn-RequestId: ([0-9a-f-]{36})\r\n", got)[1].decode()] = status
    sql = "SELECT request_id, status FROM access_log WHERE error_message <> '' AND request_id IN ({})".format(
        ",".join(f"'{i}'" for i in refused))
    wait(lambda: dict(tree.query(sql, key=tree.admin_key).json().get("rows", [])) == refused, every=0.2)


def test_pipelined_requests_are_answered_in_order(tree):
    one = f"GET /v1/datasets?sleep=0.2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tree.key}\r\n\r\n"
    two = "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
    last = "GET /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    got = raw(tree, one + two + last)
    assert re.findall(rb"HTTP/1.1 (\d+) ", got) == [b"200", b"200", b"404"]


def test_two_thousand_idle_connections(tree):
    conns = []
    try:
        for _ in range(2000):
            conns.append(socket.create_connection(("127.0.0.1", tree.port)))
        wait(lambda: tree.status()["gateway"]["connections"] >= 2000)
        for conn in conns:
            conn.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
        for conn in conns:
            assert conn.recv(4096).startswith(b"HTTP/1.1 200")
        for i in range(20):
            assert tree.ingest("meanwhile", [{"n": i}]).status_code == 200
        assert tree.status()["gateway"]["connections"] >= 2000
        assert is_within(tree, 64)
    finally:
        for conn in conns:
            conn.close()
    wait(lambda: tree.status()["gateway"]["connections"] < 10)


def test_slow_senders_and_slow_readers_hold_up_nobody(tree):
    tree.ingest("wide", [{"n": i, "text": "x" * 500} for i in range(2000)])
    slow = []
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            s = stack.enter_context(socket.create_connection(("127.0.0.1", tree.port)))
            s.sendall(head(tree, "POST", "/v1/ingest/slow", Content_Length=100).encode() + b"{")
            slow.append(s)
        body = json.dumps({"sql": "SELECT a.text FROM wide a, wide b LIMIT 60000"})
        for _ in range(3):
            s = stack.enter_context(socket.create_connection(("127.0.0.1", tree.port)))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall((head(tree, "POST", "/v1/query", Content_Type="application/json", Content_Length=len(body)) + body).encode())
            assert select.select([s], [], [], 20)[0]
            slow.append(s)
        for i in range(20):
            assert tree.ingest("quick", [{"n": i}]).status_code == 200
        assert is_within(tree, 64)
        for s in slow[:30]:
            s.sendall(b" " * 99)
        assert all(s.recv(100).startswith(b"HTTP/1.1 4") for s in slow[:30])
    assert tree.one("SELECT count(*) FROM quick") == 20


def test_an_idle_region_is_small(tmp_path):
    tree = Tree(tmp_path, env=environment()).up()
    try:
        tree.ingest("x", [{"n": 1}])
        tree.query("SELECT 1")
        time.sleep(0.5)
        assert is_within(tree, 16)
    finally:
        tree.down()
