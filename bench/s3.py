"""Objects put to and got from S3 as moto has it: what Prism's store and boto3 spend on it themselves. The emulator is slower than both,
so that the figure is the client's own CPU: objects, or MB, a core and second. Needs tools/setup infra."""

import json
import os
import pathlib
import subprocess

from emulator_kit import emulator, venv_python
from measure import BUILD, arguments, table

BOTO3 = pathlib.Path(__file__).with_name("s3_boto3.py")
SIZES = [("1 KiB", 1 << 10, 1000), ("64 KiB", 64 << 10, 1000), ("1 MiB", 1 << 20, 200), ("32 MiB, in parts", 32 << 20, 6)]


def run(*command):
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    args = arguments(runs=2)
    with emulator() as port:
        endpoint = f"http://127.0.0.1:{port}"
        os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_REGION="eu-central-1", AWS_DEFAULT_REGION="eu-central-1",
                          AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
        subprocess.run([venv_python(), "-c", f"import boto3; boto3.client('s3', endpoint_url='{endpoint}', region_name='us-east-1')"
                        ".create_bucket(Bucket='bench')"], check=True)
        rows = []
        for name, size, count in SIZES:
            for mode in "put", "get":
                best = {}
                for who, command in (("prism", [BUILD / "bench" / "objects", mode, "s3://bench/prism"]),
                                     ("boto3", [venv_python(), BOTO3, mode, endpoint])):
                    runs = [run(*command, str(count), str(size)) for _ in range(args.runs)]
                    best[who] = (min(r["cpu_s"] for r in runs), min(r["peak_kib"] for r in runs))
                each = [count / best[who][0] for who in ("prism", "boto3")]
                megabytes = [n * size / 1e6 for n in each]
                rows.append([f"{mode} {name}", *(f"{n:,.0f}/s, {m:,.1f} MB/s" for n, m in zip(each, megabytes)), f"{each[0] / each[1]:.1f}",
                             *(f"{best[who][1] / 1024:.0f} MiB" for who in ("prism", "boto3"))])
        table(["a core and second", "Prism", "boto3", "ratio", "peak memory", "of boto3"], rows)


main()
