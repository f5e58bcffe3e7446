"""The DynamoDB of two regions: two emulators that know nothing of each other, and a replicator between them that does what
global tables do (eventual consistency, MREC): whole items, the last write wins, no word of who lost. How late it is, the test
says: a write is taken from the region's stream at once, with its place in the order of all, and arrives when it is delivered.

The emulator is MiniStack, which has Streams."""

import collections
import contextlib
import os
import subprocess
import time
import urllib.request

import boto3

from conftest import ROOT, free_port
from runtime_kit import KEY, SECRET, Surroundings

TABLES = ("tenants", "keys", "tenant_keys", "idempotency", "shards", "audit", "audit_heads", "usage")  # as platform/functions.json has them
PREFIX = "prism-dev"


@contextlib.contextmanager
def emulator(services="dynamodb,dynamodbstreams"):
    """Its URL, on loopback only."""
    found = subprocess.run([ROOT / "tools" / "setup", "--path", "venv-ministack"], capture_output=True, text=True)
    assert found.returncode == 0, "MiniStack is missing: run tools/setup test"
    python, port = f"{found.stdout.strip()}/bin/python", free_port()
    env = {"PATH": os.environ["PATH"], "SERVICES": services, "GATEWAY_PORT": str(port), "HOME": os.environ.get("HOME", "/")}
    process = subprocess.Popen([python, "-m", "hypercorn", "ministack.app:app", "--bind", f"127.0.0.1:{port}"], env=env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            assert process.poll() is None, "the emulator ended"
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5).close()
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


class Region:
    def __init__(self, name, url, folder, secrets, stands_in_for=""):
        self.name, self.url, self.folder, self.secrets, self.stands_in_for = name, url, folder, secrets, stands_in_for
        folder.mkdir()
        options = {"endpoint_url": url, "region_name": name, "aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        self.dynamodb, self.streams = boto3.client("dynamodb", **options), boto3.client("dynamodbstreams", **options)
        self.iterators, self.functions = {}, {}
        for table in TABLES:
            made = self.dynamodb.create_table(
                TableName=f"{PREFIX}-{table}", BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in ("pk", "sk")],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
            arn = made["TableDescription"]["LatestStreamArn"]
            shard = self.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
            self.iterators[table] = self.streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]

    def written(self):
        """What was written since the last time: (table, key, item or None), in order."""
        found = []
        for table in TABLES:
            while True:
                answer = self.streams.get_records(ShardIterator=self.iterators[table])
                self.iterators[table] = answer["NextShardIterator"]
                found += [(table, r["dynamodb"]["Keys"], r["dynamodb"].get("NewImage")) for r in answer["Records"]]
                if not answer["Records"]:
                    break
        return found

    def apply(self, table, key, item):
        if item is None:
            self.dynamodb.delete_item(TableName=f"{PREFIX}-{table}", Key=key)
        else:
            self.dynamodb.put_item(TableName=f"{PREFIX}-{table}", Item=item)

    def function(self, name, **env):
        if name not in self.functions:
            self.functions[name] = Surroundings().start(
                name, self.folder, PRISM_TABLES_URL=f"dynamodb://{PREFIX}", AWS_ENDPOINT_URL_DYNAMODB=self.url, AWS_REGION=self.name,
                PRISM_REGION=self.name, PRISM_STANDS_IN_FOR=self.stands_in_for, PRISM_SECRETS_URL=str(self.secrets), PRISM_TRACES_URL="", **env)
        return self.functions[name]

    def close(self):
        for function in self.functions.values():
            function.close()


Change = collections.namedtuple("Change", "stamp source table key item")


class Pair:
    """Two regions, and what is under way between them."""

    def __init__(self, one, other):
        self.regions = (one, other)
        self.stamps = {one.name: {}, other.name: {}}  # of the write that stands there
        self.pending, self.clock = [], 0

    @staticmethod
    def name_of(table, key):
        return table, key["pk"]["S"], key["sk"]["S"]

    def ask(self, region, function, event, **env):
        """Invoke a function there; what it writes gets its place in the order now, and arrives with deliver()."""
        answer = region.function(function, **env).invoke(event, trace="")
        for table, key, item in region.written():
            self.clock += 1
            self.stamps[region.name][self.name_of(table, key)] = self.clock
            self.pending.append(Change(self.clock, region, table, key, item))
        return answer

    def deliver(self, count=None):
        """The oldest `count` changes, or all. A change that is older than what stands there is dropped."""
        due, self.pending = self.pending[:count], self.pending[len(self.pending) if count is None else count:]
        for change in due:
            there = self.regions[1] if change.source is self.regions[0] else self.regions[0]
            stamps, name = self.stamps[there.name], self.name_of(change.table, change.key)
            if change.stamp > stamps.get(name, 0):
                stamps[name] = change.stamp
                there.apply(change.table, change.key, change.item)
        for region in self.regions:
            region.written()  # what was applied is not sent back

    def agree(self):
        """Both regions hold the same items."""
        contents = []
        for region in self.regions:
            contents.append({(table, item["pk"]["S"], item["sk"]["S"]): item for table in TABLES
                             for item in region.dynamodb.scan(TableName=f"{PREFIX}-{table}", ConsistentRead=True)["Items"]})
        return contents[0] == contents[1]
