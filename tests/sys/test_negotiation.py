"""What a client may ask for beside the result itself: its media type, and its coding on the way."""

import ctypes
import gzip
import json

import pytest
from region_kit import Tree, problem


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    r = Tree(tmp_path_factory.mktemp("negotiation")).up()
    lines = "".join(json.dumps({"n": n, "body": f"line {n} of a thousand"}) + "\n" for n in range(1000)).encode()
    sent = r.call("POST", "/v1/ingest/app", data=lines, headers={"Content-Type": "application/x-ndjson"})
    assert sent.status_code == 200, sent.text
    yield r
    r.down()


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
