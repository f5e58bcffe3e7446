"""The workflow schema-migration and the function `schema`: on a region's SQLite through questions and kills, on PostgreSQL with the
administrator's secret, users for the functions and nobody else who may change tables."""

import contextlib
import json
import os
import pathlib
import sqlite3
import time

import boto3
import pytest

import postgres_server
from conftest import Region
from emulator_kit import emulator
from region_kit import Tree, wait
from schema_kit import MADE_BEFORE
from test_rie import Emulator
from test_workflows import check_history, ended, history, question_of, questions, started


@pytest.fixture
def tree(tmp_path):
    """Of a data folder that the release before has made."""
    tree = Tree(tmp_path)
    machine = tree.tree / "platform" / "workflows" / "schema-migration.asl.json"
    machine.write_text(machine.read_text().replace('"IntervalSeconds": 2', '"IntervalSeconds": 1').replace('"MaxDelaySeconds": 60', '"MaxDelaySeconds": 1'))
    tree.up()
    tree.down()
    for file in tree.data.glob("meta.db*"):
        file.unlink()
    with contextlib.closing(sqlite3.connect(tree.data / "meta.db")) as db:
        db.executescript(MADE_BEFORE)
    tree.up()
    yield tree
    tree.down()


def asked(tree, sql, *values):
    with sqlite3.connect(tree.data / "meta.db", timeout=60) as db:
        return db.execute(sql, values).fetchall()


def output(tree, arn):
    execution = ended(tree, arn)
    assert execution["status"] == "SUCCEEDED", execution
    check_history(history(tree, arn))
    return json.loads(execution["output"])


def test_a_database_of_before_is_migrated_while_functions_run(tree):
    assert tree.ingest("life", [{"n": n} for n in range(10)]).status_code == 200
    tree.run("tick", "seal")
    assert output(tree, started(tree, "schema-migration")) == {"version": 3, "contracted": 0, "contract_pending": 2}
    assert asked(tree, "SELECT number, kind FROM schema_steps ORDER BY number") == [(1, "expand"), (3, "expand")]
    # nothing is taken away before somebody says so, also through a kill
    arn = started(tree, "schema-migration", "first", contract=True)
    question = question_of(tree, arn)["message"]
    assert (question["step"], question["held"]) == (2, "") and "May the contract step be run?" in question["question"]
    tree.kill()
    tree.up()
    assert question_of(tree, arn)["message"]["step"] == 2
    tree.run("workflow", "reject", "first")
    assert output(tree, arn)["contract_pending"] == 2
    assert asked(tree, "SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'") == [(1,)]
    second = started(tree, "schema-migration", "second", contract=True)
    question_of(tree, second)
    tree.run("workflow", "approve", "second")
    assert output(tree, second) == {"version": 3, "contracted": 2, "contract_pending": 0}
    assert asked(tree, "SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'") == [(0,)]
    assert tree.ingest("life", [{"n": n} for n in range(10, 20)]).status_code == 200
    tree.run("tick", "seal")
    assert tree.rows("SELECT count(*) FROM life") == [[20]]
    # functions say so behind their answers
    wait(lambda: {("query", 3), ("storage", 3)} <= set(asked(tree, "SELECT name, knows FROM schema_functions")), seconds=60)
    assert output(tree, started(tree, "schema-migration", contract=True)) == {"version": 3, "contracted": 2, "contract_pending": 0}


def migrated(tree):
    """Nothing was to be done, so it is the functions that made the tables of migrations, when they began; or they are about to."""
    output(tree, started(tree, "schema-migration"))
    wait(lambda: asked(tree, "SELECT 1 FROM sqlite_schema WHERE name = 'schema_functions'"))


def test_functions_that_know_too_little_hold_it_until_it_is_forced(tree):
    migrated(tree)
    asked(tree, "INSERT INTO schema_functions VALUES ('ingest-of-before', 1, ?)", time.time_ns())
    arn = started(tree, "schema-migration", "held", contract=True)
    question_of(tree, arn)
    tree.run("workflow", "approve", "held")
    again = wait(lambda: [q for q in questions(tree) if q["executionArn"] == arn and q["message"]["held"] == "in_use"], seconds=60)[0]["message"]
    assert {"name": "ingest-of-before", "knows": 1} in again["functions"]
    tree.run("workflow", "approve", "held", "--output", '{"action":"force"}')
    assert output(tree, arn)["contracted"] == 2


def test_an_edited_step_is_told_and_goes_on_when_it_is_right_again(tree):
    migrated(tree)
    [(checksum,)] = asked(tree, "SELECT checksum FROM schema_steps WHERE number = 1")
    asked(tree, "UPDATE schema_steps SET checksum = 'x' WHERE number = 1")
    arn = started(tree, "schema-migration", "edited")
    question = question_of(tree, arn)["message"]
    assert question["error"]["Error"] == "CONFIG" and "with another text" in question["error"]["Cause"]
    asked(tree, "UPDATE schema_steps SET checksum = ? WHERE number = 1", checksum)
    tree.run("workflow", "approve", "edited")
    assert output(tree, arn)["version"] == 3
    asked(tree, "UPDATE schema_steps SET checksum = 'x' WHERE number = 1")
    arn = started(tree, "schema-migration", "stopped")
    question_of(tree, arn)
    tree.run("workflow", "reject", "stopped")
    execution = ended(tree, arn)
    assert (execution["status"], execution["error"]) == ("FAILED", "SchemaMigrationFailed")


