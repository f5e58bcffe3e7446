"""The contract is kept: schemathesis asks a running region whatever platform/api.openapi.json says may be asked, and what it says may not, and
looks at the answers. `make soak-contract` asks far more."""

import json
import os
import re
import subprocess

import pytest

from conftest import ROOT
from region_kit import Tree, problem

CONTRACT = json.loads((ROOT / "platform" / "api.openapi.json").read_text())
EXAMPLES = int(os.environ.get("PRISM_CONTRACT_EXAMPLES", "10"))  # of each operation and way to ask
SEED = os.environ.get("PRISM_CONTRACT_SEED", "1")
# Not asked: that what fits the schemas is taken (a text is not always a SELECT), and that another method is 405 (API Gateway says
# MISSING_AUTHENTICATION_TOKEN to unknown paths and methods alike, which the contract makes 404).
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
          "negative_data_rejection", "missing_required_header", "ignored_auth", "use_after_free", "ensure_resource_availability"]


@pytest.fixture(scope="module")
def tools():
    found = subprocess.run([ROOT / "tools" / "setup", "--path", "venv-contract"], capture_output=True, text=True)
    assert found.returncode == 0, "schemathesis is missing: run tools/setup test"
    return ROOT / found.stdout.strip() / "bin"


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    def with_needs(contract):
        """One route more, whose parameters are required; catalog does not know it."""
        needs = {"parameters": [{"name": "q", "in": "query", "required": True, "schema": {}}, {"name": "X-H", "in": "header", "required": True, "schema": {}}]}
        contract["paths"]["/v1/needs"] = {"get": {**contract["paths"]["/v1/datasets"]["get"], **needs}}

    r = Tree(tmp_path_factory.mktemp("contract"), contract=with_needs).up()
    yield r
    r.down()


def as_clients_see_it():
    contract = json.loads(json.dumps(CONTRACT))
    del contract["components"]["securitySchemes"]["usage_key"]  # API Gateway's own, not the client's
    for item in contract["paths"].values():
        for operation in item.values():
            for needed in operation["security"]:
                needed.pop("usage_key", None)
            # A media type with a strategy of ours (contract_hooks.py) takes no examples.
            operation.get("requestBody", {}).get("content", {}).get("application/x-ndjson", {}).pop("example", None)
    return contract


