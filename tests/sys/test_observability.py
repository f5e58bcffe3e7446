"""What functions tell of themselves, in the eyes of those who nobody here wrote: AWS's library of metric lines,
OpenTelemetry's protobuf and SDK, botocore's signatures."""

import datetime
import json
import math
import re
import signal

import pytest
from aws_embedded_metrics import constants, validator
from aws_embedded_metrics.logger.metrics_context import MetricsContext
from aws_embedded_metrics.serializers.log_serializer import LogSerializer
from aws_embedded_metrics.storage_resolution import StorageResolution
from opentelemetry import propagate
from opentelemetry.sdk.trace import TracerProvider

from conftest import ROOT
from region_kit import Tree, environment, wait
from runtime_kit import PARENT, SECRET, TOKEN, TRACE, Surroundings, attributes, ingest_event, proxy_event, signature_fits, xray

ALARMS = json.loads((ROOT / "platform" / "alarms.json").read_text())
PRINTED = {m["name"]: m for m in ALARMS["metrics"] if "pattern" not in m}


@pytest.fixture
def around():
    it = Surroundings()
    yield it
    it.close()


@pytest.fixture
def ingest(around, tmp_path):
    return around.start("ingest", tmp_path)


def check_emf(line):
    """As AWS's own library checks what it writes, and CloudWatch's limits."""
    assert len(json.dumps(line)) < 256 * 1024
    validator.validate_timestamp(datetime.datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000))
    assert line["_aws"].keys() == {"Timestamp", "CloudWatchMetrics"}
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
        validator.validate_namespace(directive["Namespace"])
        for dimensions in directive["Dimensions"]:
            validator.validate_dimension_set({name: line[name] for name in dimensions})
        assert 0 < len(directive["Metrics"]) <= constants.MAX_METRICS_PER_EVENT
        names = [metric["Name"] for metric in directive["Metrics"]]
        assert len(names) == len(set(names))
        for metric in directive["Metrics"]:
            assert metric.keys() == {"Name", "Unit"}
            values = line[metric["Name"]]
            values = values if isinstance(values, list) else [values]
            assert 0 < len(values) <= constants.MAX_DATAPOINTS_PER_METRIC
            for value in values:
                validator.validate_metric(metric["Name"], value, metric["Unit"], StorageResolution.STANDARD, {})
                assert math.isfinite(value) and value >= 0


def by_awss_library(line):
    """The document that AWS's library writes when it is given the same metrics and sets of dimensions."""
    directive = line["_aws"]["CloudWatchMetrics"][0]
    context = MetricsContext.empty()
    context.namespace = directive["Namespace"]
    context.set_dimensions([{name: line[name] for name in names} for names in directive["Dimensions"]], use_default=False)
    for metric in directive["Metrics"]:
        values = line[metric["Name"]]
        for value in values if isinstance(values, list) else [values]:
            context.put_metric(metric["Name"], value, metric["Unit"])
    text, = LogSerializer.serialize(context)
    return json.loads(text)


# ---- metric lines ----


def test_each_event_is_one_metric_line_that_alarms_json_knows(ingest):
    assert ingest.invoke(ingest_event([{"n": 1}, {"n": 2}]), request_id="r-1")["statusCode"] == 200
    assert ingest.invoke(proxy_event("GET", "/no/such"), request_id="r-2")["statusCode"] == 404
    assert "errorType" in ingest.invoke({"no": "event"}, request_id="r-3")
    ingest.settle(3)
    lines = ingest.metrics()
    assert [line["requestId"] for line in lines] == ["r-1", "r-2", "r-3"]
    for line in lines:
        check_emf(line)
        directive, = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Prism/prism-dev" and directive["Dimensions"] == [[], ["function"]]
        assert line["function"] == "prism-dev-ingest" and line["events"] == 1 and line["traceId"] == TRACE
        for metric in directive["Metrics"]:
            assert PRINTED[metric["Name"]]["unit"] == metric["Unit"]
            assert PRINTED[metric["Name"]]["dimensions"][:2] == directive["Dimensions"]
        theirs = by_awss_library(line)
        assert theirs["_aws"]["CloudWatchMetrics"] == line["_aws"]["CloudWatchMetrics"]
        for name in theirs.keys() - {"_aws"}:
            assert theirs[name] == (line[name][0] if isinstance(line[name], list) and len(line[name]) == 1 else line[name])
    first, second, third = lines
    assert first["records_accepted"] == 2 and first["answers_2xx"] == 1 and first["cold_starts"] == 1
    assert first["tenant"] == "acme" and first["store_calls"] >= 1 and len(first["event_ms"]) == 1 and first["memory_peak"] > 1 << 20
    assert second["answers_4xx"] == 1 and "answers_2xx" not in second and "cold_starts" not in second
    assert third["function_errors"] == 1 and "tenant" not in third


