"""Tokens and keys that are limited to datasets and rows: SQL that tries to get around it, also by what errors, statistics, names and other forms of answers tell.
What a token must not show has a canary in every column, and its bodies break every cast, so that a statement that touches such a row fails or tells."""

import io
import json

import pyarrow.parquet
import pytest

from conftest import Region
from region_kit import problem

CANARY = "CANARY"
SHOWN = {"datasets": ["logs", "sealed"], "rows": [{"column": "service", "in": ["shop", "it's"]}, {"column": "level", "equals": 3}]}


def rows_of(n):
    """Four of ten are shown."""
    for i in range(n):
        shown, service = i % 10 < 4, ["shop", "it's"][i % 2]
        yield {"time": "2026-11-20T10:00:00Z", "service": service if shown else [f"{CANARY} {i}", "Shop", "shop "][i % 3], "level": 3, "n": i if shown else -7_777_777 - i,
               "body": str(i) if shown else f"{CANARY} {i}", "secret": None if shown else f"{CANARY}"}
    yield {"time": "2026-11-20T10:00:00Z", "service": "shop", "level": 4, "n": -7_777_777, "body": f"{CANARY} level", "secret": CANARY}
    yield {"time": "2026-11-20T10:00:00Z", "level": 3, "n": -7_777_777, "body": f"{CANARY} none", "secret": CANARY}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    r = Region(tmp_path_factory.mktemp("narrow") / "data").up()
    every = list(rows_of(100))
    for dataset in ("sealed", "logs", "hidden", "bare"):
        r.ingest(dataset, every[:50] if dataset == "logs" else every)
        if dataset in ("sealed", "logs"):
            r.run("tick", "seal")
    r.ingest("logs", every[50:])
    r.ingest("bare", [{"canary": CANARY, "n": -7_777_777}])
    r.narrow = issue(r, scopes=["query"], restriction=SHOWN)
    r.rows_only = issue(r, scopes=["query"], restriction={"rows": SHOWN["rows"]})
    r.datasets_only = issue(r, restriction={"datasets": ["logs", "later"]})
    yield r
    assert r.one("SELECT count(*) FROM logs") == 102
    assert r.status()["phase"] == "serving"
    r.down()


def issue(region, status=201, **wish):
    answer = region.call("POST", "/v1/tokens", json=wish)
    assert answer.status_code == status, answer.text
    return answer.json().get("token")


def quiet(answer):
    """Nothing of the rows that are not shown."""
    assert CANARY not in answer.text and "7777777" not in answer.text, answer.text
    return answer


