"""The secrets' suite, which ctest runs in a directory, once more in Secrets Manager as moto has it."""

from emulator_kit import all_passed, build_suite, emulator, run_suite


def test_the_suite_of_secrets_passes_in_secrets_manager():
    suite = build_suite("test_store_secrets")
    with emulator() as port:
        done = run_suite(suite, PRISM_TEST_SECRETS=f"http://127.0.0.1:{port}")
    assert all_passed(done, at_least=10)
