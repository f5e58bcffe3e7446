"""The objects' suite, which ctest runs in a directory, once more in S3 as moto has it, without and with TLS."""

import pytest

from emulator_kit import all_passed, build_suite, emulator, run_suite


@pytest.fixture(scope="module")
def suite():
    return build_suite("test_store_objects")


def test_the_suite_of_objects_passes_in_s3(suite):
    with emulator() as port:
        done = run_suite(suite, PRISM_TEST_S3=f"http://127.0.0.1:{port}")
    assert all_passed(done, at_least=13)


def test_objects_go_over_tls_whole_and_in_parts(suite, tmp_path):
    ca_file = tmp_path / "ca.pem"
    with emulator(str(ca_file)) as port:
        for tests in "an_object_comes_back*", "an_object_of_two_parts*":
            done = run_suite(suite, tests, PRISM_TEST_S3=f"https://localhost:{port}", PRISM_TEST_CA_FILE=str(ca_file))
            assert done.returncode == 0
