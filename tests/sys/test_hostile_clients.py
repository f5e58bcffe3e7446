"""A network client who plays with framing, headers, encodings, names, keys and sizes."""

import os
import socket
import threading
import time
import zlib

import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from conftest import Region, children_of, gz

LINE = b'{"n":1}\n'


@pytest.fixture(scope="module", autouse=True)
def tenants(region):
    region.acme, region.acme_2 = region.tenant("acme"), region.tenant("acme_2")
    region.acme_admin = region.json("key", "create", "acme", "--scopes", "admin")["key"]
    yield
    assert region.status()["phase"] == "serving"
    assert all(f["crashes"] == 0 for f in region.status()["functions"])


def raw(region, lines, body=b"", path="/v1/ingest/raw", method="POST"):
    """One request byte for byte; (status, text)."""
    head = [f"{method} {path} HTTP/1.1".encode(), b"Host: x", b"Connection: close"]
    head += [line if isinstance(line, bytes) else line.encode() for line in lines]
    with socket.create_connection(("127.0.0.1", region.port), timeout=60) as s:
        s.sendall(b"\r\n".join(head) + b"\r\n\r\n" + body)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer.split(b"\r\n\r\n", 1)[-1].decode(errors="replace")


def bearer(key):
    return f"Authorization: Bearer {key}"


def length(body):
    return f"Content-Length: {len(body)}"


# -- identity --

def test_identity_comes_once(region):
    for pair in ((region.acme, region.acme_2), (region.acme, region.acme), ("x", region.acme), (region.acme, "x")):
        assert raw(region, [*map(bearer, pair), length(LINE)], LINE)[0] == 401


@pytest.mark.parametrize("form,status", [
    ("Bearer {}", 200), ("bearer {}", 200), ("BEARER  {}  ", 200), ("Bearer\t{}", 401), ("Basic {}", 401), ("{}", 401),
    ("Bearer {},{}", 401), ("Bearer {} x", 401), ("Bearer", 401), ("", 401), ("Bearer {}" + "0" * 4000, 401),
    ("Bearer {}" + "0" * 9000, 401),
])
def test_one_spelling_of_a_key(region, form, status):
    line = "Authorization: " + form.format(region.acme, region.acme_2)
    assert raw(region, [line, length(LINE)], LINE)[0] == status
    assert raw(region, [line.replace(region.acme, region.acme.upper()), length(LINE)], LINE)[0] == 401


def test_bytes_that_are_no_text_in_a_header(region):
    for value in (b"\xff\xfe", b"Bearer " + region.acme.encode() + b"\xff"):
        assert raw(region, [b"Authorization: " + value, length(LINE)], LINE)[0] == 401
    assert raw(region, [bearer(region.acme), b"X-Note: \xff\xfe\xe9", length(LINE)], LINE)[0] == 200


def test_nothing_but_the_key_names_the_tenant(region):
    lines = [bearer(region.acme), "X-Tenant: acme_2", "tenant: acme_2", "x-prism-tenant: acme_2", "x-api-key: " + region.acme_2]
    body = b'{"who":"acme","tenant":"acme_2"}'
    assert raw(region, [*lines, length(body)], body, path="/v1/ingest/mine?tenant=acme_2&authorizer.tenant=acme_2")[0] == 200
    assert region.rows("SELECT who FROM mine", key=region.acme) == [["acme"]]
    assert region.query("SELECT who FROM mine", key=region.acme_2).status_code == 404
    assert region.call("POST", "/v1/query", key=region.acme, json={"sql": "FROM mine", "tenant": "acme_2"}).status_code == 400


ADMIN = [("GET", "/v1/admin/tenants", None), ("POST", "/v1/admin/tenants", {"name": "evil"}),
         ("POST", "/v1/admin/tenants", {"op": "create", "name": "evil"}), ("GET", "/v1/admin/tenants/acme_2", None),
         ("PATCH", "/v1/admin/tenants/acme_2", {"status": "suspended"}), ("PATCH", "/v1/admin/tenants/acme", {"tier": "gold"}),
         ("DELETE", "/v1/admin/tenants/acme_2", None), ("POST", "/v1/admin/tenants/acme_2/keys", {"scopes": ["admin"]}),
         ("GET", "/v1/admin/tenants/acme_2/keys", None), ("GET", "/v1/admin/tenants/_system/keys", None)]


