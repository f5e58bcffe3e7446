"""The suites of the metadata store and of the catalog, which ctest runs on SQLite, once more on a real PostgreSQL 15 over TLS.

The suites are the unit tests' own programs, of the build that is under test."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time

import pytest

import postgres_server
import rds_proxy
from conftest import PRISM, ROOT
from name_server import NameServer

PRESET = os.environ.get("PRISM_BUILD", "release").replace("release", "dev")  # release has no unit tests
FAULTS = "test_store_meta_pg"
SUITES = ["test_store_meta", "test_store_migrate", "test_svc_catalog_catalog", "test_svc_catalog_catalog_processes", "test_svc_catalog_datasets"]


@pytest.fixture(scope="module")
def programs():
    subprocess.run([ROOT / "tools" / "build", PRESET, "--target", *SUITES, FAULTS], check=True, stdout=subprocess.DEVNULL)
    return ROOT / "build" / PRESET / "bin"


@pytest.fixture(scope="module")
def postgres():
    with postgres_server.server() as server:
        yield server


def run(program, url, tests="*", **env):
    done = subprocess.run([program, tests], env={**os.environ, "PRISM_TEST_POSTGRES": url, **env}, capture_output=True, text=True, timeout=600)
    sys.stdout.write(done.stdout + done.stderr)
    return done


def ran(done):
    return int(re.search(r"Running (\d+) test", done.stdout)[1])


@pytest.mark.parametrize("suite", SUITES)
def test_the_suite_passes_on_postgresql(programs, postgres, suite):
    done = run(programs / suite, postgres.url())
    assert done.returncode == 0
    assert ran(done) >= 2 and "FAILED" not in done.stdout + done.stderr


def test_faults_of_the_server_and_of_the_way_to_it(programs, postgres):
    postgres_server.make_ca(postgres.folder, "other")
    done = run(programs / FAULTS, postgres.url(), PRISM_TEST_POSTGRES_OTHER_CA=str(postgres.folder / "other.pem"))
    assert done.returncode == 0
    assert ran(done) >= 17 and "FAILED" not in done.stdout + done.stderr


class Writer:
    """The test that writes while a server is killed, as a process."""

    def __init__(self, programs, folder, **env):
        self.progress, self.out = folder / "progress", open(folder / "out", "w+")
        self.program = subprocess.Popen([programs / FAULTS, "kills_*"], stdout=self.out, stderr=self.out,
                                        env={**os.environ, "PRISM_TEST_POSTGRES_PROGRESS": str(self.progress), **env})

    def await_progress(self, at):
        while self.program.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                if int(self.progress.read_text()) >= at:
                    return
            time.sleep(0.01)

    def cut(self):
        """How many of its transactions were; it has ended well."""
        self.program.wait(300)
        self.out.seek(0)
        said = self.out.read()
        assert self.program.returncode == 0, said
        return int(re.search(r"(\d+) transactions were cut", said)[1])


def test_a_killed_server_loses_and_doubles_nothing(programs, tmp_path):
    with postgres_server.server() as server:
        writer = Writer(programs, tmp_path, PRISM_TEST_POSTGRES=server.url())
        for at in 50, 150, 250, 350:
            writer.await_progress(at)
            server.kill()
            server.start()
        assert writer.cut() <= 4


def test_a_failover_to_a_standby_loses_and_doubles_nothing(programs, tmp_path):
    """First the name leads to a standby that does not write, then that one becomes the primary, whose old one is gone."""
    with postgres_server.server(settings=["wal_level = replica"]) as primary:
        standby = postgres_server.Standby(primary)
        switch = postgres_server.Switch(primary.port)
        try:
            writer = Writer(programs, tmp_path, PRISM_TEST_POSTGRES=primary.url(port=switch.port), PRISM_TEST_POSTGRES_ADMIN=primary.url())
            writer.await_progress(100)
            switch.to = standby.port
            primary.kill()
            time.sleep(1)  # of a server that answers and does not write
            standby.promote()
            assert writer.cut() <= 1
            last = standby.sql("SELECT max(datname) FROM pg_database WHERE datname LIKE 'prism-test-%'")
            assert standby.sql("SELECT count(*), max(value) FROM people, sums WHERE id <= 400", database=last) == "400|400"
        finally:
            switch.close()
            standby.end()


CREDENTIALS, AWS_REGION = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), "eu-central-1"  # of tests/unit/aws/reach.h


@contextlib.contextmanager
def trusting(postgres):
    """Who comes from this machine without TLS is let in: the stand-in of RDS Proxy has looked at it."""
    hba = postgres.data / "pg_hba.conf"
    rules = hba.read_text()
    try:
        hba.write_text("hostnossl all all 127.0.0.1/32 trust\n" + rules)
        postgres.sql("SELECT pg_reload_conf()")
        yield
    finally:
        hba.write_text(rules)
        postgres.sql("SELECT pg_reload_conf()")


def proxy_for(postgres, certificate, host):
    return rds_proxy.Proxy(("127.0.0.1", postgres.port), postgres.folder / f"{certificate}.pem", postgres.folder / f"{certificate}.key", host,
                           CREDENTIALS, AWS_REGION)


def url_by_token(postgres, host, port):
    return f"postgresql://{postgres.account}@{host}:{port}/%s?iam=1&sslrootcert={postgres.folder}/ca.pem"


@pytest.mark.parametrize("suite", ["test_store_meta", "test_svc_catalog_catalog"])
def test_the_suite_passes_by_iam_token_and_leaves_nothing_in_a_session(programs, postgres, suite):
    """Through a stand-in of RDS Proxy, to a server that trusts it."""
    with trusting(postgres):
        proxy = proxy_for(postgres, "server", "localhost")
        done = run(programs / suite, url_by_token(postgres, "localhost", proxy.port), PRISM_TEST_POSTGRES_ADMIN=postgres.url())
        proxy.close()
    assert done.returncode == 0 and "FAILED" not in done.stdout + done.stderr
    assert proxy.tokens >= ran(done) - 1 and proxy.refused == [] and proxy.pins == []


@pytest.mark.skipif(os.getuid() != 0, reason="a name server of its own needs root")
def test_a_private_name_is_followed_to_the_one_of_rds(programs, postgres, tmp_path):
    """Certificate and token are for that one: not for the private name, and not for what it leads on to."""
    own = "prism.proxy-1.eu-central-1.rds.amazonaws.com"
    postgres_server.make_certificate(postgres.folder, "ca", "rds", own)
    names = NameServer({"proxy.dev.prism.internal": "catalog.prism.internal", "catalog.prism.internal": own, own: "vpce-1.elb.amazonaws.com",
                        "vpce-1.elb.amazonaws.com": "127.0.0.1"})
    with trusting(postgres):
        proxy = proxy_for(postgres, "rds", own)
        command = names.around(tmp_path, programs / SUITES[0], "values_of_*")
        env = {**os.environ, "PRISM_TEST_POSTGRES": url_by_token(postgres, "proxy.dev.prism.internal", proxy.port),
               "PRISM_TEST_POSTGRES_ADMIN": postgres.url()}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        proxy.close()
    names.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert proxy.tokens >= 1 and proxy.refused == [] and ("proxy.dev.prism.internal", 1) in names.asked


def test_tables_are_migrated_by_many_at_once(postgres):
    postgres.sql("CREATE DATABASE migrated TEMPLATE template0")
    env = {**os.environ, "PRISM_META_URL": postgres.url("migrated")}

    def migrate(*options):
        return subprocess.Popen([PRISM, "migrate", "--json", *options], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def said(program):
        out, err = program.communicate(timeout=120)
        return program.returncode, json.loads(out), err

    code, before, _ = said(migrate("--status"))
    adding = [step for step in before["steps"] if step["kind"] != "contract"]
    assert code == 4 and before["pending"] == len(adding) > 0
    all_of_them = [said(program) for program in [migrate() for _ in range(8)]]
    assert all(code == 0 and answer["pending"] == 0 for code, answer, _ in all_of_them), all_of_them
    assert postgres.sql("SELECT count(*), count(DISTINCT number) FROM schema_steps", database="migrated") == "{0}|{0}".format(len(adding))
    contracted = [said(program) for program in [migrate("--contract") for _ in range(4)]]
    assert all(code == 0 and answer["contract_pending"] == 0 for code, answer, _ in contracted), contracted
    code, after, _ = said(migrate("--status"))
    assert code == 0 and {step["state"] for step in after["steps"]} == {"applied"}
    refused = subprocess.run([PRISM, "migrate", "--meta", postgres.url("migrated", password="geheim")], capture_output=True, text=True)
    assert refused.returncode == 1 and "password authentication failed" in refused.stderr and "geheim" not in refused.stderr
