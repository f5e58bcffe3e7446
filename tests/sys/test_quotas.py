"""What a tenant may use: quotas of the registry, held by the gateway, told by headers, seen by the operator."""

import concurrent.futures
import json
import re
import time

import pytest

from region_kit import ENDLESS, begin, function, wait


def give(region, tenant, **quotas):
    changed = region.call("PATCH", f"/v1/admin/tenants/{tenant}", key=region.admin_key, json={"quotas": quotas})
    assert changed.status_code == 200, changed.text
    return changed.json()["quotas"]


def flood(region, key, count, **kw):
    """At once, so that there are more than a second's however slow the machine is."""
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        return list(pool.map(lambda _: region.call("GET", "/v1/datasets", key=key, **kw), range(count)))


def test_unknown_names_and_numbers_out_of_range_are_refused(region):
    region.tenant("quo-names")
    for quotas, word in [({"requests": 1}, "there is no such quota; they are requests_per_s, "), ({"requests_per_s": 0}, "1 to 1000000"),
                         ({"datasets": -1}, "datasets is a whole number of datasets"), ({"bytes_per_s": 5}, "bytes_per_s")]:
        for method, path, more in [("PATCH", "/v1/admin/tenants/quo-names", {}), ("POST", "/v1/admin/tenants", {"name": "quo-new"})]:
            answer = region.call(method, path, key=region.admin_key, json={"quotas": quotas, **more})
            assert answer.status_code == 400 and (word in answer.json()["detail"] or method == "POST"), answer.text
    assert give(region, "quo-names", datasets=3, requests_burst=4) == {"datasets": 3, "requests_burst": 4}
    assert give(region, "quo-names", datasets=None) == {"requests_burst": 4}


def test_over_its_rate_a_tenant_gets_429_with_what_to_do(region):
    slow, other = region.tenant("quo-slow"), region.tenant("quo-other")
    give(region, "quo-slow", requests_per_s=1, requests_burst=3)
    answers = flood(region, slow, 100)
    refused = [a for a in answers if a.status_code == 429]
    assert refused and len(answers) - len(refused) >= 3 and {a.status_code for a in answers} == {200, 429}
    for answer in refused:
        assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["status"] == 429
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["RateLimit"] == '"requests_per_s";r=0;t=1'
        assert answer.headers["RateLimit-Policy"] == '"requests_per_s";q=1;w=1'
    assert {a.status_code for a in flood(region, other, 100)} == {200}


def test_answers_tell_what_is_left(region):
    key, free = region.tenant("quo-left"), region.tenant("quo-free")
    give(region, "quo-left", requests_per_s=1, requests_burst=1000000, requests_per_day=9)
    left = []
    for ask in [lambda: region.call("GET", "/v1/datasets", key=key), lambda: region.ingest("logs", [{"m": 1}], key=key),
                lambda: region.call("POST", "/v1/query", json={"sql": "SELECT 1"}, key=key),  # streamed
                lambda: region.call("DELETE", "/v1/datasets/none", key=key)]:
        answer = ask()
        assert answer.headers["RateLimit-Policy"] == '"requests_per_s";q=1;w=1, "requests_per_day";q=9;w=86400', answer.text
        told = re.fullmatch(r'"requests_per_s";r=(\d+);t=\d+, "requests_per_day";r=(\d+);t=\d+', answer.headers["RateLimit"])
        assert 999900 < int(told[1]) < 1000000
        left.append(int(told[2]))
    assert left == [8, 7, 6, 5]
    assert region.call("GET", "/v1/datasets", key=key, headers={"Origin": "https://a.example"}).headers["Access-Control-Expose-Headers"] == "*"
    assert "RateLimit" not in region.call("GET", "/v1/datasets", key=free).headers
    assert "RateLimit" not in region.call("GET", "/v1/health").headers


def test_over_some_seconds_it_gets_its_rate(region):
    key = region.tenant("quo-rate")
    give(region, "quo-rate", requests_per_s=20, requests_burst=1)
    began, served = time.monotonic(), 0
    while time.monotonic() - began < 3:
        served += region.call("GET", "/v1/datasets", key=key).status_code == 200
    assert served <= (time.monotonic() - began) * 20 + 1