@pytest.mark.parametrize("method,path,body", ADMIN)
def test_other_tenants_cannot_be_administrated(region, method, path, body):
    for key in (region.acme, region.acme_admin):
        assert region.call(method, path, key=key, json=body).status_code in (400, 403)
    own = region.call("DELETE", f"/v1/admin/tenants/acme/keys/{region.acme_2.split('_')[1]}", key=region.acme_admin)
    assert own.status_code == 404 and region.call("GET", "/v1/datasets", key=region.acme_2).status_code == 200


def test_a_key_for_sending_cannot_look(region):
    key = region.json("key", "create", "acme", "--scopes", "ingest")["key"]
    for path in ("/v1/datasets", "/v1/datasets/raw"):
        assert region.call("GET", path, key=key).status_code == 403


ROUTES = [("POST", "/v1/ingest/x", LINE), ("POST", "/v1/logs", b"{}"), ("POST", "/v1/traces", b"{}"), ("POST", "/v1/metrics", b"{}"),
          ("POST", "/v1/query", b'{"sql":"SELECT 1"}'), ("GET", "/v1/datasets", b""), ("GET", "/v1/datasets/x", b""),
          ("GET", "/v1/admin/tenants/lives", b""), ("GET", "/v1/admin/tenants/lives/keys", b"")]


def test_suspended_revoked_and_deleted_close_every_route_at_once(region):
    key = region.tenant("lives", scopes="ingest,query,admin")
    admin = region.admin_key

    def statuses(k):
        headers = {"Content-Type": "application/json"}
        return {region.call(m, p, key=k, data=b, headers=headers).status_code for m, p, b in ROUTES}

    assert statuses(key) == {200}
    for status, expected in (("suspended", {403}), ("active", {200})):
        assert region.call("PATCH", "/v1/admin/tenants/lives", key=admin, json={"status": status}).status_code == 200
        assert statuses(key) == expected
    second = region.json("key", "create", "lives", "--scopes", "query")["key"]
    assert region.call("GET", "/v1/datasets", key=second).status_code == 200
    region.run("key", "revoke", "lives", second.split("_")[1])
    assert statuses(second) == {401} and statuses(key) == {200}
    region.run("tenant", "delete", "lives")
    assert statuses(key) == {401}


# -- framing --

CHUNKED = b'8\r\n{"n":1}\n\r\n0\r\n\r\n'


@pytest.mark.parametrize("lines,body,status", [
    (["Transfer-Encoding: chunked", "Content-Length: 4"], CHUNKED, 400), (["Transfer-Encoding: xchunked"], CHUNKED, 501),
    (["Transfer-Encoding: gzip, chunked"], CHUNKED, 501), (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], CHUNKED, 400),
    (["Transfer-Encoding: \x0bchunked"], CHUNKED, 400), (["Transfer-Encoding : chunked"], CHUNKED, 400),
    (["Content-Length: 8", "Content-Length: 3"], LINE, 400), (["Content-Length: +8"], LINE, 400), (["Content-Length: 8, 8"], LINE, 400),
    (["Content-Length: -1"], LINE, 400), (["Content-Length: 99999999999999999999999"], LINE, 400),
    (["Transfer-Encoding: chunked"], b'-8\r\n{"n":1}\n\r\n0\r\n\r\n', 400), (["Transfer-Encoding: chunked"], b'0x8\r\n{"n":1}\n\r\n0\r\n\r\n', 400),
    (["Transfer-Encoding: chunked"], b'ffffffffffffffff1\r\n{"n":1}\n\r\n0\r\n\r\n', 400), (["Host: y", "Content-Length: 8"], LINE, 400),
    (["Transfer-Encoding: chunked"], b'8;a=b\r\n{"n":1}\n\r\n0\r\nAuthorization: Bearer x\r\n\r\n', 200),
])
def test_a_body_has_one_length(region, lines, body, status):
    assert raw(region, [bearer(region.acme), *lines], body)[0] == status


# -- encodings --

GZ = gz(LINE)
LYING = gz(b"x" * 1000)[:-4] + b"\xff\xff\xff\xff"