COUNTS = r"""
SELECT count(*) FROM {d}
SELECT count(n) FROM {d}
SELECT count(*) FROM {d} WHERE true OR service IS NOT NULL
SELECT count(*) FROM {d} WHERE CAST(body AS INTEGER) >= 0
SELECT count(*) FROM {d} WHERE body::INTEGER >= 0 AND service <> 'nothing'
SELECT count(*) FROM {d} WHERE service = service AND CAST(body AS INTEGER) % 1 = 0
SELECT count(*) FROM (SELECT CAST(body AS INTEGER) AS b FROM {d}) WHERE b >= 0
SELECT count(*) FROM (SELECT * FROM {d} ORDER BY CAST(body AS INTEGER))
SELECT count(*) FROM (SELECT body::INTEGER AS b FROM {d} GROUP BY ALL)
SELECT sum(c) FROM (SELECT count(*) AS c FROM {d} GROUP BY service HAVING max(body::INTEGER) >= 0)
SELECT count(*) FROM {d} a WHERE EXISTS (SELECT 1 FROM {d} b WHERE b.body::INTEGER = a.body::INTEGER)
SELECT count(*) FROM {d} a WHERE a.n IN (SELECT b.body::INTEGER FROM {d} b)
SELECT count(*) FROM {d} a WHERE (SELECT max(b.body::INTEGER) FROM {d} b WHERE b.n = a.n) >= 0
SELECT count(*) FROM {d} a, LATERAL (SELECT a.body::INTEGER AS x) l WHERE l.x >= 0
SELECT count(*) FROM {d} a JOIN {d} b ON a.body::INTEGER = b.body::INTEGER
SELECT count(*) FROM {d} a LEFT JOIN {d} b ON a.n = b.n AND b.body::INTEGER >= 0
SELECT count(*) FROM {d} a FULL JOIN {d} b USING (n) WHERE a.body::INTEGER >= 0 AND b.body::INTEGER >= 0
SELECT count(*) FROM {d} SEMI JOIN (SELECT body::INTEGER AS n FROM {d}) USING (n)
SELECT count(*) FILTER (body::INTEGER >= 0) FROM {d}
SELECT max(c) FROM (SELECT count(*) OVER (ORDER BY body::INTEGER) AS c FROM {d})
WITH x AS (SELECT body::INTEGER AS b FROM {d}) SELECT count(*) FROM x WHERE b >= 0
WITH x AS MATERIALIZED (SELECT * FROM {d}) SELECT count(*) FROM x WHERE body::INTEGER >= 0
WITH x AS NOT MATERIALIZED (SELECT * FROM {d}) SELECT count(*) FROM x WHERE body::INTEGER >= 0
WITH hidden AS (SELECT * FROM {d}) SELECT count(*) FROM hidden
WITH logs AS (SELECT * FROM {d}), hidden AS (FROM logs) SELECT count(*) FROM hidden WHERE body::INTEGER >= 0
WITH RECURSIVE x AS (SELECT n FROM {d} UNION SELECT n FROM x) SELECT count(*) FROM x
SELECT count(*) FROM (FROM {d} UNION FROM {d})
SELECT count(*) FROM (FROM {d} INTERSECT FROM {d})
SELECT count(*) FROM (FROM {d} EXCEPT (FROM {d} WHERE body::INTEGER < 0))
SELECT count(*) FROM {d} WHERE CASE WHEN service = 'x' THEN true ELSE body::INTEGER >= 0 END
SELECT count(*) FROM {d} WHERE TRY_CAST(body AS INTEGER) IS NOT NULL
SELECT count(*) FROM {d} WHERE list_contains([n], body::INTEGER)
SELECT count(*) FROM {d} WHERE secret IS NULL
SELECT count(*) FROM {d} TABLESAMPLE 100%
SELECT approx_count_distinct(body) * 0 + count(*) FROM {d}
SELECT len(list(body::INTEGER)) FROM {d}
SELECT count(COLUMNS('body')) FROM {d}
""".strip().splitlines()


@pytest.mark.parametrize("dataset", ["logs", "sealed"])
@pytest.mark.parametrize("sql", COUNTS)
def test_forty_rows_are_all_there_is(narrow, sql, dataset):
    answer = quiet(narrow.query(sql.format(d=dataset), key=narrow.narrow))
    assert answer.status_code == 200 and answer.json()["rows"] == [[40]], answer.text


TELLING = r"""
SELECT min(n), max(n), min(body), max(body), min(service), max(service), max(secret), min(level), max(level) FROM {d}
SELECT * FROM {d} ORDER BY n
SELECT DISTINCT service FROM {d}
SELECT histogram(service) FROM {d}
SELECT mode(secret) FROM {d}
SELECT arg_max(body, n), arg_min(body, n) FROM {d}
SELECT string_agg(body, ',') FROM {d}
SUMMARIZE {d}
DESCRIBE {d}
SUMMARIZE SELECT secret, n FROM {d}
FROM {d} LIMIT 5 OFFSET 38
SELECT unnest(list(secret)) FROM {d}
PIVOT {d} ON service USING count(*)
SELECT {d} FROM {d}
SELECT * FROM {d} a POSITIONAL JOIN {d} b
SELECT CAST(secret AS INTEGER) FROM {d}
SELECT CAST(service AS INTEGER) FROM {d} WHERE service NOT IN ('shop', 'it''s')
SELECT 1 FROM {d} WHERE CAST(secret AS INTEGER) = 1
SELECT strptime(secret, '%Y') FROM {d}
SELECT body::UTINYINT FROM {d} WHERE n < 0
SELECT json_extract(secret, '$.a') FROM {d}
""".strip().splitlines()