def test_only_chosen_tenants_are_a_dimension(around, tmp_path):
    around.start("ingest", tmp_path, PRISM_METRICS_TENANTS="acme,globex")
    for tenant in ("acme", "initech"):
        around.invoke(ingest_event([{"n": 1}], tenant=tenant))
    around.settle(2)
    lines = around.metrics()
    for line in lines:
        check_emf(line)
    assert [(line["tenant"], line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]) for line in lines] == [
        ("acme", [[], ["function"]]), ("acme", [["tenant"]]), ("initech", [[], ["function"]])]
    for metric in lines[1]["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
        assert ["tenant"] in PRINTED[metric["Name"]]["dimensions"]


def test_a_namespace_that_cloudwatch_refuses_stops_the_start(around, tmp_path):
    around.start("keys", tmp_path, PRISM_METRICS_NAMESPACE="AWS/Lambda")
    around.wait(lambda: "init" in around.answers)
    assert around.answers["init"]["errorType"] == "CONFIG" and "AWS/Lambda" in around.answers["init"]["errorMessage"]
    assert around.process.wait(60) == 1


def test_lines_that_alarms_count_are_printed_so(tmp_path):
    """Metrics that CloudWatch makes out of log lines: damage prints what their patterns look for."""
    lines = []

    def run(name, folder, *events):
        around = Surroundings()
        try:
            around.start(name, folder)
            for event in events:
                around.invoke(event)
            around.settle(len(events))
            around.end()
            lines.extend(around.logs())
        finally:
            around.close()

    for damage in ("hot", "segments"):
        folder = tmp_path / damage
        folder.mkdir()
        run("ingest", folder, *[ingest_event([{"n": i}]) for i in range(3)])
        if damage == "hot":
            file = next(p for p in (folder / "hot").rglob("*") if p.is_file())
            file.write_bytes(file.read_bytes()[:100] + b"\xff" + file.read_bytes()[101:])
        else:
            (folder / "segments" / "acme").write_text("where a folder should be")
        run("storage", folder, {"op": "seal"})
    for metric in ALARMS["metrics"]:
        if metric.get("pattern") and metric["log_groups"] != ["api/access"]:
            field, words = re.fullmatch(r'\{ \$\.(\w+) = "([^"]+)" \}', metric["pattern"]).groups()
            assert any(line.get(field) == words for line in lines), (metric["name"], lines)
    assert all({"timestamp", "level", "service", "message"} <= line.keys() for line in lines)


# ---- spans ----


def test_nothing_leaves_before_the_answer(ingest):
    ingest.invoke(ingest_event([{"n": 1}]))
    ingest.settle(1)
    ingest.wait(ingest.metrics)
    assert ingest.noted[:3] == ["next", "answer", "spans"] and sorted(ingest.noted[3:]) == ["metrics", "next"]  # lines come by a pipe
    assert ingest.metrics()[0]["spans_sent"] == len(ingest.spans())


def test_spans_are_otlp_and_a_tree_below_the_platforms(ingest):
    ingest.invoke(ingest_event([{"n": 1}]), request_id="r-1")
    ingest.wait(lambda: ingest.requests)
    method, path, headers, *_ = ingest.requests[0]
    assert (method, path, headers["Content-Type"]) == ("POST", "/v1/traces", "application/x-protobuf")
    assert "Authorization" not in headers
    spans = {span.name: span for _, span in ingest.spans()}
    resource = ingest.spans()[0][0]
    assert resource["service.name"] == "prism-dev-ingest" and resource["cloud.region"] == "eu-central-1"
    assert resource["deployment.environment.name"] == "dev" and resource["faas.version"] == "7"
    root, append = spans["prism-dev-ingest"], spans["hot append"]
    assert root.trace_id.hex() == append.trace_id.hex() == TRACE and root.parent_span_id.hex() == PARENT
    assert append.parent_span_id == root.span_id and append.kind == 3 and root.kind == 2
    assert root.start_time_unix_nano <= append.start_time_unix_nano <= append.end_time_unix_nano <= root.end_time_unix_nano
    about = attributes(root)
    assert about["http.route"] == "/v1/ingest/{dataset}" and about["http.response.status_code"] == 200
    assert about["prism.tenant"] == "acme" and about["faas.invocation_id"] == "r-1" and about["faas.coldstart"] == 1


def test_what_is_not_sampled_is_not_sent(ingest):
    for trace in (xray(sampled=0), "", "Root=1-nonsense", f"Root=1-{TRACE[:8]}-{TRACE[8:]}"):
        assert ingest.invoke(ingest_event([{"n": 1}]), trace=trace)["statusCode"] == 200
    ingest.end()
    assert "spans" not in ingest.noted and len(ingest.metrics()) == 4


def test_a_clients_context_is_a_link_where_the_platform_has_a_trace_of_its_own(ingest):
    """API Gateway begins its own; the client's comes in the event's headers only."""
    tracer = TracerProvider().get_tracer("client")
    with tracer.start_as_current_span("client") as span:
        headers = {"tracestate": "vendor=opaque"}
        propagate.inject(headers)
        headers.setdefault("tracestate", "vendor=opaque")
    ingest.invoke(ingest_event([{"n": 1}], headers=headers))
    ingest.wait(lambda: ingest.requests)
    root = next(s for _, s in ingest.spans() if s.name == "prism-dev-ingest")
    link, = root.links
    context = span.get_span_context()
    assert (int(link.trace_id.hex(), 16), int(link.span_id.hex(), 16)) == (context.trace_id, context.span_id)
    assert root.trace_state == headers["tracestate"]


def test_x_ray_takes_them_signed(around, tmp_path):
    around.start("ingest", tmp_path, PRISM_TRACES_URL="xray", AWS_ENDPOINT_URL_XRAY=around.traces.url)
    around.invoke(ingest_event([{"n": 1}]))
    around.wait(lambda: around.requests)
    method, path, headers, body, _ = around.requests[0]
    assert path == "/v1/traces" and headers["X-Amz-Security-Token"] == TOKEN
    assert signature_fits(method, path, headers, body, "xray")
    assert not signature_fits(method, path, headers, body, "xray", secret="another")
    assert not signature_fits(method, path, headers, body + b"x", "xray")
    assert {span.name for _, span in around.spans()} >= {"prism-dev-ingest", "hot append"}
    around.settle(1)
    around.end()
    assert around.noted.index("answer") < around.noted.index("spans")


def test_a_receiver_that_fails_delays_no_answer_and_gets_them_later(ingest):
    ingest.traces_status = 503
    for i in range(3):
        assert ingest.invoke(ingest_event([{"n": i}]))["statusCode"] == 200
    ingest.settle(3)
    warnings = [line for line in ingest.logs() if "spans do not leave" in line["message"]]
    assert len(warnings) == 1 and warnings[0]["level"] == "WARN" and "503" in warnings[0]["message"]
    kept = len(ingest.requests[0][4].resource_spans[0].scope_spans[0].spans)
    ingest.requests.clear()
    ingest.traces_status = 200
    ingest.end()  # all that is left leaves
    assert len([s for _, s in ingest.spans() if s.name == "prism-dev-ingest"]) >= 1 and kept >= 1


def test_a_silent_receiver_delays_no_answer(ingest):
    ingest.traces_status = "silent"
    for i in range(3):
        assert ingest.invoke(ingest_event([{"n": i}]))["statusCode"] == 200
    ingest.settle(3)
    assert any("spans do not leave: TIMEOUT" in line["message"] for line in ingest.logs())
    assert ingest.noted.index("answer") < ingest.noted.index("spans")


def test_refused_batches_are_dropped_and_counted(ingest):
    ingest.traces_status = 400
    ingest.invoke(ingest_event([{"n": 1}]))
    ingest.settle(1)
    count = len(ingest.spans())
    ingest.end()
    assert sum(line.get("spans_dropped", 0) for line in ingest.metrics()) == count
    assert len(ingest.requests) == 1


def test_spans_that_the_receiver_rejects_are_counted(ingest):
    ingest.rejected = 1
    ingest.invoke(ingest_event([{"n": 1}]))
    ingest.wait(lambda: ingest.requests)
    ingest.end()
    assert sum(line.get("spans_dropped", 0) for line in ingest.metrics()) == 1
    assert sum(line.get("spans_sent", 0) for line in ingest.metrics()) == len(ingest.spans()) - 1


def test_a_freeze_loses_nothing_and_its_end_at_most_one_batch(ingest):
    """Spans that came too soon after a batch wait. A freeze in between is no loss: they leave after it."""
    for i in range(5):
        ingest.invoke(ingest_event([{"n": i}]), request_id=f"r-{i}")
    ingest.settle(5)
    ingest.process.send_signal(signal.SIGSTOP)
    ingest.process.send_signal(signal.SIGCONT)
    ingest.invoke(ingest_event([{"n": 5}]), request_id="r-5")
    told = lambda: {attributes(s).get("faas.invocation_id") for _, s in ingest.spans()} >= {f"r-{i}" for i in range(6)}
    ingest.wait(told)
    assert len(ingest.requests) <= 4  # batches, not one an event


def test_sigterm_sends_what_is_left(around, tmp_path):
    around.start("ingest", tmp_path, PRISM_METRICS_INTERVAL_MS="3600000", PRISM_TRACES_INTERVAL_MS="3600000")
    for i in range(4):
        around.invoke(ingest_event([{"n": i}]))
    around.wait(lambda: around.noted.count("next") == 5)
    around.end()
    assert sum(line["events"] for line in around.metrics()) == 4
    assert sum(s.name == "prism-dev-ingest" for _, s in around.spans()) == 4 and len(around.requests) == 2


# ---- stores ----


def test_retries_and_kinds_of_faults_are_counted_and_requests_carry_the_trace(around, tmp_path):
    throttled = (400, json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}).encode())
    around.service_answers = [throttled, (500, b"{}"), throttled]
    around.start("ingest", tmp_path, PRISM_TABLES_URL="dynamodb://prism-dev", AWS_ENDPOINT_URL_DYNAMODB=around.service.url)
    assert around.invoke(ingest_event([{"n": 1}]))["statusCode"] == 200
    around.settle(1)
    line = around.metrics()[0]
    check_emf(line)
    assert line["store_throttled"] == 2 and line["store_unavailable"] == 1 and line["store_retries"] == 3
    assert "store_faults" not in line and line["store_calls"] >= 2
    span = next(s for _, s in around.spans() if s.name.startswith("dynamodb "))
    assert attributes(span)["prism.attempts"] == 4 and attributes(span)["http.response.status_code"] == 200
    asked = [n for n in around.noted if isinstance(n, tuple)]
    for _, method, path, headers, body, _ in asked[:4]:
        assert headers["X-Amzn-Trace-Id"] == xray(parent=span.span_id.hex())
        assert "x-amzn-trace-id" not in headers["Authorization"]
        assert signature_fits(method, path, headers, body, "dynamodb")


