"""Every example of an OpenAPI 3.0 file against its schema: `contract_examples.py FILE` prints those that do not fit. It runs in schemathesis's
environment, which has a validator."""

import json
import sys

import jsonschema_rs

document = json.load(open(sys.argv[1]))
count = 0


def check(place, schema, example):
    global count
    count += 1
    # References start at the root, so the root is the schema's own document.
    validator = jsonschema_rs.Draft4Validator({"allOf": [schema], "components": document["components"]})
    for error in validator.iter_errors(example):
        print(f"{place}: {error.message}")


def walk(place, node):
    if isinstance(node, list):
        for i, item in enumerate(node):
            walk(f"{place}[{i}]", item)
    elif isinstance(node, dict):
        if "schema" in node and "example" in node:
            check(place, node["schema"], node["example"])
        elif "example" in node and not place.endswith((".properties", ".example")):
            check(place, node, node["example"])
        for key, value in node.items():
            if key not in ("example", "enum", "default"):
                walk(f"{place}.{key}", value)


walk("paths", document["paths"])
walk("components", document["components"])
print(f"{count} examples", file=sys.stderr)