@pytest.mark.parametrize("dataset", ["logs", "sealed"])
@pytest.mark.parametrize("sql", TELLING)
def test_nothing_tells_of_the_other_rows(narrow, sql, dataset):
    for form in ("json", "csv", "ndjson"):
        answer = quiet(narrow.query(sql.format(d=dataset), key=narrow.narrow, format=form))
        assert answer.status_code in (200, 400), answer.text


HIDDEN = r"""
FROM hidden
SELECT count(*) FROM hidden
SELECT * FROM logs, hidden
SELECT * FROM logs WHERE n IN (SELECT n FROM hidden)
SELECT (SELECT max(body) FROM hidden) FROM logs
WITH hidden AS (SELECT * FROM hidden) FROM hidden
WITH x AS (FROM hidden) FROM x
WITH x AS (WITH hidden AS (SELECT 1) FROM hidden) SELECT * FROM x, hidden
SELECT * FROM (WITH hidden AS (SELECT 1 AS one) FROM hidden) a, hidden b
DESCRIBE hidden
SUMMARIZE hidden
FROM (DESCRIBE hidden)
FROM "HIDDEN"
FROM Hidden
FROM "hidden "
FROM main.hidden
FROM memory.main.hidden
FROM query_table('hidden')
FROM query('FROM hidden')
FROM duckdb_views()
FROM duckdb_columns()
FROM pragma_table_info('hidden')
FROM information_schema.columns
FROM prism_hot(0)
FROM prism_hot(1)
SELECT * FROM read_parquet('*')
""".strip().splitlines()


@pytest.mark.parametrize("sql", HIDDEN)
def test_other_datasets_are_not_there(narrow, sql):
    assert narrow.query("SELECT count(*) FROM hidden").status_code == 200  # its view may be kept by the engine
    answer = quiet(narrow.query(sql, key=narrow.narrow))
    assert answer.status_code in (400, 404), answer.text
    assert "hidden" not in answer.json().get("datasets", []) and "bare" not in answer.json().get("datasets", [])


def test_a_name_that_a_statement_defines_is_what_it_defines(narrow):
    assert narrow.query("FROM hidden").status_code == 200
    assert narrow.rows("WITH hidden AS (SELECT 5 AS five) FROM hidden", key=narrow.narrow) == [[5]]
    assert narrow.rows("WITH logs AS (SELECT 5 AS five) FROM logs", key=narrow.narrow) == [[5]]


def test_names_are_those_of_the_restriction(narrow):
    assert narrow.rows("SHOW TABLES", key=narrow.narrow) == [["logs"], ["sealed"]]
    assert narrow.query("FROM nope", key=narrow.narrow).json()["datasets"] == ["logs", "sealed"]
    assert narrow.rows("SHOW TABLES", key=narrow.datasets_only) == [["logs"]]
    for path in ("/v1/datasets", "/v1/datasets/logs", "/v1/datasets/hidden"):
        quiet(problem_of(narrow.call("GET", path, key=narrow.narrow), 403))


def problem_of(answer, status):
    problem(answer, status)
    return answer


def test_a_dataset_without_the_column_shows_nothing(narrow):
    narrow.ingest("columns", [{"n": 1, "body": CANARY}])
    assert narrow.rows("SELECT count(*), max(body) FROM columns", key=narrow.rows_only) == [[0, None]]
    assert narrow.rows("SELECT count(*) FROM hidden", key=narrow.rows_only) == [[40]]
    assert narrow.rows("SELECT count(*), max(canary) FROM bare", key=narrow.rows_only) == [[40, None]]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_files_hold_no_more(narrow, form):
    answer = narrow.query("FROM logs", key=narrow.narrow, format=form)
    assert answer.status_code == 200 and CANARY.encode() not in answer.content
    if form == "parquet":
        assert pyarrow.parquet.read_table(io.BytesIO(answer.content)).num_rows == 40


def test_on_one_instance_each_sees_its_own(narrow):
    for _ in range(10):
        assert narrow.rows("SELECT count(*) FROM logs") == [[102]]
        assert narrow.rows("SELECT count(*) FROM logs", key=narrow.narrow) == [[40]]
        assert narrow.rows("SELECT count(*) FROM logs", key=narrow.datasets_only) == [[102]]
        assert narrow.query("FROM sealed", key=narrow.datasets_only).status_code == 404
        assert narrow.rows("SELECT count(*) FROM logs", key=narrow.narrow) == [[40]]
        assert narrow.rows("SELECT count(*) FROM sealed") == [[102]]


