"""Queries and maintenance over objects in S3 as moto has it: DuckDB reads them by its httpfs extension, with credentials of the
tenant's role. The suites are those that ctest runs on folders."""

import subprocess

import pytest

from conftest import ROOT
from emulator_kit import all_passed, build_suite, emulator, run_suite

ROLE = "arn:aws:iam::123456789012:role/prism-test-tenant"


@pytest.fixture(scope="module")
def environment():
    extensions = subprocess.run([ROOT / "tools" / "setup", "--path", "duckdb-httpfs"], capture_output=True, text=True, check=True)
    with emulator() as port:
        yield {
            "PRISM_TEST_S3": f"http://127.0.0.1:{port}",
            "PRISM_DUCKDB_EXTENSIONS": extensions.stdout.strip(),
            "PRISM_TENANT_ROLE_ARN": ROLE,
        }


@pytest.mark.parametrize("name, at_least", [("svc_query_query", 26), ("svc_storage_storage", 10)])
def test_the_suite_passes_in_s3(environment, name, at_least):
    assert all_passed(run_suite(build_suite(f"test_{name}"), **environment), at_least)


def test_a_query_reads_the_columns_that_it_names(environment):
    done = run_suite(build_suite("test_svc_query_query_s3"), **environment)
    assert all_passed(done, at_least=1) and "is not set" not in done.stdout