def test_a_store_that_stays_away_is_a_fault_of_its_kind(around, tmp_path):
    denied = (400, json.dumps({"__type": "AccessDeniedException", "message": f"not with {SECRET}"}).encode())
    around.service_answers = [denied] * 10
    around.start("ingest", tmp_path, PRISM_TABLES_URL="dynamodb://prism-dev", AWS_ENDPOINT_URL_DYNAMODB=around.service.url)
    assert around.invoke(ingest_event([{"n": 1}]))["statusCode"] >= 400
    around.settle(1)
    line = around.metrics()[0]
    assert line["store_denied"] >= 1 and line["store_faults"] >= 1
    span = next(s for _, s in around.spans() if s.name.startswith("dynamodb "))
    assert span.status.code == 2 and span.status.message == "DENIED"
    error = next(log for log in around.logs() if log["level"] == "ERROR")
    assert error["tenant"] == "acme" and error["traceId"] == TRACE and error["coldStart"] is True and error["requestId"]


# ---- secrets ----


@pytest.mark.parametrize("name", ["ingest", "query", "authorizer", "keys", "tenants", "catalog"])
def test_no_secret_and_no_data_in_what_is_told(around, tmp_path, name):
    mark = "TOPSECRETMARK"
    around.start(name, tmp_path, PRISM_LOG_LEVEL="debug")
    headers = {"Authorization": f"Bearer prism_{mark}", "x-api-key": mark, "User-Agent": mark, "Cookie": mark, "Idempotency-Key": mark}
    sql = json.dumps({"sql": f"SELECT '{mark}' FROM {mark} WHERE x = '{mark}'"}).encode()
    for event in (
        ingest_event([{"message": mark, mark: 1}, {"time": mark}], headers=headers),
        proxy_event("POST", "/v1/ingest/{dataset}", b'{"message":"' + mark.encode(), dataset="app", headers=headers),
        proxy_event("POST", "/v1/logs", mark.encode(), headers={**headers, "Content-Type": "application/x-protobuf"}),
        proxy_event("POST", "/v1/query", sql, headers={**headers, "Content-Type": "application/json"}),
        proxy_event("POST", "/v1/query", b'{"sql": "' + mark.encode(), headers={**headers, "Content-Type": "application/json"}),
        proxy_event("POST", "/v1/admin/tenants", json.dumps({"name": mark, "quotas": {mark: mark}}).encode(), headers=headers),
        proxy_event("POST", "/v1/admin/tenants/{tenant}/keys", json.dumps({"scopes": mark}).encode(), headers=headers, tenant_="x"),
        {"type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-central-1:1:api/live/GET/v1/datasets", "headers": headers},
        {"authorizationToken": mark},
    ):
        around.invoke(event)
    around.settle(9)
    around.end()
    told = json.dumps(around.lines) + "".join(request[3].decode("latin-1") for request in around.requests)
    assert around.metrics() and around.spans()
    for secret in (mark, SECRET, TOKEN):
        assert secret not in told, told[max(0, told.find(secret) - 400):told.find(secret) + 100]