@pytest.mark.parametrize("encoding,body,statuses", [
    ("gzip, gzip", gz(GZ), (400,)), ("gzip,identity", GZ, (400,)), ("GZIP", GZ, (200,)), ("gzip", GZ + GZ, (200,)),
    ("gzip", GZ + b"garbage", (400,)), ("gzip", GZ + b"\0" * 100, (400,)), ("deflate", zlib.compress(LINE), (200,)),
    ("deflate", zlib.compress(LINE) + b"x", (400,)), ("gzip", b"", (400,)), ("zstd", b"", (400,)), ("gzip", LYING, (400,)),
    ("gzip", GZ * 60000, (200,)), ("gzip", gz(b"") * 200000, (400,)), ("gzip", gz(b"\n" * (63 << 20)), (400,)),
    ("gzip", gz(b"{}\n" * (20 << 20)), (413,)), ("gzip", gz(b"[" * (60 << 20)), (400,)),
    ("gzip", gz(b"[" + b"[]," * (20 << 20)), (413,)), ("gzip", gz(b'{"a":' * 50000 + b"1" + b"}" * 50000), (400,)),
    ("gzip", gz(b"{" + b'"a":1,' * 160000 + b'"b":1}'), (400,)), ("zstd", b"\x50\x2a\x4d\x18\xff\xff\xff\x7f", (400,)),
    ("zstd", b"\x28\xb5\x2f\xfd\x00\xff" + b"\0" * 20, (400,)), ("zstd", b"\x28\xb5\x2f\xfd\x23\xde\xad\xbe\xef\x10" + b"\0" * 20, (400,)),
])
def test_encodings(region, encoding, body, statuses):
    answer = region.ingest("encoded", body, key=region.acme, headers={"Content-Encoding": encoding})
    assert answer.status_code in statuses, answer.text


# -- idempotency --

def test_keys_of_idempotency_are_of_one_tenant_and_dataset(region):
    headers = {"Idempotency-Key": "shared"}
    seen = [region.ingest(d, [{"n": i}], key=k, headers=headers).json()
            for i, (d, k) in enumerate([("one", region.acme), ("two", region.acme), ("one", region.acme_2)])]
    assert [a["duplicate"] for a in seen] == [False] * 3
    assert region.rows("SELECT n FROM one", key=region.acme_2) == [[2]]
    lines = [bearer(region.acme), "Idempotency-Key: a", "Idempotency-Key: b", length(LINE)]
    assert raw(region, lines, LINE)[0] == 400


# -- names and values --

ODD = [{"a": 1, "A": 2, "b.c": 3, "b": {"c": 4}, "B.C": 5}, {"_other": {"x": 1}, "_OTHER": "y"}, {"_other": [1]},
       {"_row": 1, "filename": "f", "file_row_number": 7, "file_index": 8, "rowid": 9, "date": "2020-01-01", "Date": 1},
       {"é": 1, "e\u0301": 2, "É": 3, "\u212a": 4, "k": 5, "ß": 7, "ẞ": 8, "İ": 1, "i": 2, "ı": 3}, {" ": 1, "  ": 2},
       {"a b": 1, 'a"b': 2, "a'b": 3, "a;b": 4, "--": 5, "/*": 6, "`": 7, "\\": 8}, {"..": 1, ".": 2, "a.": 3, ".a": 4},
       {"select": 1, "from": 2, "column": 4}, {"n" * 256: 1}, {"n": 2**63 - 1}, {"n": 2**63}, {"n": -(2**63)}, {"n": -(2**63) - 1},
       {"n": 2**64}, {"n": 1e308}, {"n": 5e-324}, {"n": -0.0}, {"n": int("9" * 4000)}, {"x": "a\0b"}, {"x": "\uffff\ufdd0"}]


def test_odd_names_and_numbers_read_the_same_hot_sealed_and_compacted(region):
    for i, record in enumerate(ODD):
        assert region.ingest(f"odd{i}", [record], key=region.acme).status_code == 200

    def rows():
        answers = [region.query(f"SELECT * FROM odd{i}", key=region.acme) for i in range(len(ODD))]
        assert {a.status_code for a in answers} == {200}
        return [a.text.split('"cost"')[0] for a in answers]

    hot = rows()
    for stage in ("seal", "compact"):
        assert region.json("tick", stage)["failed"] == 0
        assert rows() == hot


