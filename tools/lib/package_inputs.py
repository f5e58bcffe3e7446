"""What `prism package` packs, left in <build>/package by a release build.

    package_inputs.py parts OUT --map MAP --architecture A ...   what a function is linked of, from the linker's map
    package_inputs.py runtime DIR --platform P --architecture A ...   root file system of the images

Both name every part with its version, licence, origin and checksum. A file that belongs to nothing known is an error: a bill of
materials that leaves things out is worse than none."""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEBIAN = {"x86_64": "amd64", "arm64": "arm64"}
GNU = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
INTERPRETER = {"x86_64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1"}
MOZILLA = pathlib.Path("/usr/share/ca-certificates/mozilla")


def table(path):
    return [line.split(None, 1) for line in path.read_text().splitlines() if line.strip() and line[0] != "#"]


def write_json(path, document):
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


class Origins:
    """Which part a file belongs to."""

    def __init__(self, arguments):
        self.architecture = arguments.architecture
        self.cache = pathlib.Path(arguments.cache)
        self.sysroot = pathlib.Path(arguments.sysroot) if arguments.sysroot else None
        self.licences = dict(table(ROOT / "tools" / "licences"))
        self.pins = {}
        for name, rest in table(ROOT / "tools" / "pins"):
            version, arch, kind, package, checksum = rest.split()
            if arch in ("any", DEBIAN[self.architecture]):
                self.pins[name] = (version, kind, package, checksum)
        self.owner = {}  # here, by path
        self.sysroot_owner = {}
        if self.sysroot:
            for line in (self.sysroot / "files").read_text().splitlines():
                package, version, path = line.split(" ", 2)
                self.sysroot_owner[path] = (package, version)

    def licence(self, name):
        if name not in self.licences:
            sys.exit(f"package_inputs: {name} has no line in tools/licences")
        return self.licences[name].strip()

    def pinned(self, name):
        version, kind, package, checksum = self.pins[name]
        if kind.startswith("pypi"):
            origin = "pkg:pypi/" + package.replace("==", "@")
        elif kind == "crate":
            origin = "pkg:cargo/" + package.replace("+", "%2B")
        elif kind == "npm":
            origin = "pkg:npm/" + package
        else:
            module, _, release = package.partition("@")
            origin = f"pkg:golang/{module}@{release}"
        version = re.sub(r"-\d+$", "", version)  # our revision of the recipe
        return {"name": name, "version": version, "licence": self.licence(name), "origin": origin, "checksum": checksum}

    def debian(self, package, version):
        origin = f"pkg:deb/debian/{package}@{version}?arch={DEBIAN[self.architecture]}&distro=debian-12"
        return {"name": package, "version": version, "licence": self.licence(package),
                "origin": origin.replace("+", "%2B").replace("~", "%7E"), "checksum": ""}

    def of(self, path):
        path = pathlib.Path(path)
        if self.cache in path.parents and not (self.sysroot and self.sysroot in path.parents):
            folder = path.relative_to(self.cache).parts[0]
            for name in sorted(self.pins, key=len, reverse=True):
                if folder.startswith(name + "-"):
                    return self.pinned(name)
            sys.exit(f"package_inputs: {path} is of no part of tools/pins")
        if self.sysroot and self.sysroot in path.parents:
            return self.debian(*self.owner_in_sysroot("/" + str(path.relative_to(self.sysroot))))
        return self.debian(*self.owner_here(path))

    def owner_in_sysroot(self, path):
        for candidate in (path, path.removeprefix("/usr"), "/usr" + path):
            if candidate in self.sysroot_owner:
                return self.sysroot_owner[candidate]
        sys.exit(f"package_inputs: {path} is of no package in {self.sysroot}")

    @staticmethod
    def names_of(path):
        """As dpkg may know a file: with or without the /usr that folders of the root point into."""
        found = str(path.parent.resolve() / path.name)
        return [found, found.removeprefix("/usr"), "/usr" + found]

    def look_up(self, paths):
        """Ask for all of them at once: dpkg-query reads its whole list each time."""
        names = [name for path in paths for name in self.names_of(pathlib.Path(path))]
        listed = subprocess.run(["dpkg-query", "--search", *names], capture_output=True, text=True).stdout
        for line in listed.splitlines():
            package, _, path = line.partition(": ")
            self.owner[path] = package.split(",")[0]

    def owner_here(self, path):
        if not any(name in self.owner for name in self.names_of(path)):
            self.look_up([path])
        for name in self.names_of(path):
            if name in self.owner:
                shown = subprocess.run(["dpkg-query", "--show", "--showformat", "${Package} ${Version}", self.owner[name]],
                                       capture_output=True, text=True, check=True).stdout
                return shown.split()
        sys.exit(f"package_inputs: {path} is of no Debian package")


def sorted_parts(parts):
    return [parts[name] for name in sorted(parts)]


# ---- parts of a function -------------------------------------------------------------------------------------------

# Sources of a part that CMake compiles here; the map names the archive that they became.
COMPILED = re.compile(r"libprism_(\w+)\.a$")