def test_every_example_fits_its_schema(tools):
    done = subprocess.run([tools / "python", ROOT / "tests" / "sys" / "contract_examples.py", ROOT / "platform" / "api.openapi.json"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr
    assert int(done.stderr.split()[0]) > 30


@pytest.mark.parametrize("paths", ["^/v1/(?!admin)", "^/v1/admin"], ids=["data", "admin"])
def test_region_answers_as_the_contract_says(tools, region, tmp_path, paths):
    key = region.admin_key if "(" not in paths else region.json("key", "create", "default", "--scopes", "ingest,query,admin")["key"]
    contract = tmp_path / "api.json"
    contract.write_text(json.dumps(as_clients_see_it()))
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "contract_hooks", "PYTHONPATH": str(ROOT / "tests" / "sys")}
    done = subprocess.run([
        tools / "schemathesis", "run", contract, "--url", region.url, "-H", f"Authorization: Bearer {key}", "--include-path-regex", paths,
        "--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES), "--seed", SEED, "--generation-database", "none", "--continue-on-failure",
        "--suppress-health-check", "all", "--request-timeout", "60", "--warnings", "off", "--no-color",
    ], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) generated", done.stdout)[1]) > 200, done.stdout


def test_gateway_s_own_answers_are_problems_in_the_contract_s_words(region):
    assert problem(region.call("GET", "/v1/nothing"), 404)["detail"] == "no such route"
    refused = region.call("GET", "/v1/datasets", key="prism_0_0")
    assert problem(refused, 401)["title"] == "Unauthorized" and refused.headers["WWW-Authenticate"] == "Bearer"
    for media, status in {"text/plain": 415, "application/JSON; charset=utf-8": 200}.items():
        answer = region.call("GET", "/v1/health", headers={"Content-Type": media})
        assert answer.status_code == status, answer.text
    assert problem(region.call("GET", "/v1/health", headers={"Content-Type": "x/y"}), 415)["requestId"]


def test_required_parameters_are_there_before_the_function_is_called(region):
    def asked(query="", **headers):
        return region.call("GET", "/v1/needs" + query, headers=headers)

    assert problem(asked(), 400)["detail"] == "Missing required request parameters: [q, X-H]"
    assert problem(asked("?q=", **{"X-H": "1"}), 400)["detail"] == "Missing required request parameters: [q]"
    assert problem(asked("?q=%20"), 400)["detail"] == "Missing required request parameters: [X-H]"
    assert problem(asked("?a=1&%71=2", **{"x-h": "1"}), 404)["detail"] == "there is no such route"
    assert region.call("GET", "/v1/needs", key="prism_0_0").status_code == 401, "who calls comes first"


def test_a_number_without_digits_is_none_and_no_coding_is_no_coding(region):
    def tenants(query):
        return region.call("GET", "/v1/admin/tenants" + query, key=region.admin_key)

    for query in ("?limit=", "?limit=%20", "?limit=0", "?limit=1001", "?limit=1e2", "?limit"):
        assert problem(tenants(query), 400)["detail"] == "limit is 1 to 1000", query
    assert tenants("?limit=1&after=").json()["tenants"] == tenants("?limit=1").json()["tenants"]
    sent = region.call("POST", "/v1/ingest/nocoding", data=b'{"a": 1}\n', headers={"Content-Type": "application/x-ndjson", "Content-Encoding": ""})
    assert sent.status_code == 200 and sent.json()["accepted"] == 1, sent.text


@pytest.mark.parametrize("body, words", [
    ('{"limit": 3}', '[object has missing required properties (["sql"])]'),
    ('{"sql": "SELECT 1", "limit": 0}', "[/limit: numeric instance is lower than the required minimum (minimum: 1, found: 0)]"),
    ('{"sql": "SELECT 1", "more\\n": 0}', r'[object instance has properties which are not allowed by the schema: ["more\n"]]'),
    ('{"sql": "SELECT 1", "start": [[]]}', "[/start: instance failed to match exactly one schema]"),
    ('{"sql": ', "[no JSON: Invalid value. Byte 8]"),
    ("", "[no JSON: The document is empty. Byte 0]"),
])
def test_bodies_are_held_against_their_model(region, body, words):
    answer = region.call("POST", "/v1/query", data=body.encode(), headers={"Content-Type": "application/json"})
    assert problem(answer, 400)["detail"] == f"Invalid request body: {words}"


def test_a_body_without_a_model_is_the_function_s(region):
    for media in ("text/plain", "application/x-www-form-urlencoded"):
        answer = region.call("POST", "/v1/query", data='{"sql": "SELECT 1", "more": 1}', headers={"Content-Type": media})
        assert "more" in problem(answer, 400)["detail"] and "Invalid request body" not in answer.text


def test_every_operation_tells_its_answers_and_shows_bodies():
    by_gateway = {int(r["statusCode"]) for name, r in CONTRACT["x-amazon-apigateway-gateway-responses"].items()}
    for path, item in CONTRACT["paths"].items():
        for method, operation in item.items():
            here = f"{method} {path}"
            told = {int(status) for status in operation["responses"]}
            # Without a function nothing is waited for; 404 is what has no route, 415 a mock's.
            possible = by_gateway - ({404, 415} if operation["security"] else {401, 404, 502, 504}) | ({404} if "{" in path else set())
            assert possible <= told, f"{here} does not tell {sorted(possible - told)}"
            for status, answer in operation["responses"].items():
                assert status < "400" or "application/problem+json" in answer["content"], f"{here}: {status} is no problem"
                assert status != "429" or "Retry-After" in answer["headers"], here
            bodies = [operation.get("requestBody", {}).get("content", {}), *(a.get("content", {}) for s, a in operation["responses"].items() if s < "300")]
            for content in bodies:
                assert "application/json" not in content or "example" in content["application/json"], f"{here} shows no body"
