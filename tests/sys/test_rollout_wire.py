"""The rollout's client on other people's Lambda, Step Functions and CloudWatch (MiniStack, moto): what it sends is understood, and signed as botocore signs it."""

import contextlib
import http.client
import http.server
import io
import json
import os
import subprocess
import threading
import zipfile

import boto3
import pytest

import emulator_kit
import two_regions
from conftest import PRISM
from runtime_kit import KEY, SECRET, TOKEN, signature_fits

REGION = "eu-central-1"
NAME = "prism-dev-euc1-catalog"


class Front(http.server.ThreadingHTTPServer):
    """Passes requests on and looks at what they are."""
    daemon_threads = True

    def __init__(self, upstream):
        self.upstream, self.calls, self.unsigned = upstream, [], []
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target = self.headers.get("X-Amz-Target", "")
            service = {"GraniteServiceVersion20100801": "monitoring", "AWSStepFunctions": "states"}.get(target.partition(".")[0], "lambda")
            self.server.calls.append((self.command, self.path, target.partition(".")[2]))
            if not signature_fits(self.command, self.path, self.headers, body, service):
                self.server.unsigned.append((self.command, self.path))
            there = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=60)
            there.request(self.command, self.path, body, dict(self.headers.items()))
            answer = there.getresponse()
            text = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            there.close()

        do_GET = do_POST = do_PUT = do_DELETE = serve

        def log_message(self, *_):
            pass


@contextlib.contextmanager
def ministack():
    with two_regions.emulator("lambda,iam,monitoring,cloudwatch,states,stepfunctions") as url:
        yield int(url.rsplit(":", 1)[1])


@contextlib.contextmanager
def moto():
    with emulator_kit.emulator() as port:
        yield port


@pytest.fixture(scope="module", params=[ministack, moto], ids=["ministack", "moto"])
def cloud(request):
    with request.param() as port, Front(port) as front:
        yield front
        front.shutdown()


def client(cloud, service):
    return boto3.client(service, endpoint_url=f"http://127.0.0.1:{cloud.upstream}", region_name=REGION, aws_access_key_id=KEY,
                        aws_secret_access_key=SECRET)


def code(text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("bootstrap", text)
    return out.getvalue()


@pytest.fixture(scope="module")
def api(cloud):
    iam, api = client(cloud, "iam"), client(cloud, "lambda")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}
    role = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    api.create_function(FunctionName=NAME, Runtime="provided.al2023", Role=role, Handler="bootstrap", Code={"ZipFile": code("one")}, Publish=True)
    api.create_alias(FunctionName=NAME, Name="live", FunctionVersion="1")
    return api


def rollout(cloud, folder, verb, *args):
    env = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    return subprocess.run([PRISM, "rollout", verb, NAME, "--aws", REGION, "--endpoint", cloud.url, "--store", folder, *map(str, args)],
                          env=env, capture_output=True, text=True, timeout=120)


def test_a_rollout_from_code_to_all_calls_and_back(cloud, api, tmp_path):
    (tmp_path / "code.zip").write_bytes(code("two"))
    done = rollout(cloud, tmp_path / "journal", "start", "--code", tmp_path / "code.zip", "--bake", "2s", "--requests", "0", "--poll", "100ms",
                   "--period", "1")
    number = api.list_versions_by_function(FunctionName=NAME)["Versions"][-1]["Version"]
    assert number == "2"
    alias = api.get_alias(FunctionName=NAME, Name="live")
    if done.returncode != 0:  # moto has no provisioned concurrency: a version that cannot be tried goes nowhere
        assert "provisioned" in done.stderr.lower() or "instance" in done.stderr, done.stderr
        assert alias["FunctionVersion"] == "1"
    else:
        assert alias["FunctionVersion"] == "2" and not alias.get("RoutingConfig", {}).get("AdditionalVersionWeights")
        actions = [c[2] for c in cloud.calls if c[2]]
        assert {"GetMetricData", "DescribeAlarms"} == set(actions)
        puts = [c for c in cloud.calls if c[0] == "PUT" and c[1].endswith("/aliases/live")]
        assert len(puts) == 4  # three weights, and the end
        back = rollout(cloud, tmp_path / "journal", "rollback")
        assert back.returncode == 0, back.stderr
        assert api.get_alias(FunctionName=NAME, Name="live")["FunctionVersion"] == "1"
    assert cloud.calls and not cloud.unsigned


def test_status_and_refusals(cloud, api, tmp_path):
    said = rollout(cloud, tmp_path, "status", "--json")
    assert said.returncode == 0 and json.loads(said.stdout)["alias"]["main"] in (1, 2)
    absent = rollout(cloud, tmp_path, "start", "--version", "77")
    assert absent.returncode == 4 and "no version 77" in absent.stderr
    assert not cloud.unsigned


def test_a_state_machine_gets_its_executions_by_weights(cloud, tmp_path):
    sfn, iam = client(cloud, "stepfunctions"), client(cloud, "iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}]}
    role = iam.create_role(RoleName="machine", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

    def definition(comment):
        return json.dumps({"Comment": comment, "StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})

    made = sfn.create_state_machine(name=f"{NAME}-machine", roleArn=role, definition=definition("one"), publish=True)
    arn, one = made["stateMachineArn"], made["stateMachineVersionArn"]
    live = sfn.create_state_machine_alias(name="live", routingConfiguration=[{"stateMachineVersionArn": one, "weight": 100}])["stateMachineAliasArn"]

    def run(verb, *args):
        env = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
        return subprocess.run([PRISM, "rollout", verb, f"{NAME}-machine", "--machine", "--aws", REGION, "--endpoint", cloud.url, "--store", tmp_path,
                               *map(str, args)], env=env, capture_output=True, text=True, timeout=120)

    first = int(one.rsplit(":", 1)[1])
    said = run("status", "--json")
    assert said.returncode == 0 and json.loads(said.stdout)["alias"]["main"] == first, said.stderr
    (tmp_path / "two.json").write_text(definition("two"))
    done = run("start", "--code", tmp_path / "two.json", "--bake", "2s", "--requests", "0", "--poll", "100ms", "--period", "1")
    routes = sfn.describe_state_machine_alias(stateMachineAliasArn=live)["routingConfiguration"]
    if done.returncode != 0:  # moto has no PublishStateMachineVersion: nothing was touched
        assert "PublishStateMachineVersion" in done.stderr and routes == [{"stateMachineVersionArn": one, "weight": 100}], done.stderr
    else:
        assert routes == [{"stateMachineVersionArn": f"{arn}:{first + 1}", "weight": 100}]
        assert len([c for c in cloud.calls if c[2] == "UpdateStateMachineAlias"]) == 4  # three weights, and the end
        back = run("rollback")
        assert back.returncode == 0, back.stderr
        assert sfn.describe_state_machine_alias(stateMachineAliasArn=live)["routingConfiguration"] == [{"stateMachineVersionArn": one, "weight": 100}]
    assert not cloud.unsigned