# ---- PostgreSQL ----


@pytest.fixture(scope="module")
def postgres():
    with postgres_server.server() as server:
        server.sql("CREATE ROLE rds_iam")  # as RDS has it
        yield server


@pytest.fixture(scope="module")
def aws():
    with emulator() as port:
        yield f"http://127.0.0.1:{port}"


def test_the_workflow_makes_the_tables_of_a_region_in_postgresql(postgres, aws, tmp_path):
    postgres.sql("CREATE DATABASE fresh TEMPLATE template0")
    region = Region(tmp_path / "data", env={"PRISM_META_URL": postgres.url("fresh"), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                                            "AWS_REGION": "eu-central-1"})
    region.up_options = ["--aws-endpoint", aws]
    region.up()
    try:  # by the socket: on a busy machine the emulator may take longer than the authorizer has
        done = region.run("workflow", "start", "schema-migration", "--wait", "--socket", "--input", "{}")
        assert json.loads(done.stdout)["version"] == 3
        assert postgres.sql("SELECT count(*) FROM schema_steps WHERE number = 1", database="fresh") == "1"
        done = region.run("workflow", "start", "schema-migration", "--wait", "--socket", "--input", "{}")
        assert json.loads(done.stdout) == {"version": 3, "contracted": 0, "contract_pending": 2}
    finally:
        region.down()


def test_the_function_signs_in_by_the_administrator_s_secret_and_makes_users_without_its_rights(postgres, aws, tmp_path):
    postgres.sql("CREATE DATABASE users TEMPLATE template0")
    secret = "rds!cluster-0f1e2d3c"
    boto3.client("secretsmanager", endpoint_url=aws, region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test").create_secret(
        Name=secret, SecretString=json.dumps({"username": postgres.account, "password": postgres_server.PASSWORD}))
    env = {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "schema", "PRISM_TMP": str(tmp_path), "PRISM_SCHEMA_SECRET": secret,
           "PRISM_META_URL": f"postgresql://nobody@localhost:{postgres.port}/users?sslrootcert={postgres.folder}/ca.pem",
           "PRISM_SCHEMA_USERS": "prism_ingest=read,prism_storage=read-write",
           "AWS_ENDPOINT_URL": aws, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    function = Emulator("schema", tmp_path, env)
    try:
        before = function.invoke({"op": "status"})
        assert (before["next"], before["users_missing"]) == ("expand", 2), before
        assert function.invoke({"op": "expand"})["next"] == "contract"
        again = function.invoke({"op": "expand"})
        assert (again["run"], again["users_missing"]) == (0, 0)
        assert function.invoke({"op": "nonsense"})["errorType"] == "InvalidEvent"
        # a user that was dropped comes back, though no step is pending
        postgres.sql("DROP OWNED BY prism_ingest; DROP ROLE prism_ingest", database="users")
        assert function.invoke({"op": "status"})["next"] == "expand"
        assert function.invoke({"op": "expand"})["users_missing"] == 0
    finally:
        function.stop()
    log = pathlib.Path(function.log).read_text()
    assert postgres_server.PASSWORD not in log

    def may(user, table, right):
        return postgres.sql(f"SELECT has_table_privilege('{user}', '{table}', '{right}')", database="users") == "t"

    assert may("prism_ingest", "datasets", "SELECT") and not may("prism_ingest", "datasets", "INSERT")
    assert may("prism_ingest", "schema_functions", "INSERT") and not may("prism_ingest", "schema_steps", "INSERT")
    assert may("prism_storage", "segments", "DELETE") and not may("prism_storage", "schema_steps", "UPDATE")
    assert not may("prism_storage", "segments", "TRUNCATE")
    assert postgres.sql("SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE r.rolname = 'rds_iam'") == "2"
    assert postgres.sql("SELECT bool_or(has_schema_privilege(rolname, 'public', 'CREATE')) FROM pg_roles WHERE rolname LIKE 'prism\\_%'", database="users") == "f"


def test_a_function_without_rights_says_that_the_tables_are_too_old(postgres, tmp_path):
    postgres.sql("CREATE DATABASE older TEMPLATE template0")
    postgres.sql(f"CREATE ROLE prism_plain LOGIN PASSWORD '{postgres_server.PASSWORD}'")
    env = {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "catalog", "PRISM_TMP": str(tmp_path), "PRISM_HOT_URL": str(tmp_path),
           "PRISM_META_URL": postgres.url("older", account="prism_plain"), "PRISM_REGION": "local"}
    function = Emulator("catalog", tmp_path, env)
    try:
        answer = function.invoke({})
        assert "errorType" in answer
        log = pathlib.Path(function.log).read_text()
        assert "are older than this release needs (step 3): run the workflow schema-migration" in log
    finally:
        function.stop()
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database="older") == "0"
