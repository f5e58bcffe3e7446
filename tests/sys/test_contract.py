"""The contract is kept: schemathesis asks a running region whatever platform/api.openapi.json says may be asked, and what it says may not, and
looks at the answers. `make soak-contract` asks far more."""

import json
import os
import re
import subprocess

import pytest

from conftest import ROOT, Region
from region_kit import problem

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
    r = Region(tmp_path_factory.mktemp("contract") / "data").up()
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
            bodies = [operation.get("requestBody", {}).get("content", {}), *(a["content"] for s, a in operation["responses"].items() if s < "300")]
            for content in bodies:
                assert "application/json" not in content or "example" in content["application/json"], f"{here} shows no body"
