"""Days are counted in DynamoDB where the tables are there, by ingest and by the gateway, and functions hold rates there, as on AWS; and a release that comes before table `usage`, or before the
right to it, holds up nobody whose days are not limited. moto enforces no right, so a relay in front of it refuses what IAM would."""

import json
import re
import time

import boto3
import pytest

from conftest import Region
from emulator_kit import emulator
from fault_proxy import Faults, HttpRelay, refusal
from region_kit import ENDLESS, begin, wait

PREFIX = "prism-d"


class Gate(HttpRelay):
    """refuses: the error that calls of table usage get, if any. asked: these calls."""

    def __init__(self, upstream_port):
        self.refuses, self.asked = None, []
        super().__init__(Faults(), upstream_port)

    def ask(self, handler, body):
        asks = json.loads(body) if handler.headers.get("X-Amz-Target", "").startswith("DynamoDB") else {}
        if asks.get("TableName") == f"{PREFIX}-usage" and not handler.headers["X-Amz-Target"].endswith("Table"):
            self.asked.append(json.dumps(asks))
            if self.refuses:
                return refusal("dynamodb", self.refuses, 400)
        return super().ask(handler, body)


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    with emulator() as port:
        gate = Gate(port)
        region = Region(tmp_path_factory.mktemp("d") / "data", env={
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "PRISM_REGION_RATES": "functions",
            "PRISM_METRICS_INTERVAL_MS": "100", "PRISM_REGION_METRICS_MS": "200"})
        region.up_options, region.warms = ["--aws-endpoint", f"http://127.0.0.1:{gate.port}", "--aws-prefix", PREFIX], True
        region.up().warm()
        region.gate = gate
        region.dynamodb = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        yield region
        region.down()
        gate.stop()


@pytest.fixture(autouse=True)
def one_day():
    if 86400 - time.time() % 86400 < 600:
        pytest.skip("the day could end within the test")


def limited(region, name, **quotas):
    key = region.tenant(name)
    changed = region.call("PATCH", f"/v1/admin/tenants/{name}", key=region.admin_key, json={"quotas": quotas})
    assert changed.status_code == 200, changed.text
    return key


def counted(region, tenant, kind):
    date = time.strftime("%Y-%m-%d", time.gmtime())
    item = region.dynamodb.get_item(TableName=f"{PREFIX}-usage", Key={"pk": {"S": tenant}, "sk": {"S": f"#{kind}/{date}"}}, ConsistentRead=True).get("Item")
    return json.loads(item["document"]["S"])["taken"] if item else 0


def asked_of(region, key):
    """Requests that the gateway has counted, as it says to whom it serves."""
    answer = region.call("GET", "/v1/datasets", key=key)
    assert answer.status_code == 200, answer.text
    return 1000 - int(re.search(r'"requests_per_day";r=(\d+)', answer.headers["RateLimit"])[1])


def remove(region, tenant):
    """What the step of an offboarding that empties the stores says, once the registry has the tenant as deleted."""
    table, key = f"{PREFIX}-tenants", {"pk": {"S": tenant}, "sk": {"S": "#"}}
    document = json.loads(region.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]["document"]["S"])
    region.dynamodb.update_item(TableName=table, Key=key, UpdateExpression="SET document = :d", ExpressionAttributeValues={":d": {"S": json.dumps({**document, "status": "deleted"})}})
    event = region.data / f"remove-{tenant}.json"
    event.write_text(json.dumps({"op": "offboard-remove", "tenant": tenant}))
    done = region.run("invoke", "storage", event, check=False)
    return done.stdout + done.stderr


def test_records_and_requests_are_counted_in_dynamodb_and_stay_so(region):
    records, requests = limited(region, "day-records", records_per_day=5), limited(region, "day-requests", requests_per_day=1000)
    assert region.ingest("daily", [{"n": n} for n in range(3)], key=records).status_code == 200
    assert region.ingest("daily", [{"n": n} for n in range(3, 6)], key=records).status_code == 429
    assert region.ingest("daily", [{"n": n} for n in range(6, 8)], key=records).status_code == 200
    assert counted(region, "day-records", "records") == 5
    for n in range(1, 8):
        assert asked_of(region, requests) == n
    wait(lambda: counted(region, "day-requests", "requests") == 7)
    region.kill()
    region.up()
    assert region.ingest("daily", [{"n": 8}], key=records).status_code == 429
    wait(lambda: asked_of(region, requests) >= 8, seconds=120, every=0.5)  # the first of them begins at 0, until the gateway has looked
    assert region.call("GET", "/v1/usage", key=records).json()["today"] == {"date": time.strftime("%Y-%m-%d", time.gmtime()), "records": 5}


FAULTS = {"ResourceNotFoundException": "CONFIG", "AccessDeniedException": "DENIED"}