@pytest.mark.parametrize("text", ["'", "''", "' OR ''='", "'); DROP VIEW logs; --", "\\", "\\'", "$$", "$1", "?", "%", "\u2019", "\ufeff", "a\nb", "/*", "--", "NULL", "x' IN (SELECT service FROM hidden) OR 'x", "E'\\''", "🙂" * 50])
def test_values_and_names_are_no_sql(narrow, text):
    narrow.ingest("odd", [{"v": text, "n": 1}, {"v": CANARY, "n": -7_777_777}])
    token = issue(narrow, scopes=["query"], restriction={"datasets": ["odd"], "rows": [{"column": "v", "equals": text}]})
    assert {tuple(r) for r in quiet(narrow.query("SELECT v, n FROM odd", key=token)).json()["rows"]} == {(text, 1)}
    token = issue(narrow, scopes=["query"], restriction={"rows": [{"column": text, "equals": "x"}]})
    assert narrow.rows("SELECT count(*) FROM logs", key=token) == [[0]]


@pytest.mark.parametrize("column, value, count", [("level", 3, 101), ("level", "3", 101), ("level", "three", 0), ("level", True, 0), ("n", 0, 1), ("n", -7777777, 2), ("service", 3, 0),
                                                   ("time", "2026-11-20T10:00:00Z", 102), ("secret", "NULL", 0), ("SERVICE", "shop", 21)])
def test_values_are_of_the_column_s_type(narrow, column, value, count):
    token = issue(narrow, scopes=["query"], restriction={"rows": [{"column": column, "equals": value}]})
    assert narrow.rows("SELECT count(*) FROM sealed", key=token) == [[count]]


def test_who_is_limited_sends_to_those_datasets_alone(narrow):
    assert narrow.ingest("later", [{"n": 1}], key=narrow.datasets_only).status_code == 200
    problem(narrow.ingest("hidden", [{"n": 1}], key=narrow.datasets_only), 403)
    problem(narrow.ingest("sealed", [{"n": 1}], key=narrow.datasets_only), 403)
    otlp = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]}
    traces = narrow.call("POST", "/v1/traces", key=narrow.datasets_only, json={"resourceSpans": []})
    assert traces.status_code == 403 and narrow.call("POST", "/v1/metrics", key=narrow.datasets_only, json={"resourceMetrics": []}).status_code == 403
    logs = narrow.one("SELECT count(*) FROM logs")
    other = issue(narrow, restriction={"datasets": ["elsewhere"]})
    assert narrow.call("POST", "/v1/logs", key=other, json=otlp).status_code == 403
    assert narrow.one("SELECT count(*) FROM logs") == logs


def test_conditions_on_rows_are_for_reading(narrow):
    issue(narrow, 400, restriction={"rows": SHOWN["rows"]})
    issue(narrow, 400, scopes=["ingest"], restriction={"rows": SHOWN["rows"]})
    for wrong in ({}, {"datasets": []}, {"rows": []}, {"rows": [{"column": "a"}]}, {"rows": [{"column": "a", "equals": 1, "in": [1]}]}, {"where": "1=1"},
                  {"rows": [{"column": "a", "equals": 1.5}]}, {"rows": [{"column": "a", "equals": None}]}, {"rows": [{"column": "a", "equals": {"b": 1}}]},
                  {"rows": [{"column": "a", "equals": "a\0b"}]}, {"datasets": ["a"] * 33}, {"rows": [{"column": "a", "in": list(range(33))}]}, {"rows": [{"column": "a", "equals": "x" * 2100}]}):
        issue(narrow, 400, scopes=["query"], restriction=wrong)


# ---- keys ----


def a_key(region, restriction, scopes="query", **kw):
    return region.json("key", "create", "--scopes", scopes, "--restrict", json.dumps(restriction), **kw)


