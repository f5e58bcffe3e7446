"""The authorizer's results: kept for a while, void at once when a key goes, asked for once by many."""

import concurrent.futures
import socket
import time

import pytest
import requests

from region_kit import PROBE, Tree, environment, function, probe_in_place_of, problem, wait

TTL_S = 2


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    def contract(root):
        for scheme in root["components"]["securitySchemes"].values():
            if "x-amazon-apigateway-authorizer" in scheme:
                scheme["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] = TTL_S

    r = Tree(tmp_path_factory.mktemp("auth"), contract=contract, env=environment()).up()
    yield r
    r.down()


def asked(tree):
    return function(tree, "authorizer")["invocations"]


def within_the_time(tree, name, call):
    """The key of a new tenant with which the calls were answered before an answer of the authorizer could be too old, and how often it had been
    asked before; on a busy machine that may take a few tenants."""
    for turn in range(20):
        key = tree.tenant(f"{name}{turn}")
        before, began = asked(tree), time.monotonic()
        assert {answer.status_code for answer in call(key)} == {200}
        if time.monotonic() - began < TTL_S:
            return key, before
    raise AssertionError(f"no calls are answered within {TTL_S} s")


def test_kept_and_asked_again_after_the_time(tree):
    key, before = within_the_time(tree, "ttl", lambda key: [tree.call("GET", "/v1/datasets", key=key) for _ in range(5)])
    assert asked(tree) == before + 1
    time.sleep(TTL_S + 0.1)
    assert tree.call("GET", "/v1/datasets", key=key).status_code == 200
    assert asked(tree) == before + 2


def test_many_at_once_with_a_new_key_ask_once(tree):
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        key, before = within_the_time(tree, "crowd", lambda key: list(pool.map(lambda i: tree.ingest("crowd", [{"n": i}], key=key), range(60))))
    assert asked(tree) == before + 1
    assert tree.one("SELECT count(*) FROM crowd", key=key) == 60


def test_a_revoked_key_is_refused_at_once(tree):
    key = tree.tenant("gone")
    assert tree.call("GET", "/v1/datasets", key=key).status_code == 200
    tree.run("key", "revoke", "gone", key.split("_")[1])
    problem(tree.call("GET", "/v1/datasets", key=key), 401)


def test_no_request_begun_after_a_revocation_is_let_in(tree):
    """Requests with the key run all the time, also while the revocation does."""
    key = tree.tenant("race")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        revoked_at = []

        def ask(_):
            began = time.monotonic()
            status = tree.call("GET", "/v1/datasets", key=key).status_code
            return began, status

        def revoke():
            answer = tree.call("DELETE", f"/v1/admin/tenants/race/keys/{key.split('_')[1]}", key=tree.admin_key)
            assert answer.status_code in (200, 204), answer.text
            revoked_at.append(time.monotonic())

        first = [pool.submit(ask, i) for i in range(100)]
        pool.submit(revoke).result()
        later = list(pool.map(ask, range(100)))
    for began, status in [f.result() for f in first] + later:
        assert status in (200, 401)
        assert began < revoked_at[0] or status == 401


def test_a_suspended_tenant_is_refused_at_once(tree):
    key = tree.tenant("paused")
    assert tree.call("GET", "/v1/datasets", key=key).status_code == 200
    answer = tree.call("PATCH", "/v1/admin/tenants/paused", key=tree.admin_key, json={"status": "suspended"})
    assert answer.status_code == 200, answer.text
    problem(tree.call("GET", "/v1/datasets", key=key), 403)


def test_no_key_wrong_scheme_odd_keys(tree):
    problem(requests.get(tree.url + "/v1/datasets"), 401)
    for value in ("Bearer", "Bearer ", "Basic eDp5", "Bearer " + "x" * 3000, "Bearer prism_0_0", "\xff\xfe"):
        answer = requests.get(tree.url + "/v1/datasets", headers={"Authorization": value.encode("latin-1")})
        assert problem(answer, 401) and answer.headers["WWW-Authenticate"] == "Bearer"


def test_scopes_are_kept(tree):
    only_query = tree.tenant("reader", scopes="query")
    assert tree.ingest("x", [{"n": 1}], key=only_query).status_code == 403
    assert tree.call("GET", "/v1/admin/tenants", key=only_query).status_code == 403


@pytest.mark.parametrize("trouble, status", [("exit=1", 500), ("raise=oops", 500), ("raise=Unauthorized", 401), ("sleep=0", 500)])
def test_a_broken_authorizer_is_500_not_401(tmp_path, trouble, status):
    name, value = trouble.split("=")
    program = PROBE.replace('do = (event.get("queryStringParameters") or {{}}) if web else event', f'do = {{{{"{name}": "{value}"}}}}; web = False')
    tree = Tree(tmp_path, {"authorizer": program}, probe_in_place_of("authorizer", min=1, max=1), env=environment()).up()
    try:
        problem(tree.call("GET", "/v1/datasets"), status)
        wait(lambda: tree.call("GET", "/v1/health").status_code == 200)
    finally:
        assert tree.down().returncode == 0


def test_an_address_with_too_many_wrong_keys_waits_and_others_do_not(tmp_path):
    tree = Tree(tmp_path, env=environment(PRISM_REGION_WRONG_KEYS_MAX="5")).up()
    try:
        kept = tree.tenant("guarded")
        assert tree.call("GET", "/v1/datasets", key=kept).status_code == 200
        wrong = [tree.call("GET", "/v1/datasets", key=f"prism_no_{i}").status_code for i in range(30)]
        assert wrong[:5] == [401] * 5 and 429 in wrong and set(wrong) == {401, 429}
        before = asked(tree)
        refused = tree.call("GET", "/v1/datasets", key="prism_no")
        assert problem(refused, 429) and int(refused.headers["Retry-After"]) >= 1
        assert asked(tree) == before  # nobody was asked
        assert tree.call("GET", "/v1/datasets", key=kept).status_code == 200  # a key that is known
        assert requests.get(tree.url + "/v1/health").status_code == 200
        other = socket.create_connection(("127.0.0.1", tree.port), source_address=("127.0.0.2", 0))
        other.sendall(b"GET /v1/datasets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer prism_no\r\n\r\n")
        assert other.recv(100).startswith(b"HTTP/1.1 401")
    finally:
        assert tree.down().returncode == 0