@pytest.mark.parametrize("error", FAULTS)
def test_before_the_table_or_the_right_only_who_is_limited_waits(region, error):
    name = error[:6].lower()
    free = region.tenant(f"{name}-free")
    records, requests = limited(region, f"{name}-records", records_per_day=9), limited(region, f"{name}-requests", requests_per_day=1000)
    region.gate.asked.clear()
    region.gate.refuses = error
    assert region.ingest("daily", [{"n": n} for n in range(50)], key=free).status_code == 200
    refused = region.ingest("daily", [{"n": 1}], key=records)
    assert refused.status_code == 500 and refused.headers["Content-Type"] == "application/problem+json", refused.text
    assert refused.json()["detail"].startswith("nothing was stored: ")
    otlp = region.call("POST", "/v1/logs", key=records, headers={"Content-Type": "application/json"},
                       data=json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]}))
    assert otlp.status_code == 503, "what exporters repeat"
    for key in free, records:
        usage = region.call("GET", "/v1/usage", key=key)
        assert usage.status_code == 200 and "today" not in usage.json(), usage.text
    first = asked_of(region, requests)  # the gateway counts by itself
    assert first == 1 and asked_of(region, requests) == 2
    wait(lambda: [a for a in region.gate.asked if f"{name}-requests" in a])
    assert [a for a in region.gate.asked if f"{name}-records" in a]
    assert region.one("SELECT count(*) FROM daily", key=free) == 50
    said = remove(region, f"{name}-free")
    assert FAULTS[error] in said, said
    region.gate.refuses = None
    assert region.ingest("daily", [{"n": 1}], key=records).status_code == 200
    assert counted(region, f"{name}-records", "records") == 1, "nothing was counted of what was not stored"
    wait(lambda: counted(region, f"{name}-requests", "requests") == 2)
    assert region.one("SELECT count(*) FROM daily", key=records) == 1
    said = remove(region, f"{name}-records")
    assert '"more":false' in said, said
    assert counted(region, f"{name}-records", "records") == 0


def is_over(answer, rate):
    assert answer.headers["RateLimit-Policy"] == f'"bytes_per_s";q={rate};qu="content-bytes";w=1'
    wait_s = int(answer.headers["Retry-After"])
    assert answer.headers["RateLimit"] == f'"bytes_per_s";r=0;t={wait_s}' and wait_s > 300
    return answer.status_code == 429


def test_functions_hold_a_rate_together(region):
    """What ingest took is missing to query, and to every instance of both."""
    key = limited(region, "rates", bytes_per_s=1024)
    assert region.ingest("logs", [{"m": "x" * 900_000}], key=key).status_code == 200  # so a quarter of an hour is owed
    for ask in [lambda: region.ingest("logs", [{"m": "y"}], key=key), lambda: region.call("POST", "/v1/query", json={"sql": "SELECT 1"}, key=key)]:
        answer = ask()
        assert is_over(answer, 1024), answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        said = answer.json()
        assert said.pop("requestId") and said == {"type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": "too many requests at once; repeat later"}
    logs = region.call("POST", "/v1/logs", key=key, json={"resourceLogs": []})
    assert is_over(logs, 1024) and logs.json() == {"code": 8, "message": "too many requests at once; repeat later"}
    assert region.call("GET", "/v1/datasets", key=key).status_code == 200
    items = region.dynamodb.query(TableName=f"{PREFIX}-usage", KeyConditionExpression="pk = :t", ExpressionAttributeValues={":t": {"S": "rates"}})["Items"]
    assert [i["sk"]["S"] for i in items] == ["#rates"]
    sql = """SELECT coalesce(sum(value), 0) FROM metrics WHERE metric_name = 'quota_refusals' AND "attributes.function" = 'ingest'"""
    wait(lambda: region.one(sql, key=region.admin_key) >= 2, every=0.2)  # as who is refused by the gateway is


def test_who_reaches_no_table_holds_rates_by_itself(region):
    key, free = limited(region, "rates-alone", bytes_per_s=1024), region.tenant("rates-free")
    region.gate.refuses = "AccessDeniedException"
    before = len(region.gate.asked)
    try:
        assert region.ingest("logs", [{"m": "z"}], key=free).status_code == 200
        assert len(region.gate.asked) == before, "who has no limit costs no call"
        assert region.ingest("logs", [{"m": "x" * 900_000}], key=key).status_code == 200
        wait(lambda: region.ingest("logs", [{"m": "y"}], key=key).status_code == 429)  # by the instance that served it
        assert len(region.gate.asked) > before
    finally:
        region.gate.refuses = None
    wait(lambda: region.ingest("logs", [{"m": "y"}], key=key).status_code == 200, every=0.2)  # the table has not heard of it


def places(region, tenant):
    item = region.dynamodb.get_item(TableName=f"{PREFIX}-usage", Key={"pk": {"S": tenant}, "sk": {"S": "#places"}}, ConsistentRead=True).get("Item")
    return json.loads(item["document"]["S"]) if item else {}


def test_functions_hold_places_of_queries_together(region):
    key, other = limited(region, "places", concurrent_queries=1), limited(region, "places-too", concurrent_queries=1)

    def ask(key, sql="SELECT 1"):
        return region.call("POST", "/v1/query", json={"sql": sql}, key=key)

    for n in range(5):  # a place is free before its answer has ended, rightly or not
        assert ask(key).status_code == 200 and ask(key, "SELECT nothing").status_code == 400
        assert ask(key, "SELECT repeat('x', 1000) FROM range(10000)").status_code == 200, "streamed"
    assert places(region, "places") == {}
    with begin(region, key, ENDLESS):
        wait(lambda: len(places(region, "places")) == 1)
        refused = ask(key)
        assert refused.status_code == 429 and refused.headers["Retry-After"] == "1" and refused.json()["detail"] == "too many requests at once; repeat later"
        assert refused.headers["RateLimit"] == '"concurrent_queries";r=0;t=1' and refused.headers["RateLimit-Policy"] == '"concurrent_queries";q=1'
        assert ask(other).status_code == 200, "others have their own"
    wait(lambda: ask(key).status_code == 200)  # it was cancelled
    assert places(region, "places") == {}


def test_queries_are_let_in_while_nobody_can_count_them(region):
    key = limited(region, "places-alone", concurrent_queries=1)
    region.gate.refuses = "AccessDeniedException"
    try:
        assert region.one("SELECT 1", key=key) == 1
    finally:
        region.gate.refuses = None