def test_bytes_and_days(region):
    heavy, daily = region.tenant("quo-heavy"), region.tenant("quo-daily")
    give(region, "quo-heavy", bytes_per_s=2000)
    give(region, "quo-daily", requests_per_day=2)
    assert region.ingest("logs", [{"m": "x" * 400000}], key=heavy).status_code == 200
    refused = region.ingest("logs", [{"m": "y"}], key=heavy)
    assert refused.status_code == 429 and re.fullmatch(r'"bytes_per_s";q=2000;qu="content-bytes";w=1', refused.headers["RateLimit-Policy"])
    assert int(refused.headers["Retry-After"]) > 10
    assert region.call("GET", "/v1/datasets", key=heavy).status_code == 200
    assert [a.status_code for a in flood(region, daily, 2)] == [200, 200]
    refused = region.call("GET", "/v1/datasets", key=daily)
    assert refused.status_code == 429 and refused.headers["RateLimit-Policy"] == '"requests_per_day";q=2;w=86400'
    assert 1 <= int(refused.headers["Retry-After"]) <= 86400


def to_midnight():
    return 86400 - time.time() % 86400


@pytest.fixture
def one_day():
    if to_midnight() < 600:
        pytest.skip("the day could end within the test")


def records(region, key, count, **kw):
    return region.ingest("daily", [{"n": i} for i in range(count)], key=key, **kw)


def test_records_of_a_day(region, one_day):
    key, free = region.tenant("quo-records"), region.tenant("quo-uncounted")
    give(region, "quo-records", records_per_day=5, requests_per_s=1000000)
    first = {"headers": {"Idempotency-Key": "first"}}
    stored = records(region, key, 3, **first)  # the gateway names its quotas, the function its own
    assert re.fullmatch(r'"requests_per_s";r=\d+;t=\d+, "records_per_day";r=2;t=\d+', stored.headers["RateLimit"]), stored.text
    assert stored.headers["RateLimit-Policy"] == '"requests_per_s";q=1000000;w=1, "records_per_day";q=5;w=86400'
    before = to_midnight()
    refused = records(region, key, 4)
    assert refused.status_code == 429 and refused.headers["Content-Type"] == "application/problem+json", refused.text
    assert refused.json()["detail"].startswith("records_per_day: the tenant may send 5 records a day")
    assert to_midnight() - 1 <= int(refused.headers["Retry-After"]) <= before + 1
    assert records(region, key, 2).status_code == 200, "nothing was taken by what was refused"
    assert records(region, key, 1).status_code == 429
    for _ in range(3):  # what is stored is told again
        again = records(region, key, 3, **first)
        assert again.status_code == 200 and again.json()["duplicate"] is True and again.json()["accepted"] == 3
    assert region.call("POST", "/v1/logs", key=key, headers={"Content-Type": "application/json"},
                       data=json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]})).status_code == 429
    today = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "records": 5}
    usage = region.call("GET", "/v1/usage", key=key).json()
    assert usage["today"] == today and {q["name"]: q.get("limit") for q in usage["limits"]}["records_per_day"] == 5
    assert region.call("GET", "/v1/admin/tenants/quo-records/usage", key=region.admin_key).json()["today"] == today
    assert re.search(r"^records today +5$", region.run("tenant", "usage", "quo-records").stdout, re.M)
    assert region.one("SELECT count(*) FROM daily", key=key) == 5
    give(region, "quo-records", records_per_day=6)
    until = time.monotonic() + 60
    while records(region, key, 1).status_code != 200:  # once the authorizer's answer is known anew
        assert time.monotonic() < until
        time.sleep(0.2)
    assert records(region, free, 50).status_code == 200
    assert "today" not in region.call("GET", "/v1/usage", key=free).json()


def send_through(region, key, numbers):
    """Each under its own key until it is answered; what of them was taken."""
    import requests

    taken = 0
    for n in numbers:
        until = time.monotonic() + 120
        while True:
            try:
                answer = region.ingest("killed", [{"n": n}], key=key, headers={"Idempotency-Key": f"k{n}"})
            except requests.RequestException:
                answer = None
            if answer is not None and answer.status_code in (200, 429):
                taken += answer.status_code == 200
                break
            assert time.monotonic() < until, answer and answer.text
            time.sleep(0.05)
    return taken


