"""Who may do what to a tenant's folder in the hot store, by owner and mode alone: as the access points of infra/ and of tenant-onboarding give it, also to who came by the API.

The attempts are made in a process that entered the hot store as its root and then took the ids that a tenant's access point gives, so nothing but the
owners and modes of the tenants' own folders stands in the way."""

import contextlib
import json
import os
import pathlib
import re
import sqlite3

import pytest

from region_kit import Tree, environment, wait

ROOT = pathlib.Path(__file__).resolve().parents[2]
TENANTS = ("acme", "acme-2", "globex")
SHARD = 10000  # of shard-0
UIDS_FIRST = 100001
MADE_BY_UP = ("_system", "default")  # in this order, once the region serves
RESIDENTS = (*MADE_BY_UP, *TENANTS, "initech")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners are set and ids taken by root only")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    t = Tree(tmp_path_factory.mktemp("posix"), env=environment()).up()
    wait(lambda: set(points(t)) == set(MADE_BY_UP), seconds=60)
    t.made = {name: {"key": t.key, "uid": UIDS_FIRST + i} for i, name in enumerate(MADE_BY_UP)}
    t.call("POST", "/v1/ingest/app", key=t.made["default"]["key"], json=[{"n": 1}]).raise_for_status()
    wait(lambda: list((t.data / "hot" / "_system").rglob("*.*")), seconds=60)  # its own telemetry
    for name in TENANTS:
        t.made[name] = json.loads(t.run("workflow", "start", "tenant-onboarding", "--sync", "--input", json.dumps({"tenant": name})).stdout)
        t.call("POST", "/v1/ingest/app", key=t.made[name]["key"], json=[{"n": 1, "of": name}]).raise_for_status()
    t.made["initech"] = {"key": t.tenant("initech"), "uid": UIDS_FIRST + len(RESIDENTS) - 1}  # by the API
    t.call("POST", "/v1/ingest/app", key=t.made["initech"]["key"], json=[{"n": 1}]).raise_for_status()
    t.plain = t.bare("plain")  # as the registry alone makes it: without an access point
    t.call("POST", "/v1/ingest/app", key=t.plain, json=[{"n": 1}]).raise_for_status()
    yield t
    t.down()


def points(tree):
    """What was asked of EFS for each tenant."""
    with contextlib.closing(sqlite3.connect(f"file:{tree.data / 'tables.db'}?mode=ro", uri=True)) as db:
        found = [json.loads(d) for d, in db.execute("SELECT document FROM items WHERE tbl = 'wf_access_points' AND pk = 'points'")]
    return {p["ClientToken"]: p for p in found}


def attempts(folder):
    """What somebody may try with a folder below the root; by name, whether it went."""
    def write():
        os.close(os.open(f"{folder}/probe", os.O_WRONLY | os.O_CREAT, 0o600))
        group = os.stat(f"{folder}/probe").st_gid
        os.unlink(f"{folder}/probe")
        return group

    return {"list": lambda: os.listdir(folder), "look": lambda: os.stat(f"{folder}/app"), "list a dataset": lambda: os.listdir(f"{folder}/app"), "write": write,
            "make": lambda: (os.mkdir(f"{folder}/probe"), os.rmdir(f"{folder}/probe")), "fence": lambda: os.close(os.open(f"{folder}/.fence", os.O_WRONLY | os.O_CREAT, 0o600)),
            "rename": lambda: os.rename(f"{folder}/app", f"{folder}/app.mine"), "mode": lambda: os.chmod(folder, 0o777), "owner": lambda: os.chown(folder, os.getuid(), os.getgid())}


