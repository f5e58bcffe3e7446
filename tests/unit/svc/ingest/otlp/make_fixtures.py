"""Write the OTLP requests that test_decode_otlp.c reads, with Google's protobuf runtime and the official
messages, so that neither encoding comes from Prism's own code.

    make_fixtures.py [DIR]      with the Python of `tools/setup --path venv`

Each request is written three times: <signal>.pb, <signal>.json (OTLP's JSON mapping) and
<signal>.snake.json (field names as in the .proto files, numbers for 64-bit integers, names for enums).
"""
import base64
import json
import pathlib
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

T0 = 1767323045_000000000  # 2026-01-02T03:04:05Z
TRACE = bytes(range(1, 17))
SPAN = bytes(range(1, 9))
IDS = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}
LONG = {"intValue", "asInt", "timeUnixNano", "observedTimeUnixNano", "startTimeUnixNano", "endTimeUnixNano",
        "count", "zeroCount", "bucketCounts", "int_value", "as_int", "time_unix_nano", "observed_time_unix_nano",
        "start_time_unix_nano", "end_time_unix_nano", "zero_count", "bucket_counts"}


def value(it):
    if isinstance(it, bool):
        return AnyValue(bool_value=it)
    if isinstance(it, int):
        return AnyValue(int_value=it)
    if isinstance(it, float):
        return AnyValue(double_value=it)
    if isinstance(it, bytes):
        return AnyValue(bytes_value=it)
    if isinstance(it, list):
        return AnyValue(array_value=ArrayValue(values=[value(i) for i in it]))
    if isinstance(it, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(it)))
    return AnyValue() if it is None else AnyValue(string_value=it)


def pairs(attributes):
    return [KeyValue(key=k, value=value(v)) for k, v in attributes.items()]


ALL_KINDS = {
    "text": "Grüße \U0001F680 \"quoted\"\n", "nul": "before\0after", "empty": "", "yes": True, "no": False,
    "int": 9007199254740993, "negative": -(2**63), "double": 0.1, "whole": 3.0, "huge": 1.7976931348623157e308,
    "bytes": b"\x00\xff\xfe~", "array": ["a", 1, 2.5, None, True, b"\x01"], "map": {"k": {"nested": [1, [2]]}},
    "empty_array": [], "null": None,
}


def logs():
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add(schema_url="https://opentelemetry.io/schemas/1.28.0")
    resource.resource.attributes.extend(pairs({"service.name": "checkout", "host.cpus": 8, "tags": ["a", "b"]}))
    scope = resource.scope_logs.add()
    scope.scope.name = "my.library"
    scope.scope.version = "1.2.3"
    scope.scope.attributes.extend(pairs({"scope.key": 1.5}))
    full = scope.log_records.add(time_unix_nano=T0 + 123456789, observed_time_unix_nano=T0 + 5, severity_number=17,
                                 severity_text="ERROR", trace_id=TRACE, span_id=SPAN, flags=1, event_name="boom",
                                 dropped_attributes_count=2)
    full.body.CopyFrom(value("connection refused"))
    full.attributes.extend(pairs(ALL_KINDS))
    for body in (None, 42, True, 0.5, {"msg": "hi", "n": [1, 2]}, b"raw", "", "a\0b"):
        record = scope.log_records.add(observed_time_unix_nano=T0 + 1000)
        record.body.CopyFrom(value(body))
    scope.log_records.add(severity_number=9)  # no time: arrival
    scope.log_records.add(time_unix_nano=T0, trace_id=bytes(16), span_id=b"\x01\x02")  # invalid ids
    bare = request.resource_logs.add().scope_logs.add()
    bare.log_records.add(time_unix_nano=T0 + 9).body.CopyFrom(value("no resource, no scope"))
    return request