def test_a_day_stays_counted_through_kill_9(tmp_path, one_day):
    from conftest import Region

    limit, senders = 600, 2
    r = Region(tmp_path / "days").up()
    try:
        key = r.tenant("quo-killed")
        give(r, "quo-killed", records_per_day=limit)

        def counted():
            return r.call("GET", "/v1/usage", key=key).json().get("today", {"records": 0})["records"]

        with concurrent.futures.ThreadPoolExecutor(senders) as pool:
            sent = [pool.submit(send_through, r, key, range(i, limit + 100, senders)) for i in range(senders)]
            for at in (50, 200):
                wait(lambda: counted() >= at)
                r.kill()
                r.up()
                stored = r.one("SELECT count(*) FROM killed", key=key)
                assert stored >= 1 and counted() >= stored
            taken = sum(s.result() for s in sent)
        stored = r.one("SELECT count(*) FROM killed", key=key)
        assert stored == taken == r.one("SELECT count(DISTINCT n) FROM killed", key=key)
        assert counted() == limit and stored <= limit
        # three lives of at most two instances: each took ahead no more than a sixteenth, and died with one request in its hands
        assert stored >= limit - 3 * senders * (limit // 16 + 1)
    finally:
        r.down()


def test_requests_of_a_day_stay_counted_through_kill_9(tmp_path, one_day):
    from conftest import Region

    r = Region(tmp_path / "days").up()
    try:
        key = r.tenant("quo-asking")
        give(r, "quo-asking", requests_per_day=100)

        def counted():
            return r.call("GET", "/v1/admin/tenants/quo-asking/usage", key=r.admin_key).json().get("today", {}).get("requests", 0)

        def left(answer):
            return int(re.search(r'"requests_per_day";r=(\d+)', answer.headers["RateLimit"])[1])

        assert {a.status_code for a in flood(r, key, 60)} == {200}
        wait(lambda: counted() == 60)
        r.kill()
        r.up()
        served, until = 0, time.monotonic() + 60
        while True:  # the first of them begins at 0, until the gateway has looked
            answer = r.call("GET", "/v1/datasets", key=key)
            served += 1
            assert answer.status_code == 200 and served < 40 and time.monotonic() < until
            if left(answer) == 40 - served:
                break
            time.sleep(0.5)
        codes = [a.status_code for a in flood(r, key, 60)]
        assert codes.count(200) == 40 - served and codes.count(429) == 60 - codes.count(200)
        wait(lambda: counted() == 100)
        said = r.run("tenant", "usage", "quo-asking").stdout
        assert re.search(r"^requests today +100$", said, re.M), said
    finally:
        r.down()


def test_stored_bytes(region):
    key = region.tenant("quo-stored", "ingest,query,admin")
    give(region, "quo-stored", stored_bytes=1)
    first = {"headers": {"Idempotency-Key": "first"}}
    assert records(region, key, 9, **first).status_code == 200, "nothing is stored yet"
    region.run("tick", "seal")
    assert region.call("GET", "/v1/usage", key=key).json()["stored"]["bytes"] > 1

    def until(status, n):
        end = time.monotonic() + 60
        while (answer := region.ingest("daily", [{"late": n}], key=key)).status_code != status:
            assert answer.status_code in (200, 507) and time.monotonic() < end, answer.text
            n, _ = n + 1, time.sleep(0.2)
        return answer

    refused = until(507, 1000)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["detail"].startswith("stored_bytes: the tenant may have 1 bytes stored")
    again = records(region, key, 9, **first)
    assert again.status_code == 200 and again.json()["duplicate"] is True
    assert region.call("POST", "/v1/query", key=key, json={"sql": "SELECT count(*) FROM daily"}).status_code == 200, "it reads on"
    assert region.call("DELETE", "/v1/datasets/daily", key=key).status_code in (200, 204)
    until(200, 2000)


def test_so_many_queries_of_a_tenant_run_at_once(region):
    key, other = region.tenant("quo-busy"), region.tenant("quo-idle")
    give(region, "quo-busy", concurrent_queries=1)

    def ask(key):
        return region.call("POST", "/v1/query", key=key, json={"sql": "SELECT 1"})

    def until(status):
        end = time.monotonic() + 60
        while True:
            answer = ask(key)
            if answer.status_code == status:
                return answer
            assert answer.status_code in (200, 429) and time.monotonic() < end, answer.text
            time.sleep(0.05)

    with begin(region, key, ENDLESS):
        wait(lambda: function(region, "query")["busy"] == 1)  # else a query of ours could have the place, and this one none
        refused = until(429)
        assert refused.headers["Content-Type"] == "application/problem+json" and refused.headers["Retry-After"] == "1"
        assert refused.headers["RateLimit"] == '"concurrent_queries";r=0;t=1' and refused.headers["RateLimit-Policy"] == '"concurrent_queries";q=1'
        assert ask(other).status_code == 200, "others have their own places"
        assert region.call("GET", "/v1/datasets", key=key).status_code == 200, "only queries are counted"
    until(200)  # it is gone, and its place is free
    for _ in range(5):  # as is that of each that was answered, rightly or not
        assert region.call("POST", "/v1/query", key=key, json={"sql": "SELECT nothing"}).status_code == 400
        assert ask(key).status_code == 200


def test_the_operator_sees_whom_what_was_refused(region):
    key = region.tenant("quo-seen")
    give(region, "quo-seen", requests_per_s=1, requests_burst=1)
    count = sum(a.status_code == 429 for a in flood(region, key, 100))
    assert count
    sql = "SELECT count(*) FROM access_log WHERE tenant = 'quo-seen' AND status = 429 AND error = 'THROTTLED' AND error_message = 'requests_per_s'"
    until = time.monotonic() + 60
    while region.one(sql, key=region.admin_key) < count:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_local_region_knows_no_limits_of_tiers_unless_told(tmp_path):
    from conftest import Region

    r = Region(tmp_path / "tiers", env={"PRISM_REGION_QUOTAS": "tier"})
    r.up()
    try:
        key = r.tenant("quo-pooled")
        give(r, "quo-pooled", requests_per_s=1)  # the burst is the tier's
        served = [a.status_code for a in flood(r, key, 400)].count(200)
        assert 100 <= served < 400
    finally:
        r.down()


def test_a_word_that_is_none_is_refused(tmp_path):
    from conftest import Region

    for name, word, words in [("PRISM_REGION_QUOTAS", "tiers", "own or tier"), ("PRISM_REGION_RATES", "function", "gateway or functions")]:
        r = Region(tmp_path / name, env={name: word})
        said = r.run("up", check=False)
        assert said.returncode != 0 and f"{name} is {words}" in said.stderr + r.last_words()


def test_usage_tells_what_a_tenant_may_use_and_has_stored(region):
    key, admin = region.tenant("quo-usage"), region.json("key", "create", "quo-usage", "--scopes", "admin")["key"]
    give(region, "quo-usage", datasets=9)
    assert region.ingest("stored", [{"n": i} for i in range(7)], key=key).status_code == 200
    region.run("tick", "seal")
    own = region.call("GET", "/v1/usage", key=key).json()
    assert own["tenant"] == "quo-usage" and {q["name"]: q.get("limit") for q in own["limits"]}["datasets"] == 9
    assert "requests_per_s" in {q["name"] for q in own["limits"] if "limit" not in q}  # a local region has none of tiers
    assert own["stored"]["datasets"] == 1 and own["stored"]["rows"] == 7 and own["stored"]["bytes"] > 0
    others = "/v1/admin/tenants/quo-usage/usage"
    for asker, status in [(admin, 200), (key, 403), (region.key, 403), (region.admin_key, 200)]:
        answer = region.call("GET", others, key=asker)
        assert answer.status_code == status
        assert status != 200 or answer.json() == {"tenant": "quo-usage", "stored": own["stored"]}
    assert region.json("--key", key, "tenant", "usage") == own
    assert region.json("tenant", "usage", "quo-usage")["stored"] == own["stored"]
    said = region.run("tenant", "usage", "quo-usage").stdout
    assert "stored rows" in said and '{"datasets":9}' in said
