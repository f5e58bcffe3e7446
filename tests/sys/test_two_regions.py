"""What happens where two regions' tables do not agree yet: each row of the table "Two regions" in docs/design/aws.md. The
functions are the real ones, each region with an emulator of its own; between them the last write wins (two_regions.py)."""

import json
import os
import subprocess

import pytest

from conftest import ROOT
from region_kit import wait
from runtime_kit import ingest_event
from two_regions import Pair, Region, emulator

PRESET = os.environ.get("PRISM_BUILD", "release").replace("release", "dev")  # release has no unit tests


@pytest.fixture(scope="module")
def endpoints():
    with emulator() as one, emulator() as other:
        yield one, other


@pytest.fixture
def pair(endpoints, tmp_path):
    (tmp_path / "secrets").mkdir(mode=0o700)
    regions = []
    for name, url, stands_in_for in zip(("eu-west-1", "us-east-1"), endpoints, ("", "eu-west-1")):
        regions.append(Region(name, url, tmp_path / name, tmp_path / "secrets", stands_in_for))
    yield Pair(*regions)
    for region in regions:
        region.close()
        for table in region.iterators:
            region.dynamodb.delete_table(TableName=f"prism-dev-{table}")


def tenants(pair, region, op, **fields):
    return pair.ask(region, "tenants", {"op": op, **fields})


def keys(pair, region, op, **fields):
    return pair.ask(region, "keys", {"op": op, **fields})


def knock(pair, region, key):
    """What the authorizer of a region says to a key: Allow, Deny or Unauthorized."""
    answer = pair.ask(region, "authorizer", {"type": "REQUEST", "methodArn": "arn:aws:execute-api:x:1:api/live/GET/v1/datasets",
                                             "headers": {"Authorization": f"Bearer {key}"}})
    return answer.get("errorType") or answer["policyDocument"]["Statement"][0]["Effect"]


def batch(pair, region, key="k1", home="eu-west-1", **env):
    answer = pair.ask(region, "ingest", ingest_event([{"n": 1}], headers={"Idempotency-Key": key}, home=home), **env)
    return answer["statusCode"], json.loads(answer["body"]).get("duplicate")


def refused_by(answer, home):
    return answer.get("errorType") == "Misdirected" and home in answer["errorMessage"]


def frames(region):
    """Bytes of hot frames, a measure of how often a batch was stored."""
    return sum(path.stat().st_size for path in (region.folder / "hot").rglob("*.wal"))


def test_a_tenant_created_in_both_ends_as_the_later_one(pair):
    one, other = pair.regions
    assert tenants(pair, one, "create", name="acme", tier="pooled")["home_region"] == one.name
    assert tenants(pair, other, "create", name="acme", tier="pooled")["home_region"] == other.name  # both were told that it is theirs
    pair.deliver()
    assert pair.agree()
    assert [tenants(pair, r, "get", tenant="acme")["home_region"] for r in pair.regions] == [other.name] * 2
    again = tenants(pair, one, "create", name="acme")
    assert again.get("errorType") == "Conflict" and "taken" in again["errorMessage"]  # in both from now on
    assert refused_by(tenants(pair, one, "change", tenant="acme", status="suspended"), other.name)  # and it has one home


def test_a_tenant_is_changed_at_home_only_so_that_no_change_is_lost(pair):
    one, other = pair.regions
    tenants(pair, one, "create", name="acme")
    pair.deliver()
    assert tenants(pair, one, "change", tenant="acme", status="suspended")["status"] == "suspended"
    assert refused_by(tenants(pair, other, "change", tenant="acme", quotas={"datasets": 7}), one.name)
    pair.deliver()
    assert pair.agree()
    assert refused_by(tenants(pair, other, "change", tenant="acme", quotas={"datasets": 7}), one.name)
    assert tenants(pair, one, "change", tenant="acme", quotas={"datasets": 7})["status"] == "suspended"
    pair.deliver()
    stands = tenants(pair, other, "get", tenant="acme")
    assert stands["status"] == "suspended" and stands["quotas"] == {"datasets": 7}


def test_a_tenant_deleted_at_home_stays_deleted_whatever_others_ask_for(pair):
    one, other = pair.regions
    tenants(pair, one, "create", name="acme")
    key = keys(pair, one, "issue", tenant="acme", scopes=["ingest"])["key"]
    pair.deliver()
    assert tenants(pair, one, "delete", tenant="acme")["keys_revoked"] == 1
    assert refused_by(tenants(pair, other, "change", tenant="acme", quotas={"datasets": 7}), one.name)
    assert refused_by(tenants(pair, other, "delete", tenant="acme"), one.name)
    assert refused_by(keys(pair, other, "issue", tenant="acme", scopes=["ingest"]), one.name)
    pair.deliver()
    assert pair.agree()
    for region in pair.regions:
        assert tenants(pair, region, "get", tenant="acme")["status"] == "deleted"
        assert knock(pair, region, key) == "Unauthorized"


