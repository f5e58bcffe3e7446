"""Isolation where the objects are in S3: DuckDB reads with credentials that were asked for for one tenant. moto gives out such credentials and enforces
nothing, so a relay in front of it does what S3 would: it holds each request against the session policy of the credentials that signed it."""

import fnmatch
import json
import os
import re
import urllib.parse

import boto3
import botocore.config
import botocore.exceptions
import pytest

from conftest import Region
from emulator_kit import emulator
from fault_proxy import Faults, HttpRelay

ROLE = "arn:aws:iam::123456789012:role/prism-test-tenant"
TENANTS = ("acme", "acme-2", "acmea")  # each begins like the first
BUCKETS = ("prism-i-segments", "prism-i-analytics")
DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def action_of(method, path, query):
    """What S3 calls a request that a session might make; all others are named as nothing allows them."""
    bucket, _, key = path.lstrip("/").partition("/")
    if method in ("GET", "HEAD") and key and not set(query) & {"acl", "tagging", "torrent", "policy"}:
        return "s3:GetObject", bucket, key
    return f"s3:{method}", bucket, key


def allows(policy, action, resource):
    """Allow statements alone, without conditions: others may not be in it."""
    listed = lambda v: [v] if isinstance(v, str) else v
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow" and set(statement) == {"Effect", "Action", "Resource"}
        if any(fnmatch.fnmatchcase(action, a) for a in listed(statement["Action"])) and any(fnmatch.fnmatchcase(resource, r) for r in listed(statement["Resource"])):
            return True
    return False