def as_identity(root, uid, gid, groups, folder, names):
    """Each attempt's outcome in a process of these ids: True, the group of the file that was written, or the name of the error."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        outcome = {}
        try:
            os.chroot(root)
            os.chdir("/")
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            for name, attempt in attempts(f"/{folder}").items():
                if name in names:
                    try:
                        made = attempt()
                        outcome[name] = made if isinstance(made, int) else True
                    except OSError as error:
                        outcome[name] = type(error).__name__
            os.write(writer, json.dumps(outcome).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


@contextlib.contextmanager
def entered(tree):
    """The hot store, with its own mode out of the way: that of the folder above is another wall than the one that is tried."""
    hot = tree.data / "hot"
    before = hot.stat().st_mode & 0o7777
    assert before & 0o077 == 0, oct(before)
    hot.chmod(0o711)
    try:
        yield str(hot)
    finally:
        hot.chmod(before)


def identity(point):
    user = point["PosixUser"]
    return user["Uid"], user["Gid"], user.get("SecondaryGids", [])


@as_root
def test_folders_are_as_their_access_points_ask(tree):
    asked = points(tree)
    assert set(asked) == set(RESIDENTS)
    for name, point in asked.items():
        about, wanted = (tree.data / "hot" / name).stat(), point["RootDirectory"]["CreationInfo"]
        assert point["RootDirectory"]["Path"] == f"/shards/shard-0/tenants/{name}"
        assert (about.st_uid, about.st_gid, about.st_mode & 0o7777) == (wanted["OwnerUid"], wanted["OwnerGid"], int(wanted["Permissions"], 8))
        assert identity(point) == (tree.made[name]["uid"], tree.made[name]["uid"], []) and wanted["OwnerUid"] == tree.made[name]["uid"]
    assert len({p["PosixUser"]["Uid"] for p in asked.values()}) == len(RESIDENTS)
    about = (tree.data / "hot" / "plain").stat()
    assert (about.st_uid, about.st_mode & 0o7777) == (os.geteuid(), 0o700)


@as_root
def test_nothing_below_is_open_to_others(tree):
    for name in (*RESIDENTS, "plain"):
        inside = [p for p in (tree.data / "hot" / name).rglob("*")]
        assert [p for p in inside if p.is_file()]
        assert not [p for p in inside if p.stat().st_mode & 0o077], name


@as_root
def test_a_tenants_ids_open_its_own_folder_and_no_other(tree):
    everything = set(attempts("/x"))
    with entered(tree) as hot:
        for name, point in points(tree).items():
            tried = {"list", "write", "make"} | ({"look"} if name != "_system" else set())  # which has no dataset "app"
            own = as_identity(hot, *identity(point), name, tried)
            assert own == {key: SHARD if key == "write" else True for key in tried}, name  # else the rest proves nothing
            for other in (*RESIDENTS, "plain"):
                if other != name:
                    tried = as_identity(hot, *identity(point), other, everything)
                    assert set(tried) == everything and set(tried.values()) == {"PermissionError"}, (name, other, tried)
    for name in TENANTS:
        assert tree.rows("SELECT n, of FROM app", key=tree.made[name]["key"]) == [[1, name]]


@as_root
def test_the_shards_ids_open_every_tenants_folder(tree):
    """Those of the access point that a shard's functions mount; files that they make belong to the shard's group."""
    with entered(tree) as hot:
        for name in TENANTS:
            assert as_identity(hot, SHARD, SHARD, [], name, {"list", "look", "write", "make"}) == {"list": True, "look": True, "write": SHARD, "make": True}
        assert as_identity(hot, SHARD + 1, SHARD + 1, [], "acme", {"list", "write"}) == {"list": "PermissionError", "write": "PermissionError"}  # another shard's


def test_the_numbers_are_the_same_wherever_they_stand():
    files = (ROOT / "infra/modules/storage/files.tf").read_text()
    variables = (ROOT / "infra/modules/workflows/variables.tf").read_text()
    machine = json.loads(re.sub(r"\$\{(\w+)\}", "0", (ROOT / "platform/workflows/tenant-onboarding.asl.json").read_text()))
    first_gid, first_uid = (int(re.search(rf"{n}\s*=\s*optional\(number, (\d+)\)", variables)[1]) for n in ("shard_gid_first", "tenant_uid_first"))
    assert int(re.search(r"shard => (\d+) \+ tonumber", files)[1]) == first_gid == SHARD
    assert 'path = "/shards/${each.key}"' in files and re.findall(r'permissions = "(\d+)"', files) == ["2770"]
    asked = machine["States"]["MakeAccessPoint"]["Parameters"]
    assert asked["RootDirectory"]["CreationInfo"] == {"OwnerUid.$": "$.posix.uid", "OwnerGid.$": "$.posix.shard_gid", "Permissions": "2770"}
    assert asked["PosixUser"] == {"Uid.$": "$.posix.uid", "Gid.$": "$.posix.uid"}
    assert asked["RootDirectory"]["Path.$"].startswith("States.Format('/shards/{}/tenants/{}'")
    for source in ("src/region/workflow_catalogue.c", "src/cli/workflow_source.c"):
        text = (ROOT / source).read_text()
        assert re.search(rf'"shard_gid_first"\)?, S\("{first_gid}"\)', text) and re.search(rf'"tenant_uid_first"\)?, S\("{first_uid}"\)', text), source


@as_root
def test_the_numbers_are_those_of_a_running_region(tree):
    assert [tree.made[name]["uid"] for name in TENANTS] == [100003, 100004, 100005]
    assert {p["RootDirectory"]["CreationInfo"]["OwnerGid"] for p in points(tree).values()} == {SHARD}


def test_a_start_gives_what_an_earlier_one_could_not(tree):
    """As a start that was killed before it had come to that, or a folder of an older release."""
    before = points(tree)["default"]
    tree.down()
    with contextlib.closing(sqlite3.connect(tree.data / "tables.db")) as db:
        done = db.execute("UPDATE items SET document = json_remove(document, '$.access_point') WHERE tbl = 'wf_tenant_resources' AND pk = 'default'")
        assert done.rowcount == 1
        db.commit()

    def record():
        with contextlib.closing(sqlite3.connect(f"file:{tree.data / 'tables.db'}?mode=ro", uri=True)) as db:
            return json.loads(db.execute("SELECT document FROM items WHERE tbl = 'wf_tenant_resources' AND pk = 'default'").fetchone()[0])

    tree.up()
    wait(lambda: "access_point" in record(), seconds=60)
    assert record()["access_point"]["S"] == before["AccessPointId"] and points(tree)["default"] == before
