"""A PostgreSQL 15 of a test's own: a loopback port, a temporary folder, TLS by a CA made here, passwords by SCRAM.

`tools/setup test` brings the server. It refuses to run as root, so root lends it the account nobody."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from conftest import free_port

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
PASSWORD = "sécret/%"
URL_PASSWORD = "s%C3%A9cret%2F%25"


def openssl(*arguments, folder):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_ca(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", folder=folder)


def make_certificate(folder, ca, name, host):
    """NAME.key and NAME.pem for the host, signed by the CA."""
    (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={host}", "-keyout", f"{name}.key",
            "-out", f"{name}.csr", folder=folder)
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "2",
            "-extfile", f"{name}.ext", "-out", f"{name}.pem", folder=folder)


class Server:
    """`log` is its log; `settings` are lines of postgresql.conf."""

    def __init__(self, settings=(), account="prism"):
        assert (BIN / "postgres").exists(), "PostgreSQL 15 is missing: run tools/setup test"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="prism-pg-"))
        self.data, self.log = self.folder / "data", self.folder / "log"
        self.port, self.account, self.process = free_port(), account, None
        self.as_server = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
        make_ca(self.folder, "ca")
        make_certificate(self.folder, "ca", "server", "localhost")
        (self.folder / "password").write_text(PASSWORD)
        self.own()
        self.run("initdb", "--pgdata", self.data, "--username", account, "--pwfile", self.folder / "password", "--auth", "scram-sha-256",
                 "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
        with open(self.data / "postgresql.conf", "a") as file:
            file.write("\n".join([
                f"port = {self.port}", "listen_addresses = 'localhost'", f"unix_socket_directories = '{self.folder}'", "ssl = on",
                f"ssl_cert_file = '{self.folder}/server.pem'", f"ssl_key_file = '{self.folder}/server.key'",
                "fsync = off", "max_connections = 60", "shared_buffers = 32MB", *settings]) + "\n")

    def own(self):
        if os.getuid() == 0:
            account = pwd.getpwnam("nobody")
            for path in [self.folder, *self.folder.iterdir()]:
                os.chown(path, account.pw_uid, account.pw_gid)
        for key in self.folder.glob("*.key"):
            key.chmod(0o600)
        self.folder.chmod(0o755)

    def environment(self):
        """Another account's home folder is not looked at."""
        return {**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}

    def run(self, program, *arguments):
        done = subprocess.run([*self.as_server, BIN / program, *map(str, arguments)], capture_output=True, text=True, cwd="/", env=self.environment())
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.as_server, BIN / "postgres", "-D", self.data], cwd="/", stdout=log, stderr=log,
                                            env=self.environment())
        self.wait()
        return self

    def wait(self):
        for _ in range(1200):
            done = subprocess.run([BIN / "pg_isready", "-q", "-h", "localhost", "-p", str(self.port)])
            if done.returncode == 0:
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError("PostgreSQL does not answer")

    def kill(self):
        """As if the machine had lost power: nothing is written in order."""
        self.process.kill()
        self.process.wait(60)
        for _ in range(600):  # its children notice by themselves; only without them can the next one start
            if not any(self.left()):
                return
            time.sleep(0.1)
        raise AssertionError("the killed server's children are still there")

    def left(self):
        """Processes that work in the data folder."""
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and os.readlink(entry / "cwd") == str(self.data):
                    yield entry.name

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # "fast": ends sessions, then itself
            self.process.wait(60)

    def stop(self):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="%s", host="localhost", port=None, account=None, password=URL_PASSWORD, ca="ca"):
        return (f"postgresql://{account or self.account}:{password}@{host}:{port or self.port}/{database}"
                f"?sslrootcert={self.folder}/{ca}.pem")

    def sql(self, *statements, database="postgres"):
        for statement in statements:
            done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement,
                                   self.url(database) + "&sslmode=verify-full"], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        return done.stdout.strip()


class Standby(Server):
    """Follows the primary, which from now on answers a COMMIT only when it is here, too."""

    def __init__(self, primary):
        self.folder, self.account, self.as_server = primary.folder, primary.account, primary.as_server
        self.data, self.log, self.port, self.process = self.folder / "standby", self.folder / "standby.log", free_port(), None
        self.run("pg_basebackup", "--pgdata", self.data, "--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast", "--no-sync",
                 "--dbname", primary.url("postgres") + "&sslmode=verify-full")
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(f"port = {self.port}\n")
        self.start()
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        for _ in range(600):
            if primary.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')") == "1":
                return
            time.sleep(0.1)
        raise AssertionError("the standby does not follow")

    def promote(self):
        self.sql("SELECT pg_promote(true, 60)")


class Switch:
    """A port that leads to one server, or to another, or to none: what the name of a cluster does."""

    def __init__(self, port):
        self.to, self.pairs = port, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.to))
                except OSError:
                    client.close()
                    continue
                for source, target in (client, server), (server, client):
                    threading.Thread(target=self.copy, args=(source, target), daemon=True).start()

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for one in source, target:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()


@contextlib.contextmanager
def server(**arguments):
    made = Server(**arguments)
    try:
        yield made.start()
    finally:
        made.stop()
