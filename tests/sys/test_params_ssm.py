"""Parameters in SSM as moto has it: the suite that ctest runs on a file, and functions that follow them while they run."""

import json

import boto3
import pytest

from emulator_kit import all_passed, build_suite, emulator, run_suite
from region_kit import wait
from runtime_kit import KEY, SECRET, Surroundings, ingest_event


def test_the_suite_of_parameters_passes_in_ssm():
    suite = build_suite("test_store_params")
    with emulator() as port:
        done = run_suite(suite, PRISM_TEST_PARAMETERS=f"http://127.0.0.1:{port}")
    assert all_passed(done, at_least=5)


@pytest.fixture(scope="module")
def url():
    with emulator() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def ssm(url):
    client = boto3.client("ssm", endpoint_url=url, region_name="eu-central-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET)
    yield client
    for parameter in client.get_parameters_by_path(Path="/prism/dev", Recursive=True)["Parameters"]:
        client.delete_parameter(Name=parameter["Name"])


@pytest.fixture
def around():
    around = Surroundings()
    yield around
    around.close()


def start(around, tmp_path, url, **env):
    return around.start("ingest", tmp_path, AWS_ENDPOINT_URL_SSM=url, PRISM_PARAMETERS_URL="ssm://prism/dev/",
                        PRISM_PARAMETERS_AGE_MS="1", PRISM_METRICS_NAMESPACE="", PRISM_TRACES_URL="", **env)


def put(ssm, name, value, kind="String"):
    ssm.put_parameter(Name=f"/prism/dev/{name}", Value=value, Type=kind, Overwrite=True)


def send(around, size):
    return around.invoke(ingest_event([{"text": "x" * size, "n": len(around.answers)}]))["statusCode"]


def messages(around):
    return [line["message"] for line in around.logs()]


def test_a_function_begins_with_its_parameters_and_follows_them_while_it_runs(url, ssm, around, tmp_path):
    put(ssm, "ingest/record_bytes_max", "100", "SecureString")
    start(around, tmp_path, url, PRISM_INGEST_RECORD_BYTES_MAX="10000")
    assert send(around, 500) == 400 and send(around, 50) == 200
    put(ssm, "ingest/record_bytes_max", "1000")
    wait(lambda: send(around, 500) == 200)  # the answer after the one behind which it was read
    assert send(around, 1500) == 400
    ssm.delete_parameter(Name="/prism/dev/ingest/record_bytes_max")
    wait(lambda: send(around, 1500) == 200)  # the environment's again
    assert any("ingest/record_bytes_max is 1000 now, after 100" in message for message in messages(around))


def test_a_bad_value_is_refused_and_the_old_one_goes_on(url, ssm, around, tmp_path):
    put(ssm, "ingest/record_bytes_max", "100")
    start(around, tmp_path, url)
    assert send(around, 500) == 400
    put(ssm, "ingest/record_bytes_max", "a lot")
    wait(lambda: send(around, 500) and any('not "a lot"' in message for message in messages(around)))
    assert send(around, 500) == 400 and send(around, 50) == 200
    assert [line["level"] for line in around.logs() if "a lot" in line["message"]] == ["WARN"]


def test_the_level_of_the_log_follows(url, ssm, around, tmp_path):
    start(around, tmp_path, url)
    assert send(around, 10) == 200
    put(ssm, "log_level", "error")
    put(ssm, "ingest/record_bytes_max", "100")
    wait(lambda: send(around, 500) == 400)  # told at INFO, while that was the level
    put(ssm, "ingest/record_bytes_max", "1000")
    wait(lambda: send(around, 500) == 200)
    told = [message for message in messages(around) if "ingest/record_bytes_max is" in message]
    assert not any("is 1000 now" in message for message in told), told


def test_a_function_works_without_parameters_where_nobody_answers(url, around, tmp_path):
    start(around, tmp_path, "http://127.0.0.1:1", PRISM_INGEST_RECORD_BYTES_MAX="100")
    assert send(around, 500) == 400 and send(around, 50) == 200
    told = [line for line in around.logs() if "parameters cannot be read" in line["message"]]
    assert len(told) == 1 and told[0]["level"] == "WARN" and "GetParametersByPath" in told[0]["message"], json.dumps(around.logs())
