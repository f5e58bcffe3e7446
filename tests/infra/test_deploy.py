"""A small stack goes through the pipeline with the real Terraform and provider: planned, approved, killed in the middle of its apply, gone on
with; what is changed behind Terraform's back is found; nothing secret is kept."""

import json
import os
import signal
import subprocess
import time

import kit
import pytest

DONE, ENDED_BADLY, FOUND, ASKS = 0, 3, 4, 6
SECRET = "planted-value-of-a-parameter"
STACK = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
  backend "s3" {
    use_lockfile = true
  }
}
provider "aws" {
  region = var.region
}
variable "region" { type = string }
variable "seconds" { type = number }
variable "folder" { type = string }
variable "password" {
  type      = string
  sensitive = true
}
resource "aws_ssm_parameter" "secret" {
  name  = "/small/secret"
  type  = "SecureString"
  value = var.password
}
resource "aws_iam_role" "reader" {
  name                 = "small-reader"
  max_session_duration = var.seconds
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }] })
}
resource "aws_dynamodb_table" "tenants" {
  name           = "small-tenants"
  billing_mode   = "PROVISIONED"
  read_capacity  = 5
  write_capacity = 5
  hash_key       = "pk"
  attribute {
    name = "pk"
    type = "S"
  }
}
resource "terraform_data" "middle" {
  depends_on = [aws_ssm_parameter.secret, aws_iam_role.reader, aws_dynamodb_table.tenants]
  provisioner "local-exec" {
    command = "touch ${var.folder}/middle; while [ -e ${var.folder}/hold ]; do sleep 0.1; done"
  }
}
resource "aws_sns_topic" "last" {
  name       = "small-last"
  depends_on = [terraform_data.middle]
}
"""
PIPELINE = {
    "version": 1, "environments": {"prod": {"approval": {"by_starter": True}}},
    "stages": [{"name": "prod", "environment": "prod", "region_steps": [
        {"name": "plan", "action": "terraform-plan", "with": {"stack": "region", "config": "config", "program": str(kit.TERRAFORM)}},
        {"name": "approve", "action": "approval", "with": {"plan": "plan"}},
        {"name": "apply", "action": "terraform-apply", "with": {"plan": "plan"}, "undo": {"action": "terraform-restore", "with": {"plan": "plan"}}},
        {"name": "check", "action": "command", "with": {"argv": ["test", "!", "-e", "bad"]}}],
        "waves": [{"name": "first", "regions": [kit.HOME], "bake": {"time_s": 0}}]}]}


def until(condition, what):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within five minutes: {what}")


class Bench:
    def __init__(self, path, emulator):
        self.path, self.emulator = path, emulator
        for folder in ("infra/region", "platform", "config"):
            (path / folder).mkdir(parents=True)
        (path / "infra/region/main.tf").write_text(STACK)
        for name in ("resources.json", "prices.json"):
            (path / "platform" / name).write_text((kit.PLATFORM / name).read_text())
        (path / "platform/pipeline.json").write_text(json.dumps(PIPELINE))
        self.settings(3600)
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_", "PRISM_")) and k.lower() not in ("http_proxy", "https_proxy", "no_proxy")}
        self.env = {**keep, **emulator.environment(), "TF_CLI_CONFIG_FILE": str(kit.PROVIDERS), "PRISM_STATE_BUCKET": kit.STATE_BUCKET,
                    "PRISM_STATE_REGION": kit.HOME}

    def settings(self, seconds):
        (self.path / f"config/{kit.HOME}.tfvars.json").write_text(
            json.dumps({"region": kit.HOME, "seconds": seconds, "folder": str(self.path), "password": SECRET}))

    def start(self, *args):
        return subprocess.Popen([kit.PRISM, *map(str, args)], cwd=self.path, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def __call__(self, *args):
        process = self.start(*args)
        out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def pipeline(self, verb, *args):
        return self("pipeline", verb, *args, *(() if verb in ("history", "status") else ("--as", "ada")))

    def drift(self, *args):
        return self("drift", "--environment", "prod", "--config", "config", "--infra", "infra", "--platform", "platform", "--terraform", kit.TERRAFORM, *args)


@pytest.fixture(scope="module")
def bench(world, scratch):
    return Bench(scratch("small"), world.emulator)


@pytest.fixture(scope="module")
def first(bench):
    """The first run: asks, is approved, is killed in the middle of its apply, is driven on."""
    asks = bench.pipeline("run")
    assert asks.returncode == ASKS, asks.stderr[-3000:]
    approved = bench.pipeline("approve")
    assert approved.returncode == DONE, approved.stderr[-3000:]
    (bench.path / "hold").touch()
    killed = bench.start("pipeline", "resume", "--as", "ada")
    until(lambda: (bench.path / "middle").exists() or killed.poll() is not None, "the apply is in its middle")
    assert killed.poll() is None, killed.communicate()[1][-3000:]
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (bench.path / "hold").unlink()
    done = bench.pipeline("resume")
    return asks, done


def test_killed_in_the_middle_of_an_apply_it_goes_on_with_what_is_left(bench, first):
    asks, done = first
    assert "5 made, 0 changed in place" in bench.pipeline("status").stdout + asks.stderr + json.dumps(
        [json.loads(line) for line in bench.pipeline("history", "--json").stdout.splitlines()])
    assert done.returncode == DONE, done.stderr[-3000:]
    assert "small-tenants" in bench.emulator.client("dynamodb").list_tables()["TableNames"]
    assert [t for t in bench.emulator.client("sns").list_topics()["Topics"] if t["TopicArn"].endswith("small-last")]
    left = bench.emulator.client("s3").list_objects_v2(Bucket=kit.STATE_BUCKET, Prefix=f"prism/prod/{kit.HOME}")["Contents"]
    assert not [o["Key"] for o in left if o["Key"].endswith(".tflock")], "Terraform ended in order and gave its lock back"


def test_nothing_secret_is_kept(bench, first):
    del first
    seen = 0
    for file in bench.path.rglob("*"):
        if file.is_file() and not file.is_symlink() and file.parent.name != "config":
            seen += 1
            assert SECRET.encode() not in file.read_bytes(), file
    assert seen > 10


def test_what_was_changed_outside_is_found_and_a_plan_that_changed_is_refused(bench, first):
    del first
    clean = bench.drift()
    assert clean.returncode == DONE and "no drift" in clean.stdout, clean.stdout + clean.stderr
    # approved, and then somebody changes the role
    bench.settings(7200)
    asks = bench.pipeline("run")
    assert asks.returncode == ASKS, asks.stderr[-3000:]
    assert bench.pipeline("approve").returncode == DONE
    bench.emulator.client("iam").update_role(RoleName="small-reader", MaxSessionDuration=5400)
    bench.emulator.client("ssm").put_parameter(Name="/small/secret", Value="planted-by-an-outsider", Type="SecureString", Overwrite=True)
    bench.emulator.client("dynamodb").update_table(TableName="small-tenants", ProvisionedThroughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 5})
    refused = bench.pipeline("resume")
    assert refused.returncode in (ENDED_BADLY, ASKS) and "this is not the plan that was approved" in refused.stderr, refused.stderr[-3000:]
    assert "aws_ssm_parameter.secret: is no part of it: update" in refused.stderr
    assert bench.emulator.client("iam").get_role(RoleName="small-reader")["Role"]["MaxSessionDuration"] == 5400, "nothing was touched"
    done = bench.drift("--json")
    assert done.returncode == FOUND, done.stdout + done.stderr
    said = json.loads(done.stdout)
    findings = {(f["address"], f["attribute"]): f for f in said["stacks"][0]["findings"]}
    role = findings["aws_iam_role.reader", "max_session_duration"]
    assert (role["should"], role["is"], role["by"], role["weight"]) == ("7200", "5400", "outside", "critical")
    assert findings["aws_ssm_parameter.secret", "value"]["is"] == "(sensitive)" and "planted" not in done.stdout
    assert findings["aws_dynamodb_table.tenants", "read_capacity"]["by"] == "owned"
    assert said["found"] == 2 and said["worst"] == "critical"


def test_what_was_applied_and_proved_bad_is_taken_back_with_its_sources(bench, first):
    """Sources, configuration and state come back to those of the first run; what the change made is gone; the secret is that of now."""
    del first
    stack = bench.path / "infra/region/main.tf"
    bench.settings(7200)
    stack.write_text(STACK + 'resource "aws_sns_topic" "more" {\n  name = "small-more"\n}\n')
    (bench.path / "bad").touch()
    asks = bench.pipeline("run")
    assert asks.returncode == ASKS, asks.stderr[-3000:]
    assert bench.pipeline("approve").returncode == DONE
    done = bench.pipeline("resume")
    (bench.path / "bad").unlink()
    assert done.returncode == ENDED_BADLY, done.stderr[-3000:]
    assert bench.emulator.client("iam").get_role(RoleName="small-reader")["Role"]["MaxSessionDuration"] == 3600
    assert not [t for t in bench.emulator.client("sns").list_topics()["Topics"] if t["TopicArn"].endswith("small-more")]
    assert bench.emulator.client("ssm").get_parameter(Name="/small/secret", WithDecryption=True)["Parameter"]["Value"] == SECRET
    log = [json.loads(line) for line in bench.pipeline("history", "--json").stdout.splitlines()]
    assert [e["data"]["of_run"] for e in log if e["event"] == "step-noted" and e["data"].get("event") == "restore-begins"] == [1]
    stack.write_text(STACK)
    bench.settings(3600)
    clean = bench.drift()
    assert clean.returncode == DONE, clean.stdout + clean.stderr
    for file in (bench.path / ".prism").rglob("*"):
        if file.is_file() and not file.is_symlink():
            assert SECRET.encode() not in file.read_bytes(), file