def traces():
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(pairs({"service.name": "frontend"}))
    scope = resource.scope_spans.add()
    scope.scope.name = "tracer"
    span = scope.spans.add(trace_id=TRACE, span_id=SPAN, parent_span_id=SPAN[::-1], trace_state="a=b", flags=257,
                           name="GET /cart", kind=2, start_time_unix_nano=T0, end_time_unix_nano=T0 + 1500000,
                           dropped_attributes_count=1, dropped_events_count=2, dropped_links_count=3)
    span.attributes.extend(pairs({"http.status_code": 500, "ok": False}))
    event = span.events.add(time_unix_nano=T0 + 10, name="exception", dropped_attributes_count=4)
    event.attributes.extend(pairs({"exception.message": "no \"luck\"", "depth": {"a": [1]}}))
    span.events.add(time_unix_nano=T0 + 11, name="plain")
    link = span.links.add(trace_id=TRACE[::-1], span_id=SPAN, trace_state="x=y", flags=1)
    link.attributes.extend(pairs({"why": "batch"}))
    span.status.code = 2
    span.status.message = "it broke"
    scope.spans.add(trace_id=TRACE, span_id=SPAN, name="minimal", start_time_unix_nano=T0)
    scope.spans.add(trace_id=TRACE, span_id=SPAN, name="", kind=5, start_time_unix_nano=T0 + 9,
                    end_time_unix_nano=T0).status.code = 1
    return request


def metrics():
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(pairs({"service.name": "db"}))
    scope = resource.scope_metrics.add()
    scope.scope.name = "meter"
    gauge = scope.metrics.add(name="temperature", description="of the room", unit="Cel")
    gauge.metadata.extend(pairs({"origin": "test"}))
    gauge.gauge.data_points.add(time_unix_nano=T0, as_double=21.5).attributes.extend(pairs({"room": "a"}))
    gauge.gauge.data_points.add(time_unix_nano=T0, as_double=float("nan"))
    gauge.gauge.data_points.add(time_unix_nano=T0, as_double=float("-inf"))
    gauge.gauge.data_points.add(time_unix_nano=T0, flags=1)
    total = scope.metrics.add(name="requests", unit="1").sum
    total.is_monotonic = True
    total.aggregation_temporality = 2
    point = total.data_points.add(start_time_unix_nano=T0 - 5, time_unix_nano=T0, as_int=9007199254740993)
    exemplar = point.exemplars.add(time_unix_nano=T0, as_double=0.25, span_id=SPAN, trace_id=TRACE)
    exemplar.filtered_attributes.extend(pairs({"user": "x"}))
    point.exemplars.add(time_unix_nano=T0 + 1, as_int=7)
    histogram = scope.metrics.add(name="latency", unit="ms").histogram
    histogram.aggregation_temporality = 1
    histogram.data_points.add(time_unix_nano=T0, count=6, sum=10.5, min=0.0, max=4.0, bucket_counts=[1, 2, 3],
                              explicit_bounds=[0.1, 2.0])
    histogram.data_points.add(time_unix_nano=T0, count=0)
    exponential = scope.metrics.add(name="sizes").exponential_histogram
    exponential.aggregation_temporality = 2
    it = exponential.data_points.add(time_unix_nano=T0, count=2**63 + 5, sum=3.25, scale=-3, zero_count=4,
                                     zero_threshold=0.001)
    it.positive.offset = -7
    it.positive.bucket_counts.extend([1, 0, 2**64 - 1])
    it.negative.offset = 2
    it.negative.bucket_counts.append(9)
    summary = scope.metrics.add(name="rpc").summary.data_points.add(time_unix_nano=T0, count=3, sum=6.0)
    summary.quantile_values.add(quantile=0.5, value=1.0)
    summary.quantile_values.add(quantile=0.99, value=3.75)
    scope.metrics.add(name="nothing")
    return request


def otlp_json(it, name=""):
    """Protobuf's JSON mapping with OTLP's difference: ids in hex."""
    if isinstance(it, dict):
        return {k: otlp_json(v, k) for k, v in it.items()}
    if isinstance(it, list):
        return [otlp_json(v, name) for v in it]
    return base64.b64decode(it).hex() if name in IDS else it


def longs_as_numbers(it, name=""):
    if isinstance(it, dict):
        return {k: longs_as_numbers(v, k) for k, v in it.items()}
    if isinstance(it, list):
        return [longs_as_numbers(v, name) for v in it]
    return int(it) if name in LONG and isinstance(it, str) else it


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, request in (("logs", logs()), ("traces", traces()), ("metrics", metrics())):
        (out / f"{name}.pb").write_bytes(request.SerializeToString(deterministic=True))
        plain = otlp_json(json_format.MessageToDict(request, use_integers_for_enums=True))
        (out / f"{name}.json").write_text(json.dumps(plain, indent=1) + "\n")
        snake = json_format.MessageToDict(request, preserving_proto_field_name=True)
        snake = longs_as_numbers(otlp_json(snake))
        (out / f"{name}.snake.json").write_text(json.dumps(snake, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
