"""Clients and readers that nobody here wrote."""

import subprocess
import time

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.ipc
import pyarrow.parquet
import pytest

from conftest import foreign


def headers(region):
    return {"Authorization": f"Bearer {region.key}"}


def test_opentelemetry_sdk_traces(region):
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{region.url}/v1/traces", headers=headers(region))))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("parent", attributes={"items": 3, "vip": True}):
        for i in range(4):
            with tracer.start_as_current_span(f"child-{i}"):
                pass
    provider.shutdown()
    assert region.one("""SELECT count(*) FROM traces WHERE "resource.service.name" = 'shop'""") == 5
    assert region.one("""SELECT "attributes.items" FROM traces WHERE name = 'parent'""") == 3
    assert region.one("""SELECT count(*) FROM traces c JOIN traces p ON c.parent_span_id = p.span_id WHERE p.name = 'parent'""") == 4


def test_opentelemetry_sdk_metrics(region):
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(f"{region.url}/v1/metrics", headers=headers(region))
    provider = MeterProvider(metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=60000)])
    meter = provider.get_meter("test")
    meter.create_counter("sdk.requests").add(41, {"route": "/a"})
    meter.create_histogram("sdk.latency").record(12.5)
    provider.shutdown()
    assert region.one("""SELECT value FROM metrics WHERE metric_name = 'sdk.requests'""") == 41
    assert region.one("""SELECT "count" FROM metrics WHERE metric_name = 'sdk.latency'""") == 1


def test_opentelemetry_sdk_logs(region):
    import logging

    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{region.url}/v1/logs", headers=headers(region))))
    logger = logging.getLogger("sdk-test")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(LoggingHandler(logger_provider=provider))
    for i in range(20):
        logger.warning("message %d", i)
    provider.shutdown()
    assert region.one("SELECT count(*) FROM logs WHERE severity_text LIKE 'WARN%' AND body LIKE 'message %'") == 20


@pytest.mark.parametrize("signal,dataset", [("logs", "logs"), ("traces", "traces"), ("metrics", "metrics")])
def test_telemetrygen(region, signal, dataset):
    before = region.query(f"SELECT count(*) FROM {dataset}")
    before = before.json()["rows"][0][0] if before.status_code == 200 else 0
    done = subprocess.run([foreign("PRISM_TELEMETRYGEN", "telemetrygen"), signal, "--otlp-http", "--otlp-insecure", "--otlp-endpoint", f"127.0.0.1:{region.port}",
                           "--otlp-header", f'Authorization="Bearer {region.key}"', f"--{signal}", "50", "--workers", "1", "--rate", "0"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert region.one(f"SELECT count(*) FROM {dataset}") - before >= 50


def test_duckdb_and_pyarrow_read_the_parquet_as_it_stands(region, log_lines):
    region.ingest("readers", [{"time": f"2026-11-{10 + i % 3}T00:00:00Z", "n": i, "message": l} for i, l in enumerate(log_lines[:3000])])
    region.run("tick", "seal")
    region.run("tick", "compact")
    folder = region.parquet() / "default" / "readers"
    assert duckdb.sql(f"SELECT count(*), sum(n) FROM read_parquet('{folder}/**/*.parquet', hive_partitioning=true)").fetchone() == (3000, 4498500)
    table = pa.dataset.dataset(folder, partitioning="hive").to_table()
    assert table.num_rows == 3000
    assert str(table.schema.field("time").type).startswith("timestamp[us")
    assert sorted(set(map(str, table["date"].to_pylist()))) == ["2026-11-10", "2026-11-11", "2026-11-12"]


def test_query_formats_are_what_they_say(region):
    region.ingest("formats", [{"n": i, "s": f"a,\"{i}"} for i in range(3)])
    sql = "SELECT n, s FROM formats ORDER BY n"
    csv = region.query(sql, format="csv").text
    assert csv.splitlines() == ["n,s", '0,"a,""0"', '1,"a,""1"', '2,"a,""2"']
    assert [l for l in region.query(sql, format="ndjson").text.splitlines()][1] == '{"n":1,"s":"a,\\"1"}'
    arrow = pa.ipc.open_stream(region.query(sql, format="arrow").content).read_all()
    assert arrow.to_pydict() == {"n": [0, 1, 2], "s": ['a,"0', 'a,"1', 'a,"2']}
    parquet = pa.parquet.read_table(pa.BufferReader(region.query(sql, format="parquet").content))
    assert parquet.num_rows == 3


def test_query_says_what_it_cost(region):
    region.ingest("cost", [{"n": i} for i in range(1000)])
    answer = region.query("SELECT sum(n) FROM cost")
    cost = dict(p.strip().split("=") for p in answer.headers["Prism-Query-Cost"].split(","))
    assert {"bytes_scanned", "files_read", "files_pruned", "cpu_ms"} <= cost.keys()
    assert int(cost["bytes_scanned"]) > 0