class Guard(HttpRelay):
    """sessions: by key id, what was asked for with them. seen: (tenant, action, bucket, key, status) of requests signed with a session's key."""

    def __init__(self, upstream_port):
        self.sessions, self.seen = {}, []
        super().__init__(Faults(), upstream_port)

    def ask(self, handler, body):
        target = urllib.parse.urlsplit(handler.path)
        signer = re.search(r"Credential=([^/]+)/", handler.headers.get("Authorization") or "")
        session = self.sessions.get(signer[1]) if signer else None
        if session:
            action, bucket, key = action_of(handler.command, urllib.parse.unquote(target.path), urllib.parse.parse_qs(target.query, keep_blank_values=True))
            allowed = allows(session["policy"], action, f"arn:aws:s3:::{bucket}/{key}")
            answer = super().ask(handler, body) if allowed else (403, {"Content-Type": "application/xml"}, DENIED)
            self.seen.append((session["tenant"], action, bucket, key, answer[0]))
            return answer
        answer = super().ask(handler, body)
        if b"Action=AssumeRole" in body:
            asked = dict(urllib.parse.parse_qsl(body.decode()))
            found = {name: re.search(rf"<{name}>([^<]+)</{name}>".encode(), answer[2])[1].decode() for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
            self.sessions[found["AccessKeyId"]] = {"asked": asked, "tenant": asked["Tags.member.1.Value"], "policy": json.loads(asked["Policy"]), "keys": found}
        return answer


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with emulator() as port:
        guard = Guard(port)
        region = Region(tmp_path_factory.mktemp("i") / "data", env={"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "PRISM_TENANT_ROLE_ARN": ROLE, "PRISM_QUERY_COPY_BYTES_MAX": "1"})
        region.up_options = ["--aws-endpoint", f"http://127.0.0.1:{guard.port}", "--aws-prefix", "prism-i"]
        region.up().warm()
        region.guard, region.keys = guard, {}
        for tenant in TENANTS:
            region.keys[tenant] = region.tenant(tenant)
            rows = [{"time": "2026-11-20T10:00:00Z", "n": i, "body": f"of {tenant} {i}"} for i in range(50)]
            assert region.ingest("logs", rows, key=region.keys[tenant]).status_code == 200
        region.run("tick", "seal")
        for tenant in TENANTS:  # one object in the other bucket, one in this
            assert region.ingest("late", [{"n": 1, "body": f"of {tenant}"}], key=region.keys[tenant]).status_code == 200
        region.run("tick", "compact")
        region.run("tick", "seal")
        yield region
        region.down()
        guard.stop()


@pytest.fixture
def objects(world):
    """All of both buckets, by owner, seen with the operator's own credentials."""
    s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{world.guard.upstream_port}", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    found = {}
    for bucket in BUCKETS:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                found.setdefault(item["Key"].split("/")[0], []).append((bucket, item["Key"]))
    return found


def of(world, tenant):
    return [s for s in world.guard.sessions.values() if s["tenant"] == tenant]


def test_queries_read_s3_with_their_own_tenants_credentials(world, objects):
    for _ in range(2):
        for tenant in TENANTS:  # one warm instance, in turns
            assert world.rows("SELECT count(*), min(body[:3]), count(DISTINCT body[4:4+length(body)-7]) FROM logs", key=world.keys[tenant])[0][:2] == [50, "of "]
            assert world.rows("SELECT body FROM late", key=world.keys[tenant]) == [[f"of {tenant}"]]
            assert world.query("SELECT * FROM logs", key=world.keys[tenant], format="parquet").status_code == 200
    for tenant in TENANTS:
        read = {(bucket, key) for who, action, bucket, key, status in world.guard.seen if who == tenant and action == "s3:GetObject" and status in (200, 206)}
        assert read and read <= set(objects[tenant]), (tenant, read)
    assert not [s for s in world.guard.seen if s[4] == 403], "a query needed more than its tenant's objects"


def test_what_is_asked_for_is_one_tenants_objects_and_no_more(world):
    assert {s["tenant"] for s in world.guard.sessions.values()} >= set(TENANTS)
    for session in world.guard.sessions.values():
        asked, tenant = session["asked"], session["tenant"]
        assert asked["RoleArn"] == ROLE and asked["Tags.member.1.Key"] == "tenant" and "Tags.member.2.Key" not in asked and int(asked["DurationSeconds"]) <= 3600
        statements = {json.dumps(s["Action"]): s["Resource"] for s in session["policy"]["Statement"]}
        assert statements == {'"s3:GetObject"': [f"arn:aws:s3:::{bucket}/{tenant}/*" for bucket in BUCKETS], '"kms:Decrypt"': "*"}, session["policy"]


def test_each_object_is_open_to_its_owners_credentials_alone(world, objects):
    assert set(objects) >= set(TENANTS)
    for owner, places in objects.items():
        for tenant in TENANTS:
            for session in of(world, tenant):
                for bucket, key in places:
                    assert allows(session["policy"], "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}") == (owner == tenant), (tenant, key)
                    for action in ("s3:PutObject", "s3:DeleteObject", "s3:GetObjectVersion", "s3:GetObjectAcl"):
                        assert not allows(session["policy"], action, f"arn:aws:s3:::{bucket}/{key}")
                for bucket in BUCKETS:
                    assert not allows(session["policy"], "s3:ListBucket", f"arn:aws:s3:::{bucket}")


def test_whoever_has_a_tenants_credentials_reads_nothing_else(world, objects):
    """With the very credentials that DuckDB was given, by somebody who may write any request."""
    keys = of(world, "acme")[-1]["keys"]
    s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{world.guard.port}", region_name="us-east-1", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
                      aws_session_token=keys["SessionToken"], config=botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))
    bucket, own = objects["acme"][0]
    assert s3.get_object(Bucket=bucket, Key=own)["Body"].read(4) == b"PAR1"
    for owner in set(objects) - {"acme"}:
        for bucket, key in objects[owner]:
            for attempt in (lambda: s3.get_object(Bucket=bucket, Key=key), lambda: s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-3"), lambda: s3.get_object(Bucket=bucket, Key=f"acme/../{key}"),
                            lambda: s3.put_object(Bucket=bucket, Key=f"acme/{key}", Body=b"x"), lambda: s3.copy_object(Bucket=bucket, Key="acme/x", CopySource={"Bucket": bucket, "Key": key}),
                            lambda: s3.delete_object(Bucket=bucket, Key=own), lambda: s3.list_objects_v2(Bucket=bucket, Prefix="acme-2/"), s3.list_buckets):
                try:
                    assert attempt()["ResponseMetadata"]["HTTPStatusCode"] == 404
                except botocore.exceptions.ClientError as error:
                    assert error.response["Error"]["Code"] in ("AccessDenied", "403", "NoSuchKey"), error


def test_secrets_of_sessions_are_in_no_answer_and_no_log(world):
    words = [s["keys"][name] for s in world.guard.sessions.values() for name in ("SecretAccessKey", "SessionToken")]
    key = world.keys["acme"]
    for sql in ("SELECT * FROM duckdb_secrets()", "SELECT * FROM which_secret('s3://prism-i-segments/acme-2/x', 's3')", "SELECT * FROM 's3://prism-i-segments/acme-2/**'", "SELECT * FROM read_parquet('s3://prism-i-segments/acme/../acme-2/x')",
                "SELECT * FROM duckdb_logs", "SELECT * FROM 's3://prism-i-segments/acme/x.parquet'", "SELECT current_setting('s3_secret_access_key')"):
        answer = world.query(sql, key=key)
        assert answer.status_code in (400, 404) and not [w for w in words if w in answer.text], answer.text
    logs = "".join(path.read_text(errors="replace") for path in (world.data / "logs").rglob("*") if path.is_file())
    assert not [w for w in words if w in logs]
    assert os.path.isdir(world.data / "logs")
