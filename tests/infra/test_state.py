"""State: one per stack, in S3, with S3's own lock."""

import json

import kit
import pytest


@pytest.fixture(scope="module", autouse=True)
def stacks(applied):
    for name in ("global", *kit.REGIONS):
        applied.applied(name)


def test_every_stack_has_a_state_of_its_own(aws):
    keys = {o["Key"] for o in aws("s3").list_objects_v2(Bucket=kit.STATE_BUCKET)["Contents"] if not o["Key"].endswith(".tflock")}
    assert keys >= {f"prism/prod/{name}.tfstate" for name in ("global", *kit.REGIONS)}


@pytest.mark.parametrize("name", kit.REGIONS)
def test_a_regions_state_holds_nothing_of_another_stack(aws, name):
    """No terraform_remote_state, and no provider but the region's."""
    state = json.loads(aws("s3").get_object(Bucket=kit.STATE_BUCKET, Key=f"prism/prod/{name}.tfstate")["Body"].read())
    assert not [r for r in state["resources"] if r["type"] == "terraform_remote_state"]
    for file in (kit.ROOT / "infra").rglob("*.tf"):
        assert "terraform_remote_state" not in file.read_text(), file


def test_a_foreign_lock_is_respected(applied, aws):
    """Two who apply at the same time: the second is refused, says who holds the lock, and changes nothing."""
    stack = applied.applied("global")
    lock = f"prism/prod/{stack.name}.tfstate.tflock"
    aws("s3").put_object(Bucket=kit.STATE_BUCKET, Key=lock, Body=json.dumps(
        {"ID": "6c1c1f6e-0000-0000-0000-000000000000", "Operation": "OperationTypeApply", "Info": "", "Who": "somebody@elsewhere", "Version": "1.11.4",
         "Created": "2026-01-01T00:00:00Z", "Path": f"{kit.STATE_BUCKET}/prism/prod/{stack.name}.tfstate"}).encode())
    try:
        done = stack.run("apply", "-no-color", "-auto-approve", "-refresh=false", "-lock-timeout=0s", *stack.var_files, check=False)
        assert done.returncode == 1 and "Error acquiring the state lock" in done.stdout and "somebody@elsewhere" in done.stdout
    finally:
        aws("s3").delete_object(Bucket=kit.STATE_BUCKET, Key=lock)
    assert "No changes" in stack.run("plan", "-no-color", "-refresh=false", *stack.var_files).stdout
    left = aws("s3").list_objects_v2(Bucket=kit.STATE_BUCKET, Prefix="prism/prod/global")["Contents"]
    assert [o["Key"] for o in left] == ["prism/prod/global.tfstate"], "the plan gave its own lock back"