# ---- a whole region ----


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    r = Tree(tmp_path_factory.mktemp("observed"), env=environment(
        PRISM_METRICS_INTERVAL_MS=50, PRISM_REGION_METRICS_MS=200, PRISM_TRACES_INTERVAL_MS=50, PRISM_METRICS_TENANTS="default")).up()
    yield r
    r.down()


def own(tree, sql, fits):
    """Rows of _system once they fit."""

    def rows():
        answer = tree.query(sql, key=tree.admin_key)
        found = answer.json()["rows"] if answer.status_code == 200 else []
        return found if fits(found) else None

    return wait(rows, every=0.2)


def test_a_clients_span_is_the_parent_of_the_gateways_and_that_of_the_functions(tree):
    """OpenTelemetry's own propagator writes the headers; Prism's own /v1/traces takes the spans."""
    tracer = TracerProvider().get_tracer("client")
    with tracer.start_as_current_span("client") as span:
        headers = {}
        propagate.inject(headers)
        assert "traceparent" in headers
        assert tree.ingest("seen", [{"n": 1}], headers={**headers, "tracestate": "vendor=opaque"}).status_code == 200
    context = span.get_span_context()
    sql = ("SELECT \"resource.service.name\", name, span_id, parent_span_id, trace_state FROM traces "
           f"WHERE trace_id = '{context.trace_id:032x}'")
    rows = own(tree, sql, lambda rows: {r[0] for r in rows} >= {"prism-gateway", "ingest"} and any(r[1] == "hot append" for r in rows))
    gateway = next(r for r in rows if r[0] == "prism-gateway")
    function = next(r for r in rows if r[0] == "ingest" and r[1] == "ingest")
    append = next(r for r in rows if r[1] == "hot append")
    assert gateway[3] == f"{context.span_id:016x}" and function[3] == gateway[2] and append[3] == function[2]
    assert gateway[4] == "vendor=opaque" == function[4]
    authorizer = [r for r in rows if r[0] == "authorizer"]
    assert all(r[3] == gateway[2] for r in authorizer)