@pytest.mark.parametrize("record", [
    b'{"":1}', b'{"a\\u0000b":1}', b'{"a\\nb":1}', b'{"%s":1}' % (b"n" * 257), b'{"%s":{"%s":1}}' % (b"n" * 200, b"m" * 200), b'{"n":01}',
    b'{"n":NaN}', b'{"s":"\xff"}', b'{"s":"\xed\xa0\x80"}', b'{"s":"\\ud800"}', b'{"time":9223372036854775807}', b'{"time":-9223372036854775808}',
    b'{"time":1e300}', b'{"time":[1]}', b'{"time":"2026-02-30T00:00:00Z"}', b'{"time":"2026-11-20T10:00:00+99:99"}',
])
def test_records_that_are_refused(region, record):
    assert region.ingest("refused", record + b"\n", key=region.acme).status_code == 400


def test_a_batch_that_could_not_be_sealed_is_refused(region):
    """A few bytes per row, but each row another field: gigabytes once decoded."""
    body = "".join('{"c%d":[1]}\n' % (i % 1990) for i in range(200000))
    answer = region.ingest("wide", gz(body.encode()), key=region.acme, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413 and "columns" in answer.json()["detail"]


def test_few_columns_in_many_rows_of_a_wide_dataset_are_sealed(region):
    for half in range(2):
        record = {f"c{half * 999 + i}": [1] for i in range(999)}
        assert region.ingest("broad", [record], key=region.acme).status_code == 200
    body = gz(b'{"c1":[2],"new":1}\n' * 2000)
    assert region.ingest("broad", body, key=region.acme, headers={"Content-Encoding": "gzip"}).status_code == 200
    assert region.rows("SELECT c1, c1500 FROM broad WHERE c1 = '[2]' LIMIT 1", key=region.acme) == [["[2]", None]]
    assert region.json("tick", "seal")["failed"] == 0
    assert region.one("SELECT count(*) FROM broad WHERE c1 = '[2]'", key=region.acme) == 2000


def test_long_names_that_would_fill_other_are_refused(region):
    body = b"".join(b'{"%s":{%s}}\n' % (b"p" * 240, b",".join(b'"%d":1' % (i % 999) for i in range(999))) for _ in range(2000))
    answer = region.ingest("long_names", gz(body), key=region.acme, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413


def test_many_datasets_and_many_small_requests(region):
    key = region.tenant("many")

    def send(part):
        for i in range(part, 400, 4):
            assert region.ingest(f"d{i}", [{"n": i}], key=key).status_code == 200

    threads = [threading.Thread(target=send, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(region.call("GET", "/v1/datasets", key=key).json()["datasets"]) == 400
    assert region.one("SELECT count(*) FROM (SHOW TABLES)", key=key) == 400
    assert region.json("tick", "seal")["failed"] == 0
    assert region.one("SELECT sum(n) FROM d399", key=key) == 399


# -- OTLP --

def otlp_bombs():
    logs = logs_service_pb2.ExportLogsServiceRequest()
    record = logs.resource_logs.add().scope_logs.add().log_records.add()
    for i in range(20000):
        record.attributes.add(key=f"a{i}").value.int_value = i
    yield "20,000 attributes", "/v1/logs", logs.SerializeToString()
    deep = logs_service_pb2.ExportLogsServiceRequest()
    value = deep.resource_logs.add().scope_logs.add().log_records.add().body
    for _ in range(90):
        value = value.array_value.values.add()
    yield "90 levels", "/v1/logs", deep.SerializeToString()
    nested = b""
    for _ in range(20000):
        nested = b"\x0a" + varint(len(nested)) + nested
    yield "20,000 nested messages", "/v1/logs", nested
    spans = trace_service_pb2.ExportTraceServiceRequest()
    span = spans.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="x")
    for i in range(100000):
        span.events.add(name="e" * 20, time_unix_nano=i)
    yield "100,000 span events", "/v1/traces", gz(spans.SerializeToString())
    yield "empty resources", "/v1/logs", gz(b"\x0a\x00" * (30 << 20))


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


@pytest.mark.parametrize("name,path,body", [pytest.param(*case, id=case[0]) for case in otlp_bombs()])
def test_absurd_otlp_is_answered(region, name, path, body):
    headers = {"Content-Type": "application/x-protobuf", **({"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {})}
    answer = region.call("POST", path, key=region.acme, data=body, headers=headers)
    assert answer.status_code in (200, 400, 413), answer.text
    assert region.json("tick", "seal")["failed"] == 0


# -- paths --

@pytest.mark.parametrize("name", ["..", ".", "%2e%2e", "..%2f..%2fetc", "a%00b", "a%2fb", "a%5cb", "%c3%a9", "%ff", "A", "1a", "a%20b", "a+b",
                                  "_system", "_quarantine", "a" * 64, "a" * 5000, "a.b", "*", "%zz", "%", "a%0a", "%EF%BC%8E%EF%BC%8E"])
def test_names_in_paths(region, name):
    admin = region.admin_key
    for method, path, key, body in [("POST", "/v1/ingest/{}", region.acme, LINE), ("GET", "/v1/datasets/{}", region.acme, b""),
                                    ("DELETE", "/v1/datasets/{}", region.acme_admin, b""), ("PUT", "/v1/datasets/{}/retention", region.acme_admin, b'{"days":3}'),
                                    ("PATCH", "/v1/admin/tenants/{}", admin, b'{"tier":"x"}'), ("DELETE", "/v1/admin/tenants/acme/keys/{}", admin, b"")]:
        status, text = raw(region, [bearer(key), "Content-Type: application/json", length(body)], body, path=path.format(name), method=method)
        assert status in (400, 404), (method, path, status, text)
    assert {p.name for p in (region.data / "hot").iterdir()} <= {"acme", "acme_2", "many", "lives", "_system", "default"}


def test_a_tenant_whose_name_begins_like_anothers(region):
    region.ingest("twin", [{"who": "acme"}], key=region.acme)
    region.ingest("twin_2", [{"who": "acme"}], key=region.acme)
    region.ingest("twin", [{"who": "acme_2"}], key=region.acme_2)
    for stage in ("seal", "compact", "retain"):
        assert region.rows("SELECT who FROM twin", key=region.acme) == [["acme"]]
        assert region.rows("SELECT who FROM twin", key=region.acme_2) == [["acme_2"]]
        region.run("tick", stage)
    assert region.call("DELETE", "/v1/datasets/twin", key=region.acme_admin).status_code == 200
    assert region.query("FROM twin", key=region.acme).status_code == 404
    region.run("invoke", "storage", "-", input='{"op":"retain"}')
    assert region.query("FROM twin", key=region.acme).status_code == 404
    assert region.rows("SELECT who FROM twin_2", key=region.acme) == [["acme"]]
    assert region.rows("SELECT who FROM twin", key=region.acme_2) == [["acme_2"]]


# -- secrets --

def test_keys_stand_in_their_two_files_only(region):
    keys = [region.admin_key, region.key, region.acme, region.acme_2, region.acme_admin]
    time.sleep(2)  # the region's own records are written each second
    for folder, _, files in os.walk(region.data):
        # A tenant's own folder is open to its shard's group, as its access point makes it; hot/ above it is not.
        of_a_tenant = os.path.dirname(folder) == str(region.data / "hot")
        assert os.stat(folder).st_mode & (0o007 if of_a_tenant else 0o077) == 0, folder
        for file in files:
            path = os.path.join(folder, file)
            assert os.lstat(path).st_mode & 0o077 == 0, path
            if os.path.exists(path) and file not in ("admin.key", "tenant.key", "region.sock"):
                with open(path, "rb") as f:
                    text = f.read()
                assert not any(key.split("_")[2].encode() in text for key in keys), path
    for pid in [region.pid, *children_of(region.pid)]:
        text = b"".join(open(f"/proc/{pid}/{f}", "rb").read() for f in ("cmdline", "environ"))
        assert not any(key.split("_")[2].encode() in text for key in keys)
        limits = open(f"/proc/{pid}/limits").read().splitlines()
        assert [line.split()[4:6] for line in limits if line.startswith("Max core file size")] == [["0", "0"]]


def test_a_data_folder_that_others_may_write_is_refused(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    done = Region(data).run("up", "--detach", check=False)
    assert done.returncode != 0 and "chmod go-w" in done.stdout + done.stderr
    assert not list(data.glob("*.key")) and not list(data.glob("*.db"))
