"""What AWS would refuse is refused here, with the status that it gives; PRISM_AWS_LIMITS=off leaves the local bounds."""

import http.client
import json
import time

import pytest
from region_kit import PROBE, Tree, environment, invoke, probe_in_place_of, problem

AWS_HEADER_VALUES = 10240


@pytest.fixture(scope="module", params=["on", "off", "paced"])
def region(request, tmp_path_factory):
    r = Tree(tmp_path_factory.mktemp("limits"), {"catalog": PROBE}, probe_in_place_of("catalog"), env=environment(PRISM_AWS_LIMITS=request.param)).up()
    r.limits = request.param
    yield r
    r.down()


def ask(region, path, headers=()):
    """One GET with these header fields and none else."""
    connection = http.client.HTTPConnection("127.0.0.1", int(region.url.rsplit(":", 1)[1]), timeout=60)
    connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.text = answer.read()
    connection.close()
    return answer


def of_values(bytes):
    """Header fields whose values have so many bytes in total."""
    return [("Host", "prism"), ("X-A", "a" * 5000), ("X-B", "b" * (bytes - 5005))]


def test_header_values_have_10240_bytes_in_total(region):
    assert ask(region, "/v1/health", of_values(AWS_HEADER_VALUES)).status == 200
    over = ask(region, "/v1/health", of_values(AWS_HEADER_VALUES + 1))
    assert over.status == (431 if region.limits != "off" else 200)
    if region.limits != "off":
        said = json.loads(over.text)
        assert over.headers["Content-Type"] == "application/problem+json" and said["status"] == 431 and said["requestId"] == over.headers["x-amzn-RequestId"]
    assert ask(region, "/v1/health", of_values(17 << 10)).status == 431, "the server's own bound"
    assert ask(region, "/v1/health", of_values(200 + 5005)).status == 200


def test_a_path_has_a_bound(region):
    assert ask(region, "/v1/" + "a" * 9000, [("Host", "prism")]).status == 414


def test_bodies_and_events(region):
    assert problem(region.call("POST", "/v1/ingest/big", data=b"x" * ((10 << 20) + 1)), 413)
    assert problem(region.call("POST", "/v1/ingest/big", data=b"x" * (6 << 20)), 413), "as base64 it is more than an event takes"


def test_events_of_lambda(region):
    status, _, _ = invoke(region, "catalog", {"pad": "x" * (6 << 20)})
    assert status == 413


def test_a_streamed_answer_is_as_slow_as_there_if_that_is_wanted(region):
    began = time.monotonic()
    answer = region.call("POST", "/v1/query", headers={"Accept-Encoding": "identity"},
                         json={"sql": "SELECT repeat('x', 1000000) AS x FROM range(9)", "format": "ndjson"})
    assert answer.status_code == 200 and len(answer.content) > 9_000_000
    assert region.limits != "paced" or time.monotonic() - began > (9_000_000 - 65536 - (6 << 20)) / (2 << 20)


@pytest.mark.parametrize("limits", ["on", "off"])
def test_a_buffered_route_waits_for_29_s_at_most(tmp_path, limits):
    def contract(root):
        root["paths"]["/v1/datasets"]["get"]["x-amazon-apigateway-integration"]["timeoutInMillis"] = 29001

    tree = Tree(tmp_path, {"catalog": PROBE}, probe_in_place_of("catalog"), contract, environment(PRISM_AWS_LIMITS=limits))
    done = tree.run("up", "--detach", check=False)
    try:
        assert (done.returncode == 0) == (limits == "off"), done.stderr
        assert limits == "off" or "/v1/datasets waits 29001 ms" in done.stderr
    finally:
        tree.down()


def test_the_switch_has_three_words(tmp_path):
    tree = Tree(tmp_path, env=environment(PRISM_AWS_LIMITS="maybe"))
    done = tree.run("up", "--detach", check=False)
    assert done.returncode != 0 and "PRISM_AWS_LIMITS is on, off or paced, not 'maybe'" in done.stderr
