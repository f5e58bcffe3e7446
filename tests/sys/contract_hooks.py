"""What schemathesis has to know of the contract's media types, and nothing of its answers. It runs in an environment of its own."""

import json

import schemathesis
from hypothesis import strategies

NAMES = strategies.from_regex(r"\A[a-z][a-z0-9_]{0,9}\Z")
VALUES = strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats(allow_nan=False, allow_infinity=False) | strategies.text(max_size=20)
RECORDS = strategies.lists(strategies.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=5)


def lines(records):
    return "".join(json.dumps(r) + "\n" for r in records).encode()


schemathesis.openapi.media_type("application/x-ndjson", RECORDS.map(lines))
schemathesis.openapi.media_type("application/x-protobuf", strategies.binary(max_size=200))


@schemathesis.deserializer("application/x-ndjson", "application/x-protobuf", "text/csv", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet")
def text_of(ctx, response):
    return response.content.decode("latin-1")
