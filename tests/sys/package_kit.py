"""What the tests of packages share: packages made once, roots made of them, and a registry."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import zipfile

import pytest
from conftest import PRISM, ROOT, free_port

GNU = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
LOADER = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}
HERE = {"x86_64": "x86_64", "aarch64": "arm64"}[os.uname().machine]
OTHER = {"x86_64": "arm64", "arm64": "x86_64"}[HERE]
CATALOGUE = json.loads((ROOT / "platform" / "functions.json").read_text())
ZIPS = [name for name, entry in sorted(CATALOGUE["functions"].items()) if entry["package"] == "zip"]
IMAGES = [name for name, entry in sorted(CATALOGUE["functions"].items()) if entry["package"] == "image"]
INPUTS = {HERE: ROOT / "build" / "release" / "package", OTHER: ROOT / "build" / "cross" / "package"}


def prism(*arguments, check=True, **env):
    done = subprocess.run([PRISM, *map(str, arguments)], env={**os.environ, **env}, capture_output=True, text=True, timeout=600)
    if check and done.returncode != 0:
        raise AssertionError(f"prism {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def built(architecture):
    """Functions of that architecture that are there to be packed: the other one's need not be."""
    inputs = INPUTS[architecture]
    if not (inputs / "package.json").exists():
        return []
    names = [name for name in ZIPS + IMAGES if (inputs / "fn" / name / "parts.json").exists()]
    return names if (inputs / "runtime.json").exists() else [name for name in names if name in ZIPS]


class Packed:
    """An output folder of `prism package`."""

    def __init__(self, folder, architecture, names, *more, **env):
        self.folder, self.architecture = folder, architecture
        done = prism("package", *names, "--arch", architecture, "--from", INPUTS[architecture], "--output", folder, "--json", *more, **env)
        self.report = json.loads(done.stdout)
        self.artifacts = {a["function"]: a for a in self.report["artifacts"]}

    def blob(self, sha256):
        content = (self.folder / "images" / "blobs" / "sha256" / sha256).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256
        return content

    def manifest(self, name):
        return json.loads(self.blob(self.artifacts[name]["sha256"]))

    def config(self, name):
        return json.loads(self.blob(self.manifest(name)["config"]["digest"].removeprefix("sha256:")))

    def unpack(self, name, root):
        """The root that a function starts in: for a ZIP nothing but it and Lambda's C library."""
        if name in IMAGES:
            for layer in self.manifest(name)["layers"]:
                blob = self.folder / "images" / "blobs" / layer["digest"].replace(":", "/")
                subprocess.run(["tar", "--extract", "--gzip", "--no-same-owner", "--file", blob, "--directory", root], check=True)
            return
        with zipfile.ZipFile(self.folder / self.artifacts[name]["key"]) as archive:
            archive.extractall(root / "var" / "task")
        (root / "var" / "task" / "bootstrap").chmod(0o755)
        libraries = pathlib.Path("/") if self.architecture == HERE else sysroot(self.architecture)
        for library in ("libc.so.6", "libm.so.6"):
            place = root / "lib" / GNU[self.architecture] / library
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(libraries / "lib" / GNU[self.architecture] / library, place)
        loader = root / LOADER[self.architecture].lstrip("/")
        loader.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(libraries / "lib" / GNU[self.architecture] / loader.name, loader)

    def command(self, name, root, data):
        """What starts a function in its root. `data` is the one folder of the machine that it sees."""
        entry = self.config(name)["config"]["Entrypoint"] if name in IMAGES else ["/var/task/bootstrap"]
        inside = ["bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev",
                  "--tmpfs", "/tmp", "--bind", data, data, "--chdir", "/var/task"]
        if self.architecture != HERE:
            emulator = {"arm64": "qemu-aarch64-static", "x86_64": "qemu-x86_64-static"}[self.architecture]
            inside += ["--ro-bind", shutil.which(emulator), "/emulator"]
            entry = ["/emulator", *entry]
        return [*inside, *entry]


def sysroot(architecture):
    name = "sysroot-" + {"x86_64": "amd64", "arm64": "arm64"}[architecture]
    found = subprocess.run([ROOT / "tools" / "setup", "--path", name], capture_output=True, text=True)
    assert found.returncode == 0, "run tools/setup package"
    return pathlib.Path(found.stdout.strip())


def tool(name):
    if not shutil.which(name):
        pytest.fail(f"{name} is missing: run tools/setup package")
    return name


def tree(folder):
    """Every file with its mode and digest."""
    return {str(path.relative_to(folder)): (path.stat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(folder.rglob("*")) if path.is_file()}


@contextlib.contextmanager
def registry(folder, authentication="", tls=""):
    """The port of Debian's docker-registry on loopback, with its storage in folder."""
    tool("docker-registry")
    for _ in range(5):
        port = free_port()
        settings = folder / "registry.yml"
        settings.write_text(f"version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {folder}/storage\n"
                            f"http:\n  addr: 127.0.0.1:{port}\n{tls}{authentication}")
        with (folder / "registry.log").open("wb") as log:
            process = subprocess.Popen(["docker-registry", "serve", settings], stdout=log, stderr=log)
        try:
            for _ in range(600):
                if process.poll() is not None:
                    break
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    yield port
                    return
                time.sleep(0.05)
        finally:
            process.terminate()
            process.wait(60)
    raise AssertionError((folder / "registry.log").read_text())