def test_a_restricted_key_shows_what_its_token_would(narrow):
    made = a_key(narrow, SHOWN)
    assert made["restriction"] == SHOWN
    listed = {k["id"]: k.get("restriction") for k in narrow.json("key", "list")["keys"]}
    assert listed[made["id"]] == SHOWN and [r for r in listed.values() if r is None]
    assert '"it\'s"' in next(line for line in narrow.run("key", "list").stdout.splitlines() if made["id"] in line)
    key = made["key"]
    for sql in COUNTS[:6]:
        assert quiet(narrow.query(sql.format(d="logs"), key=key)).json()["rows"] == [[40]], sql
    for sql in HIDDEN[:6]:
        assert quiet(narrow.query(sql, key=key)).status_code in (400, 404)
    assert narrow.rows("SHOW TABLES", key=key) == [["logs"], ["sealed"]]
    for path in ("/v1/datasets", "/v1/datasets/logs", "/v1/retention", "/v1/usage", "/v1/admin/tenants/default/keys"):
        quiet(problem_of(narrow.call("GET", path, key=key), 403))
    problem(narrow.ingest("logs", [{"n": 1}], key=key), 403)
    assert narrow.rows("SELECT count(*) FROM logs") == [[102]]  # the engine is everybody's


def test_a_token_of_a_restricted_key_is_within_it(narrow):
    key = a_key(narrow, SHOWN)["key"]
    ask = lambda status, **wish: narrow.call("POST", "/v1/tokens", key=key, json=wish) if status == 201 else problem_of(narrow.call("POST", "/v1/tokens", key=key, json=wish), status)
    plain = ask(201).json()
    assert plain["restriction"] == SHOWN and narrow.rows("SELECT count(*) FROM logs", key=plain["token"]) == [[40]]
    fewer = ask(201, restriction={"datasets": ["sealed"], "rows": [{"column": "n", "in": [0, 1, 4]}]}).json()  # 4 is not shown
    assert fewer["restriction"] == {"datasets": ["sealed"], "rows": [*SHOWN["rows"], {"column": "n", "in": [0, 1, 4]}]}
    assert narrow.rows("SELECT n FROM sealed ORDER BY n", key=fewer["token"]) == [[0], [1]]
    assert narrow.query("FROM logs", key=fewer["token"]).status_code == 404
    ask(400, restriction={"datasets": ["hidden"]})
    ask(400, restriction={"datasets": ["logs", "hidden"]})
    ask(400, restriction={"rows": [{"column": f"c{i}", "equals": 1} for i in range(7)]})  # nine with the key's
    ask(403, scopes=["ingest"])


def test_a_key_for_some_datasets_sends_to_them(narrow):
    key = a_key(narrow, {"datasets": ["theirs"]}, scopes="ingest,query")["key"]
    assert narrow.ingest("theirs", [{"n": 1}], key=key).status_code == 200
    problem(narrow.ingest("hidden", [{"n": 1}], key=key), 403)
    assert narrow.rows("SELECT count(*) FROM theirs", key=key) == [[1]]


def test_what_is_no_restriction_of_a_key_is_said(narrow):
    for scopes, wrong in ((["query"], {}), (["query"], {"where": "1=1"}), (["ingest", "query"], {"rows": SHOWN["rows"]}), (["ingest"], {"rows": SHOWN["rows"]}), (["admin"], {"datasets": ["logs"]}),
                          (["query", "admin"], SHOWN), (["query"], {"rows": [{"column": "a", "equals": "x" * 2100}]})):
        answer = narrow.call("POST", "/v1/admin/tenants/default/keys", key=narrow.admin_key, json={"scopes": scopes, "restriction": wrong})
        problem(answer, 400)
    for said in ("{", "{}", '{"datasets":[]}', '["logs"]'):
        for verb in ("key", "token"):
            done = narrow.run(verb, "create", "--restrict", said, check=False)
            assert done.returncode == 2 and "--restrict: " in done.stderr, done.stderr
    token = narrow.run("token", "create", "--scopes", "query", "--restrict", json.dumps(SHOWN)).stdout.strip()
    assert narrow.rows("SELECT count(*) FROM logs", key=token) == [[40]]
    assert json.dumps(SHOWN, separators=(",", ":")) in narrow.run("token", "inspect", token).stdout