def test_a_query_has_its_steps_as_spans(tree):
    trace = "5bf92f3577b34da6a3ce929d0e0e4736"
    assert tree.call("POST", "/v1/query", json={"sql": "SELECT 1"}, headers={"traceparent": f"00-{trace}-{PARENT}-01"}).status_code == 200
    rows = own(tree, f"SELECT name FROM traces WHERE trace_id = '{trace}'", lambda rows: ["DuckDB run"] in rows)
    assert {"query", "check", "snapshots", "views", "DuckDB run"} <= {r[0] for r in rows}


def test_x_amzn_trace_id_comes_in_and_goes_out(tree):
    trace = "6bf92f3577b34da6a3ce929d0e0e4736"
    answer = tree.call("GET", "/v1/datasets", headers={"X-Amzn-Trace-Id": f"Self=1;{xray(trace=trace)}"})
    said = answer.headers["X-Amzn-Trace-Id"]
    assert said.startswith(f"Root=1-{trace[:8]}-{trace[8:]};Parent=") and said.endswith(";Sampled=1") and PARENT not in said
    rows = own(tree, f"SELECT parent_span_id FROM traces WHERE trace_id = '{trace}' AND \"resource.service.name\" = 'prism-gateway'", len)
    assert rows == [[PARENT]]
    unsampled = tree.call("GET", "/v1/datasets", headers={"X-Amzn-Trace-Id": xray(sampled=0)}).headers["X-Amzn-Trace-Id"]
    assert unsampled.endswith(";Sampled=0")
    own_trace = tree.call("GET", "/v1/health").headers["X-Amzn-Trace-Id"]
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]", own_trace)


