"""A region that cannot start says why, exits with 1 and leaves nothing behind."""

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys

import pytest

from conftest import alive, children_of
from region_kit import Tree, environment, instances, wait


@pytest.fixture
def tree(tmp_path):
    r = Tree(tmp_path, env=environment())
    yield r
    r.down()


def fails(tree, *words, args=("up", "--detach"), **kw):
    done = tree.run(*args, check=False, timeout=60, **kw)
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
        wait(lambda: not [p for p in below if alive(p)])


def test_read_only_folder(tree):
    tree.up().down()
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace here")
    inside = f"mount --bind {tree.data} {tree.data} && mount -o remount,bind,ro {tree.data} && exec {tree.tree}/prism up"
    done = subprocess.run([*unshare, "sh", "-c", inside], env=tree.env, capture_output=True, text=True, timeout=60)
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


# Prints what came of looking into each process: what was read, or the error's name.
SPY = """
import ctypes, errno, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
def memory(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        mem.seek(int(maps.readline().split("-")[0], 16))
        return len(mem.read(4))
def seize(pid):
    if libc.ptrace(0x4206, pid, None, None) != 0: # PTRACE_SEIZE; it ends with this process
        raise OSError(ctypes.get_errno(), "")
    return "seized"
def outcome(look, pid):
    try:
        return look(pid)
    except OSError as e:
        return errno.errorcode[e.errno]
looks = {"environ": lambda pid: open(f"/proc/{pid}/environ").read(), "mem": memory, "ptrace": seize}
print(json.dumps({pid: {name: outcome(look, int(pid)) for name, look in looks.items()} for pid in sys.argv[1:]}))
"""
# What opens every process, the last two for reading: perfmon_capable() of the kernel's fs/proc/base.c and linux/capability.h.
CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON = 19, 21, 38
PR_CAPBSET_DROP = 24
LIBC = ctypes.CDLL(None)


def ordinary():
    """Before exec: root without these rights; for others nothing changes."""
    for right in (CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON):
        LIBC.prctl(PR_CAPBSET_DROP, right, 0, 0, 0)


def spied(pids):
    done = subprocess.run([sys.executable, "-c", SPY, *map(str, pids)], preexec_fn=ordinary, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout).values())


@pytest.mark.skipif(os.environ.get("PRISM_BUILD") in ("asan", "tsan"), reason="sanitizers trace their own process")
def test_nobody_of_the_same_user_looks_into_a_process(tree):
    """Neither into the region nor into a function, though the same spy, with the same rights, does into any other process of the user."""
    tree.run("up", "--detach", preexec_fn=ordinary)
    closed = {"environ": "EACCES", "mem": "EACCES", "ptrace": "EPERM"}

    def nothing_is_seen():
        functions = instances(tree, "ingest") + instances(tree, "query")
        return functions and spied([tree.pid, *functions]) == [closed] * (1 + len(functions))

    wait(nothing_is_seen, seconds=60)  # once they are past their first steps
    open_to_all = "import ctypes, sys, time; ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1)); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", open_to_all], env={"WORD": "plain"}, preexec_fn=ordinary, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()  # it has said that Yama, where it is, need not protect it
        seen, = spied([other.pid])
        other.stdin.close()
    assert "WORD=plain" in seen["environ"] and (seen["mem"], seen["ptrace"]) == (4, "seized")


def limited(tree):
    for pid in [tree.pid, *children_of(tree.pid)]:
        limits = open(f"/proc/{pid}/limits").read()
        line = next(l for l in limits.splitlines() if l.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"]


def test_no_core_files(tree):
    with subprocess.Popen([tree.tree / "prism", "up"], env=tree.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        wait(lambda: tree.run("status", check=False).returncode == 0, seconds=60, every=0.2)
        limited(tree)
        up.send_signal(signal.SIGABRT)
        status = os.waitid(os.P_PID, up.pid, os.WEXITED | os.WNOWAIT)
    assert (status.si_code, status.si_status) == (os.CLD_KILLED, signal.SIGABRT), "CLD_DUMPED were a core"
