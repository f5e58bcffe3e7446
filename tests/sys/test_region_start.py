"""A region that cannot start says why, exits with 1 and leaves nothing behind."""

import json
import os
import resource
import socket
import subprocess

import pytest

from conftest import alive, children_of
from region_kit import Tree, environment, wait


@pytest.fixture
def tree(tmp_path):
    r = Tree(tmp_path, env=environment())
    yield r
    r.down()


def fails(tree, *words, args=("up", "--detach"), **kw):
    done = tree.run(*args, check=False, timeout=20, **kw)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    for word in words:
        assert word in done.stderr, done.stderr
    return done


def test_two_on_one_folder(tree):
    tree.up()
    pid = tree.pid
    again = tree.run("up", "--detach")
    assert str(tree.port) in again.stdout and tree.pid == pid
    fails(tree, "already", str(pid), args=("up",))
    assert tree.pid == pid


def test_the_lock_holds_without_a_socket(tree):
    tree.up()
    pid = tree.pid
    (tree.data / "region.sock").rename(tree.data / "elsewhere.sock")
    try:
        fails(tree, "another process holds")
    finally:
        (tree.data / "elsewhere.sock").rename(tree.data / "region.sock")
    assert tree.pid == pid


def test_port_taken(tree):
    with socket.socket() as s:
        s.bind(("127.0.0.1", tree.port))
        s.listen()
        fails(tree, f"port {tree.port} is in use")
        fails(tree, f"port {tree.port} is in use", args=("up",))
    tree.up()
    assert tree.status()["port"] == tree.port


def test_folder_of_a_later_format(tree):
    tree.up().down()
    memory = json.loads((tree.data / "prism.json").read_text())
    (tree.data / "prism.json").write_text(json.dumps({**memory, "format": 99}))
    fails(tree, "prism.json", "format 99")
    (tree.data / "prism.json").write_text("{half")
    fails(tree, "prism.json")
    (tree.data / "prism.json").write_text(json.dumps(memory))
    tree.up()


def test_folder_of_somebody_else(tree):
    tree.data.mkdir()
    (tree.data / "thesis.tex").write_text("years of work")
    fails(tree, "not a data folder")
    assert (tree.data / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("name, text, words", [
    ("functions.json", "{", ("functions.json",)),
    ("functions.json", '{"version": 1, "functions": {}}', ("functions.json", "no functions")),
    ("api.openapi.json", "[]", ("api.openapi.json",)),
    ("api.openapi.json", None, ("api.openapi.json", "missing")),
])
def test_platform_file_unusable(tree, name, text, words):
    path = tree.tree / "platform" / name
    path.unlink()
    if text is not None:
        path.write_text(text)
    fails(tree, *words)


def test_contract_names_an_unknown_function(tree):
    tree.edit("functions.json", lambda root: root["functions"].pop("catalog"))
    fails(tree, "catalog", "functions.json")


def test_function_missing(tree):
    (tree.tree / "fn" / "query").unlink()
    fails(tree, "query", "cannot be executed")


@pytest.mark.parametrize("value", ["0", "-1", "soon", "99999999999"])
def test_tuning_is_checked(tree, value):
    tree.env["PRISM_REGION_IDLE_MS"] = value
    fails(tree, "PRISM_REGION_IDLE_MS", value)


def test_folder_name_too_long_for_its_socket(tree):
    tree.data = tree.data.parent / ("d" * 120)
    tree.env["PRISM_DATA"] = str(tree.data)
    fails(tree, "too long")


def test_what_failed_leaves_no_process(tree):
    with socket.socket() as s:
        s.bind(("127.0.0.1", tree.port))
        s.listen()
        up = subprocess.Popen([tree.tree / "prism", "up"], env=tree.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        below = set()
        while up.poll() is None:
            below |= set(children_of(up.pid))
        assert up.returncode == 1
        wait(lambda: not [p for p in below if alive(p)], 2)


def test_read_only_folder(tree):
    tree.up().down()
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace here")
    inside = f"mount --bind {tree.data} {tree.data} && mount -o remount,bind,ro {tree.data} && exec {tree.tree}/prism up"
    done = subprocess.run([*unshare, "sh", "-c", inside], env=tree.env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "Read-only file system" in done.stderr, done.stderr
    tree.up()


def test_few_descriptors(tree):
    """The usual soft limit is below what the gateway serves; the hard one counts."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4000))

    tree.run("up", "--detach", preexec_fn=limit)
    conns = [socket.create_connection(("127.0.0.1", tree.port)) for _ in range(600)]
    assert tree.call("GET", "/v1/health").status_code == 200
    wait(lambda: tree.status()["gateway"]["connections"] >= 600)
    for conn in conns:
        conn.close()


def test_no_core_files_and_no_tracing(tree):
    tree.up()
    for pid in [tree.pid, *children_of(tree.pid)]:
        limits = open(f"/proc/{pid}/limits").read()
        line = next(l for l in limits.splitlines() if l.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"]
