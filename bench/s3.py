"""Objects put to and got from S3 as moto has it: what Prism's store, boto3 and the AWS CLI spend on it themselves. The emulator is slower
than all of them, so that the figure is the client's own CPU: objects, or MB, a core and second. The CLI moves a folder (`aws s3 cp --recursive`),
and its start, which takes longer than many objects, is not counted. Needs tools/setup infra bench."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from conftest import ROOT
from emulator_kit import emulator, venv_python
from measure import BUILD, arguments, table

BOTO3 = pathlib.Path(__file__).with_name("s3_boto3.py")
SIZES = [("1 KiB", 1 << 10, 1000), ("64 KiB", 64 << 10, 1000), ("1 MiB", 1 << 20, 200), ("32 MiB, in parts", 32 << 20, 6)]
WHO = ("prism", "boto3", "aws")


def run(*command):
    done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return done["cpu_s"], done["peak_kib"]


class Cli:
    def __init__(self, folder):
        found = subprocess.run([ROOT / "tools" / "setup", "--path", "venv-awscli"], capture_output=True, text=True)
        assert found.returncode == 0, "the AWS CLI is missing: run tools/setup bench"
        self.aws, self.folder = f"{found.stdout.strip()}/bin/aws", folder

    def copy(self, mode, count, size):
        """(CPU seconds, peak KiB) of a whole process that moves so many."""
        here, there = self.folder / f"{count}-{size}", f"s3://bench/aws/{count}-{size}/"
        if mode == "put":
            shutil.rmtree(here, ignore_errors=True)
            here.mkdir()
            for i in range(count):
                (here / f"{i:08d}").write_bytes(b"x" * size)
        into = self.folder / "got"
        shutil.rmtree(into, ignore_errors=True)
        way = [here, there] if mode == "put" else [there, into]
        process = subprocess.Popen([self.aws, "s3", "cp", "--recursive", "--only-show-errors", *way], stdout=subprocess.DEVNULL)
        _, status, use = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        if mode == "get":
            assert sum(path.stat().st_size for path in into.iterdir()) == count * size
        return use.ru_utime + use.ru_stime, use.ru_maxrss

    def measure(self, mode, count, size):
        start, _ = self.copy(mode, 1, 1)
        cpu, peak = self.copy(mode, count, size)
        return max(cpu - start, 1e-3), peak


def main():
    args = arguments(runs=2)
    with emulator() as port, tempfile.TemporaryDirectory() as folder:
        endpoint = f"http://127.0.0.1:{port}"
        os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_REGION="eu-central-1", AWS_DEFAULT_REGION="eu-central-1",
                          AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_CONFIG_FILE="/nonexistent")
        subprocess.run([venv_python(), "-c", f"import boto3; boto3.client('s3', endpoint_url='{endpoint}', region_name='us-east-1')"
                        ".create_bucket(Bucket='bench')"], check=True)
        cli, rows = Cli(pathlib.Path(folder)), []
        for name, size, count in SIZES:
            for mode in "put", "get":
                ways = {"prism": lambda: run(BUILD / "bench" / "objects", mode, "s3://bench/prism", str(count), str(size)),
                        "boto3": lambda: run(venv_python(), BOTO3, mode, endpoint, str(count), str(size)),
                        "aws": lambda: cli.measure(mode, count, size)}
                best = {}
                for who in WHO:
                    runs = [ways[who]() for _ in range(args.runs)]
                    best[who] = (min(cpu for cpu, _ in runs), min(peak for _, peak in runs))
                each = {who: count / best[who][0] for who in WHO}
                rows.append([f"{mode} {name}", *(f"{each[who]:,.0f}/s, {each[who] * size / 1e6:,.1f} MB/s" for who in WHO),
                             *(f"{each['prism'] / each[who]:.1f}" for who in WHO[1:]), *(f"{best[who][1] / 1024:.0f} MiB" for who in WHO)])
        table(["a core and second", "Prism", "boto3", "AWS CLI", "to boto3", "to AWS CLI", "peak memory", "of boto3", "of AWS CLI"], rows)


main()