def parts(arguments):
    origins = Origins(arguments)
    build = pathlib.Path(arguments.build).resolve()
    used = {}
    for line in pathlib.Path(arguments.map).read_text(errors="replace").splitlines():
        match = re.match(r"(\S+\.a)\(.*\)$", line)  # "archive(member)" that was linked, not what was merely offered
        if match:
            used[match[1]] = build / match[1]  # an absolute name stays itself
    origins.look_up(path for path in used.values() if not {build, origins.cache} & set(path.parents))
    found = {}
    for path in used.values():
        compiled = COMPILED.search(path.name)
        if build in path.parents and not compiled:
            continue  # Prism's own
        part = origins.pinned(compiled[1]) if compiled else origins.of(path)
        part = found.setdefault(part["name"], {**part, "archives": []})
        if path.name not in part["archives"]:
            part["archives"] = sorted([*part["archives"], path.name])
    if not found:
        sys.exit(f"package_inputs: {arguments.map} names no archive")
    out = pathlib.Path(arguments.out)
    beside = {}
    for file in map(pathlib.Path, arguments.beside):
        shutil.copyfile(file, out.parent / file.name)
        part = origins.of(file)
        beside.setdefault(part["name"], {**part, "files": []})["files"].append(f"/var/task/{file.name}")
    write_json(out, {"version": 1, "parts": sorted_parts(found), "beside": sorted_parts(beside)})


# ---- what images stand on ------------------------------------------------------------------------------------------


def needed(path):
    text = subprocess.run(["readelf", "--dynamic", "--wide", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text)


def is_elf(path):
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


class Runtime:
    def __init__(self, arguments):
        self.architecture = arguments.architecture
        self.origins = Origins(arguments)
        self.base = self.origins.sysroot or pathlib.Path("/")
        self.package = pathlib.Path(arguments.out)
        self.root = self.package / "runtime"
        self.parts = {}

    def note(self, part, file):
        part = self.parts.setdefault(part["name"], {**part, "files": []})
        part["files"] = sorted({*part["files"], "/" + file})

    def library(self, name):
        for folder in ("lib", "usr/lib"):
            path = self.base / folder / GNU[self.architecture] / name
            if path.exists():
                return path
        sys.exit(f"package_inputs: {name}, which an image needs, is not in {self.base}")

    def add(self, source, place):
        target = self.root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)  # what a link points at
        target.chmod(0o755 if place.endswith(".1") or ".so" in place else 0o644)
        self.note(self.origins.of(source), place)

    def add_libraries(self, files):
        """All that they need, and what that needs."""
        interpreter = pathlib.PurePath(INTERPRETER[self.architecture])
        self.add(self.library(interpreter.name), str(interpreter))
        waiting, seen = list(files), {interpreter.name}
        while waiting:
            for name in needed(waiting.pop()):
                if name not in seen:
                    seen.add(name)
                    path = self.library(name)
                    self.add(path, f"lib/{GNU[self.architecture]}/{name}")
                    waiting.append(path)

    def add_settings(self):
        """What the C library and TLS look for. The certificates are Mozilla's, as the package has them, not this machine's choice."""
        etc = self.root / "etc"
        (etc / "ssl" / "certs").mkdir(parents=True)
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
        (etc / "passwd").write_text("root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n")
        (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
        certificates = sorted(MOZILLA.glob("*.crt"))
        if not certificates:
            sys.exit(f"package_inputs: no certificates in {MOZILLA}: run tools/setup")
        bundle = etc / "ssl" / "certs" / "ca-certificates.crt"
        bundle.write_text("".join(path.read_text().rstrip("\n") + "\n" for path in certificates))
        part = self.origins.debian(*self.origins.owner_here(certificates[0]))
        part["origin"] = re.sub(r"arch=\w+", "arch=all", part["origin"])
        self.note(part, str(bundle.relative_to(self.root)))

    def make(self, platform):
        functions = json.loads((platform / "functions.json").read_text())["functions"]
        images = [self.package / "fn" / name for name in sorted(functions) if functions[name]["package"] == "image"]
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in ("dev", "mnt", "opt", "proc", "sys", "tmp", "var/task"):
            (self.root / folder).mkdir(parents=True)
        self.add_libraries([path for folder in images for path in sorted(folder.iterdir()) if is_elf(path)])
        self.add_settings()
        write_json(self.package / "runtime.json", {"version": 1, "parts": sorted_parts(self.parts)})


def runtime(arguments):
    Runtime(arguments).make(pathlib.Path(arguments.platform))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("parts", "runtime"))
    parser.add_argument("out")
    parser.add_argument("--architecture", required=True, choices=sorted(DEBIAN))
    parser.add_argument("--cache", required=True)
    parser.add_argument("--sysroot")
    parser.add_argument("--map")
    parser.add_argument("--build")
    parser.add_argument("--beside", nargs="*", default=[])
    parser.add_argument("--platform")
    arguments = parser.parse_args()
    {"parts": parts, "runtime": runtime}[arguments.what](arguments)


main()