def test_functions_metrics_become_rows_of_the_region(tree):
    for i in range(20):
        assert tree.ingest("counted", [{"n": i}, {"n": -i}]).status_code == 200
    assert tree.query("SELECT nonsense FROM nowhere").status_code == 404
    sql = """SELECT metric_name, "attributes.function", sum(value) FROM metrics WHERE "attributes.function" IS NOT NULL GROUP BY 1, 2"""

    def fits(rows):
        sums = {(name, function): value for name, function, value in rows}
        return sums.get(("store_calls", "ingest"), 0) >= 20 and sums.get(("answers_4xx", "query"), 0) >= 1

    sums = {(name, function): value for name, function, value in own(tree, sql, fits)}
    assert sums["records_accepted", "ingest"] >= 20 and ("answers_2xx", "ingest") in sums
    sql = """SELECT "count", "sum", "min", "max", value FROM metrics WHERE metric_name = 'event_ms' AND "attributes.function" = 'ingest' LIMIT 1"""
    count, total, least, most, mean = own(tree, sql, len)[0]
    assert 0 <= least <= mean <= most and mean == pytest.approx(total / count)
    own(tree, """SELECT 1 FROM metrics WHERE "attributes.tenant" = 'default' AND metric_name = 'records_accepted' LIMIT 1""", len)


def test_metric_lines_are_no_log_lines(tree):
    own(tree, "SELECT 1 FROM metrics WHERE metric_name = 'event_ms' LIMIT 1", len)
    assert tree.query("SELECT count(*) FROM function_log WHERE message LIKE '%_aws%'", key=tree.admin_key).json().get("rows") in (None, [[0]])
    assert not any(b'"_aws"' in path.read_bytes() for path in (tree.data / "logs").glob("*.log"))
    assert tree.status()["queues"]["telemetry_dropped"] == 0


def test_region_can_be_told_to_be_quiet(tmp_path):
    tree = Tree(tmp_path, env=environment(PRISM_METRICS_NAMESPACE="", PRISM_TRACES_URL="", PRISM_REGION_METRICS_MS=100)).up()
    try:
        trace = "7bf92f3577b34da6a3ce929d0e0e4736"
        tree.ingest("x", [{"n": 1}], headers={"traceparent": f"00-{trace}-{PARENT}-01"})
        rows = own(tree, f"SELECT \"resource.service.name\" FROM traces WHERE trace_id = '{trace}'", len)
        own(tree, "SELECT 1 FROM metrics WHERE metric_name = 'gateway.requests' LIMIT 1", len)
        assert rows == [["prism-gateway"]]
        assert tree.rows("SELECT count(*) FROM metrics WHERE metric_name = 'event_ms'", key=tree.admin_key) == [[0]]
    finally:
        tree.down()
