"""What a client may ask for beside the thing itself: pages of other origins (CORS) by a browser's rules, media types and codings of results."""

import ctypes
import gzip
import json

import pytest
from conftest import ROOT
from region_kit import Tree, problem

CONSOLE = "https://console.example"
SAFE = {"accept", "accept-language", "content-language"}  # headers that any page may send; Content-Type of a form likewise
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
NO_KEY = {"Authorization": None}
READABLE = {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"}


class Refused(Exception):
    pass


class Page:
    """A page in a browser: fetch() by the Fetch standard, mode "cors", credentials "omit"."""

    def __init__(self, region, origin=CONSOLE):
        self.region, self.origin = region, origin

    def allowed(self, answer):
        told = answer.headers.get("Access-Control-Allow-Origin")
        if told not in ("*", self.origin):
            raise Refused(f"Access-Control-Allow-Origin: {told}")

    def preflight(self, method, path, unsafe):
        asked = {"Origin": self.origin, "Access-Control-Request-Method": method}
        if unsafe:
            asked["Access-Control-Request-Headers"] = ",".join(sorted(unsafe))
        answer = self.region.call("OPTIONS", path, headers={**asked, **NO_KEY})
        self.allowed(answer)
        if not 200 <= answer.status_code <= 299:
            raise Refused(f"preflight {answer.status_code}")
        methods = {m.strip() for m in answer.headers.get("Access-Control-Allow-Methods", "").split(",")}
        headers = {h.strip().lower() for h in answer.headers.get("Access-Control-Allow-Headers", "").split(",")}
        if method not in methods | {"GET", "HEAD", "POST"} and "*" not in methods:
            raise Refused(f"{method} is not among {methods}")
        for name in unsafe:
            if name not in headers and ("*" not in headers or name == "authorization"):
                raise Refused(f"{name} is not among {headers}")

    def fetch(self, method, path, key=None, headers=None, data=None):
        headers = headers or {}
        sent = {n.lower() for n in headers} | ({"authorization"} if key else set())
        unsafe = {n for n in sent - SAFE if n != "content-type" or headers["Content-Type"] not in FORMS}
        if unsafe or method not in ("GET", "HEAD", "POST"):
            self.preflight(method, path, unsafe)
        answer = self.region.call(method, path, key=key, headers={**headers, "Origin": self.origin, **({} if key else NO_KEY)}, data=data)
        self.allowed(answer)
        exposed = {h.strip().lower() for h in answer.headers.get("Access-Control-Expose-Headers", "").split(",")}
        answer.readable = {n.lower() for n in answer.headers if "*" in exposed or n.lower() in exposed | READABLE}
        return answer


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    r = Tree(tmp_path_factory.mktemp("negotiation")).up()
    lines = "".join(json.dumps({"n": n, "body": f"line {n} of a thousand"}) + "\n" for n in range(1000)).encode()
    sent = r.call("POST", "/v1/ingest/app", data=lines, headers={"Content-Type": "application/x-ndjson"})
    assert sent.status_code == 200, sent.text
    yield r
    r.down()


# ---- CORS ----


def test_a_page_uses_the_api_with_a_key(region):
    page, json_body = Page(region), {"Content-Type": "application/json"}
    assert page.fetch("GET", "/v1/health").json() == {"status": "ok"}
    sent = page.fetch("POST", "/v1/ingest/page", region.key, {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "Idempotency-Key": "one"},
                      gzip.compress(b'{"a": 1}\n'))
    assert sent.json()["accepted"] == 1
    asked = page.fetch("POST", "/v1/query", region.key, json_body, b'{"sql": "SELECT a FROM page"}')
    assert asked.json()["rows"] == [[1]] and {"prism-query-cost", "x-amzn-requestid"} <= asked.readable
    assert page.fetch("GET", "/v1/datasets", region.key).json()["datasets"]
    own = region.json("key", "create", "default", "--scopes", "ingest,query,admin")["key"]
    assert page.fetch("PUT", "/v1/datasets/page/retention", own, json_body, b"{}").status_code in (200, 400)
    assert page.fetch("DELETE", "/v1/datasets/page", own).status_code < 300
    assert page.fetch("GET", "/v1/admin/tenants", region.admin_key).json()["tenants"]


def test_a_page_reads_what_went_wrong(region):
    page, json_body = Page(region), {"Content-Type": "application/json"}
    assert problem(page.fetch("GET", "/v1/datasets"), 401)
    assert problem(page.fetch("GET", "/v1/datasets", "prism_0_0"), 401)
    assert problem(page.fetch("GET", "/v1/admin/tenants", region.key), 403)
    assert problem(page.fetch("GET", "/v1/datasets/none", region.key), 404)
    assert problem(page.fetch("POST", "/v1/query", region.key, json_body, b"{}"), 400)
    assert problem(page.fetch("POST", "/v1/query", region.key, json_body, b'{"sql": "SELECT nothing"}'), 400)
    assert problem(page.fetch("POST", "/v1/ingest/app", region.key, {"Content-Type": "image/png"}, b"x"), 415)


def test_a_page_may_not_send_what_is_not_told(region):
    for method, path, headers in (("PATCH", "/v1/datasets", {}), ("GET", "/v1/datasets", {"X-Else": "1"}), ("DELETE", "/v1/query", {})):
        with pytest.raises(Refused, match="not among"):
            Page(region).fetch(method, path, region.key, headers)
    with pytest.raises(Refused):
        Page(region).fetch("DELETE", "/v1/nothing", region.key)


def test_nothing_is_told_to_who_is_no_browser(region):
    for answer in (region.call("GET", "/v1/datasets"), region.query("SELECT 1")):
        assert answer.status_code == 200 and not any(n.lower().startswith("access-control") for n in answer.headers)


def test_preflights_answer_the_methods_of_their_path(region):
    contract = json.loads((ROOT / "platform" / "api.openapi.json").read_text())
    for path, item in contract["paths"].items():
        methods = {m.upper() for m in item} - {"OPTIONS"}
        if path == "/v1/health":
            continue
        asked = path.replace("{dataset}", "any").replace("{tenant}", "any").replace("{key_id}", "0" * 16).replace("{shard}", "any").replace("{machine}", "any").replace("{execution}", "any")
        answer = region.call("OPTIONS", asked, headers={"Origin": CONSOLE, "Access-Control-Request-Method": "GET", **NO_KEY})
        assert answer.status_code == 204 and answer.content == b"" and "Content-Type" not in answer.headers
        assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == methods, path


def test_origins_of_the_environment_read_answers_and_others_do_not(tmp_path):
    region = Tree(tmp_path, env={"PRISM_CORS_ORIGINS": f"{CONSOLE} https://two.example"}).up()
    try:
        for origin in (CONSOLE, "https://two.example"):
            answer = Page(region, origin).fetch("GET", "/v1/datasets", region.key)
            assert answer.headers["Access-Control-Allow-Origin"] == origin and answer.headers["Vary"] == "Origin"
            assert Page(region, origin).fetch("POST", "/v1/query", region.key, {"Content-Type": "application/json"}, b'{"sql": "SELECT 1"}').json()["rows"] == [[1]]
        for origin in ("https://console.example.evil", "null"):
            with pytest.raises(Refused):
                Page(region, origin).fetch("GET", "/v1/datasets", region.key)
    finally:
        region.down()


# ---- media types ----

ASKED = b'{"sql": "SELECT n FROM app ORDER BY n LIMIT 2"}'


@pytest.mark.parametrize("accept, media", [
    (None, "application/json"), ("", "application/json"), ("*/*", "application/json"), ("text/csv", "text/csv"), ("text/*", "text/csv"),
    ("application/json;q=0.5, text/csv", "text/csv"), ("text/csv;q=0.5, application/*;q=0.4", "text/csv"), ("text/html, text/csv;q=0.1", "text/csv"),
    ("application/x-ndjson, application/json", "application/x-ndjson"), ("*/*, application/json;q=0", "application/x-ndjson"),
    ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/json"), ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
])
def test_a_result_has_the_media_type_that_is_wanted_most(region, accept, media):
    answer = region.call("POST", "/v1/query", data=ASKED, headers={"Content-Type": "application/json", "Accept": accept})
    assert answer.status_code == 200 and answer.headers["Content-Type"].split(";")[0] == media, answer.text


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*, text/csv;q=0.0", "application/problem+json"])
def test_what_there_is_not_is_406(region, accept):
    headers = {"Content-Type": "application/json", "Accept": accept}
    assert "text/csv" in problem(region.call("POST", "/v1/query", data=ASKED, headers=headers), 406)["detail"]
    named = ASKED[:-1] + b', "format": "csv"}'
    assert region.call("POST", "/v1/query", data=named, headers=headers).headers["Content-Type"].split(";")[0] == "text/csv", "the body's word comes first"


# ---- codings ----


def unzstd(coded, room=64 << 20):
    library, out = ctypes.CDLL("libzstd.so.1"), ctypes.create_string_buffer(room)
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    n = library.ZSTD_decompress(out, room, coded, len(coded))
    assert n <= room, "no zstd"
    return out.raw[:n]


def raw(region, sql, accept_encoding, **body):
    answer = region.call("POST", "/v1/query", data=json.dumps({"sql": sql, **body}).encode(), stream=True,
                         headers={"Content-Type": "application/json", "Accept-Encoding": accept_encoding})
    assert answer.status_code == 200
    return answer.headers, answer.raw.read(decode_content=False)


@pytest.mark.parametrize("accept, coding", [("gzip", "gzip"), ("zstd", "zstd"), ("gzip, deflate, br, zstd", "zstd"), ("gzip, zstd;q=0.5", "gzip"),
                                            ("br", None), ("identity", None), ("*", None), ("gzip;q=0", None)])
@pytest.mark.parametrize("rows", [1000, 300_000], ids=["whole", "streamed"])
def test_results_are_compressed_by_the_coding_that_is_named(region, accept, coding, rows):
    sql = f"SELECT r, n, body FROM app, range({rows // 1000}) AS t(r) ORDER BY r, n"
    _, plain = raw(region, sql, "identity", format="csv")
    headers, body = raw(region, sql, accept, format="csv")
    assert headers.get("Content-Encoding") == coding
    if coding:
        assert len(body) < len(plain) / 2
        body = {"gzip": gzip.decompress, "zstd": unzstd}[coding](body)
    assert body == plain and plain.count(b"\n") == rows + 1


def test_a_short_answer_and_a_problem_are_plain(region):
    headers, body = raw(region, "SELECT 1 AS one", "gzip", format="csv")
    assert "Content-Encoding" not in headers and body == b"one\r\n1\r\n"
    wrong = region.call("POST", "/v1/query", data=json.dumps({"sql": "SELECT " + "x" * 3000}).encode(), headers={"Content-Type": "application/json", "Accept-Encoding": "gzip"})
    assert problem(wrong, 400) and "Content-Encoding" not in wrong.headers


def test_a_compressed_answer_that_ends_early_says_why(region):
    sql = "SELECT n, body, CASE WHEN r = 399 AND n = 999 THEN error('late') ELSE 0 END AS e FROM app, range(400) AS t(r)"
    _, body = raw(region, sql, "gzip", format="ndjson")
    last = gzip.decompress(body).splitlines()[-1]
    assert b"error" in last, last