def test_keys_are_issued_and_revoked_at_home_only(pair):
    one, other = pair.regions
    tenants(pair, one, "create", name="acme")
    issued = keys(pair, one, "issue", tenant="acme", scopes=["ingest"])
    pair.deliver()
    assert refused_by(keys(pair, other, "issue", tenant="acme", scopes=["ingest"]), one.name)
    assert refused_by(keys(pair, other, "revoke", tenant="acme", key_id=issued["id"]), one.name)
    assert len(keys(pair, other, "list", tenant="acme")["keys"]) == 1 and knock(pair, other, issued["key"]) == "Allow"
    assert keys(pair, one, "revoke", tenant="acme", key_id=issued["id"])["id"] == issued["id"]
    pair.deliver()
    assert pair.agree() and knock(pair, other, issued["key"]) == "Unauthorized"


def test_records_go_home_or_to_the_standby_and_nowhere_else(pair):
    one, other = pair.regions
    assert batch(pair, other, home="ap-south-1")[0] == 421 and frames(other) == 0
    assert batch(pair, one, home=other.name)[0] == 421 and frames(one) == 0  # which stands in for nobody
    assert batch(pair, other, home=one.name) == (200, False)


def test_a_key_works_elsewhere_once_it_has_arrived_and_no_longer_once_its_revocation_has(pair):
    one, other = pair.regions
    tenants(pair, one, "create", name="acme")
    pair.deliver()
    issued = keys(pair, one, "issue", tenant="acme", scopes=["ingest"])
    assert (knock(pair, one, issued["key"]), knock(pair, other, issued["key"])) == ("Allow", "Unauthorized")
    pair.deliver()
    assert knock(pair, other, issued["key"]) == "Allow"
    keys(pair, one, "revoke", tenant="acme", key_id=issued["id"])
    assert (knock(pair, one, issued["key"]), knock(pair, other, issued["key"])) == ("Unauthorized", "Allow")
    pair.deliver()
    assert knock(pair, other, issued["key"]) == "Unauthorized" and pair.agree()


def test_items_of_one_transaction_arrive_one_by_one(pair):
    one, other = pair.regions
    tenants(pair, one, "create", name="acme")
    pair.deliver()
    issued = keys(pair, one, "issue", tenant="acme", scopes=["ingest"])
    pair.deliver(1)
    listed = keys(pair, other, "list", tenant="acme")
    assert knock(pair, other, issued["key"]) == "Allow" and issued["id"] not in json.dumps(listed)  # it works before it is listed
    pair.deliver()
    assert issued["id"] in json.dumps(keys(pair, other, "list", tenant="acme"))


def test_a_suspension_holds_elsewhere_once_it_has_arrived(pair):
    one, other = pair.regions
    tenants(pair, one, "create", name="acme")
    key = keys(pair, one, "issue", tenant="acme", scopes=["ingest"])["key"]
    pair.deliver()
    tenants(pair, one, "change", tenant="acme", status="suspended")
    assert (knock(pair, one, key), knock(pair, other, key)) == ("Deny", "Allow")
    pair.deliver()
    assert knock(pair, other, key) == "Deny"


def test_a_batch_repeated_elsewhere_before_its_claim_arrives_is_stored_twice(pair):
    one, other = pair.regions
    assert batch(pair, one) == (200, False)
    assert batch(pair, other) == (200, False)
    assert frames(one) > 0 and frames(other) > 0
    pair.deliver()
    assert pair.agree()
    before = frames(one), frames(other)
    assert [batch(pair, region) for region in pair.regions] == [(200, True)] * 2
    assert (frames(one), frames(other)) == before


def test_a_batch_repeated_elsewhere_after_its_claim_has_arrived_is_stored_once(pair):
    one, other = pair.regions
    assert batch(pair, one) == (200, False)
    pair.deliver()
    assert batch(pair, other) == (200, True) and frames(other) == 0
    assert batch(pair, other, key="k2") == (200, False)


def test_a_claim_whose_outcome_does_not_arrive_is_taken_over_when_its_lease_is_over(pair):
    """The home region is lost between the two. Whether it has stored the batch, nobody can know elsewhere."""
    one, other = pair.regions
    lease = {"PRISM_INGEST_LEASE_S": "6"}
    assert batch(pair, one, **lease) == (200, False)
    pair.deliver(1)  # the claim, not what became of it
    status, _ = batch(pair, other, **lease)
    assert status == 409 and frames(other) == 0
    wait(lambda: batch(pair, other, **lease) == (200, False), seconds=60, every=0.5)
    assert frames(one) > 0 and frames(other) > 0  # twice
    pair.deliver()  # the lost region is back: its older outcome gives way
    assert pair.agree()
    assert [batch(pair, region) for region in pair.regions] == [(200, True)] * 2


def test_the_suite_of_tables_passes_on_this_emulator_too(endpoints):
    """A second implementation of DynamoDB that nobody here wrote, beside moto."""
    subprocess.run([ROOT / "tools" / "build", PRESET, "--target", "test_store_tables"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([ROOT / "build" / PRESET / "bin" / "test_store_tables"], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PRISM_TEST_DYNAMODB": endpoints[0]})
    assert done.returncode == 0, done.stdout + done.stderr
