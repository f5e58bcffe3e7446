"""The tables' suite, which ctest runs on SQLite, once more on DynamoDB as moto has it, without and with TLS."""

import pytest

from emulator_kit import all_passed, build_suite, emulator, run_suite


@pytest.fixture(scope="module")
def suite():
    return build_suite("test_store_tables")


def run(suite, endpoint, ca_file="", tests="*"):
    return run_suite(suite, tests, PRISM_TEST_DYNAMODB=endpoint, PRISM_TEST_CA_FILE=str(ca_file))


def test_the_suite_of_tables_passes_on_dynamodb(suite):
    with emulator() as port:
        done = run(suite, f"http://127.0.0.1:{port}")
    assert all_passed(done, at_least=13)


def test_the_service_is_trusted_by_its_certificate_alone(suite, tmp_path):
    ca_file = tmp_path / "ca.pem"
    with emulator(str(ca_file)) as port:
        trusted = run(suite, f"https://localhost:{port}", ca_file, "an_item_comes_back*")
        unknown = run(suite, f"https://localhost:{port}", "", "an_item_comes_back*")
        other_name = run(suite, f"https://127.0.0.1:{port}", ca_file, "an_item_comes_back*")
    assert trusted.returncode == 0
    for refused in unknown, other_name:
        assert refused.returncode != 0 and "UNAVAILABLE: dynamodb CreateTable" in refused.stderr and "TLS failed" in refused.stderr


def test_placement_keeps_its_bounds_on_dynamodb():
    placement = build_suite("test_svc_sharding_placement")
    with emulator() as port:
        done = run(placement, f"http://127.0.0.1:{port}")
    assert all_passed(done, at_least=14)


def test_the_audit_log_is_the_same_on_dynamodb():
    audit = build_suite("test_svc_audit_audit")
    with emulator() as port:
        done = run(audit, f"http://127.0.0.1:{port}")
    assert all_passed(done, at_least=16)


@pytest.mark.parametrize("tests", ["a_day_is_spent*", "what_was_not_used*", "processes_that_count*"])
def test_days_are_counted_the_same_on_dynamodb(tests):
    days = build_suite("test_svc_quota_days")
    with emulator() as port:
        done = run(days, f"http://127.0.0.1:{port}", tests=tests)
    assert all_passed(done, at_least=1)
