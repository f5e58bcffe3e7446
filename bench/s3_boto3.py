"""What bench/objects does, by boto3: python s3_boto3.py put|get ENDPOINT COUNT BYTES. One process, one thread of ours; boto3 has threads
for parts."""

import io
import json
import pathlib
import re
import resource
import sys
import time

import boto3


def cpu_seconds():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def peak_kib():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def main():
    mode, endpoint, count, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    s3 = boto3.client("s3", endpoint_url=endpoint)
    body = b"x" * size
    large = size > 8 << 20

    def one(i):
        key = f"boto3/{size}/{i:08d}"
        if mode == "put":
            if large:
                s3.upload_fileobj(io.BytesIO(body), "bench", key)
            else:
                s3.put_object(Bucket="bench", Key=key, Body=body)
        elif large:
            into = io.BytesIO()
            s3.download_fileobj("bench", key, into)
            assert into.getbuffer().nbytes == size
        else:
            assert len(s3.get_object(Bucket="bench", Key=key)["Body"].read()) == size

    one(0)  # connections and credentials
    cpu, begin = cpu_seconds(), time.perf_counter()
    for i in range(count):
        one(i)
    wall, cpu = time.perf_counter() - begin, cpu_seconds() - cpu
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_kib": peak_kib()}))


main()
