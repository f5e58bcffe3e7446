"""Cold start of ZIP functions, exec to first answer, beside the same function in Rust (lambda_runtime) and Go
(aws-lambda-go), taking turns under one bare Runtime API server (bench/coldstart.c)."""

import json
import pathlib
import subprocess
import sys

from measure import BUILD, ROOT, arguments, scratch, setup_path


def reference(name):
    home = setup_path("reference-" + name)
    return home / "bootstrap" if home else None


def main():
    args = arguments(runs=40)
    with scratch() as folder:
        event = pathlib.Path(folder) / "event.json"
        event.write_text(json.dumps({
            "resource": "/v1/logs", "path": "/v1/logs", "httpMethod": "POST", "headers": {"Content-Type": "application/json"},
            "multiValueHeaders": {"Content-Type": ["application/json"]}, "queryStringParameters": None, "pathParameters": None,
            "requestContext": {"requestId": "r", "stage": "v1", "resourcePath": "/v1/logs", "httpMethod": "POST", "path": "/v1/logs", "identity": {"sourceIp": "127.0.0.1"},
                               "authorizer": {"tenant": "acme", "scopes": "ingest", "key_id": "k", "epoch": "1"}},
            "body": "e30=", "isBase64Encoded": True}))
        functions = [f"ingest={BUILD}/fn/ingest/bootstrap"]
        for name in ("rust", "go"):
            path = reference(name)
            if path:
                functions.append(f"{name}={path}")
            else:
                print(f"(no {name} reference: tools/setup bench builds it)", file=sys.stderr)
        env = [f"--env=PRISM_HOT_URL={folder}/hot", f"--env=PRISM_TABLES_URL={folder}/tables.db", f"--env=PRISM_META_URL={folder}/meta.db"]
        subprocess.run([BUILD / "bench" / "coldstart", f"--runs={args.runs}", *env, event, *functions], check=True)


main()
