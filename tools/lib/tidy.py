"""clang-tidy over files, side by side. A file that passed is not looked at again while it, what it includes, how it is compiled and what is
checked stay as they are, in whichever checkout; to check all of src/ and tests/ takes most of an hour of one processor, and a change touches few
of them. What passed is remembered beside the parts that tools/setup brings, by a name that holds no path of the checkout.

    tidy.py COMPILE_COMMANDS_FOLDER CONFIG FILE...
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

TIDY, CLANG = "clang-tidy-14", "clang-14"
PASSED = pathlib.Path(os.environ.get("PRISM_CACHE", pathlib.Path.home() / ".cache" / "prism")) / "tidy"


def commands(folder):
    return {entry["file"]: entry for entry in json.loads((folder / "compile_commands.json").read_text())}


def meaning(entry, rules):
    """A name for all that the answer depends on, or None when the file does not even preprocess. Comments count: some silence a check."""
    words = shlex.split(entry["command"])[1:]
    for option in ("-o", "-c", "-MF", "-MT"):
        while option in words:
            at = words.index(option)
            del words[at:at + (1 if option == "-c" else 2)]
    words = [word for word in words if word not in ("-MD", "-MMD")]
    language = "++" if entry["file"].endswith(".cpp") else ""
    done = subprocess.run([CLANG.replace("clang", "clang" + language, 1), "-E", "-C", "-w", *words], cwd=entry["directory"], capture_output=True)
    whole = b"\0".join([rules, " ".join(words).encode(), done.stdout]).replace(os.getcwd().encode(), b".")
    return hashlib.sha256(whole).hexdigest() if done.returncode == 0 else None


def check(file, entry, folder, rules):
    """(whether it passed, what was said)."""
    name = meaning(entry, rules)
    mark = PASSED / name if name else None
    if mark and mark.exists():
        return True, ""
    done = subprocess.run([TIDY, "-p", folder, "--quiet", "--extra-arg=-Wno-unknown-warning-option", file], capture_output=True, text=True)
    if done.returncode == 0 and mark:
        mark.touch()
    told = [line for line in done.stderr.splitlines() if not line.endswith((" generated.", " treated as errors"))]
    return done.returncode == 0, done.stdout + "".join(line + "\n" for line in told if done.returncode)


def main():
    folder, config, files = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]), sys.argv[3:]
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    rules, known, passed = version + config.read_bytes(), commands(folder), True
    PASSED.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        started = [pool.submit(check, file, known[os.path.abspath(file)], folder, rules) for file in files if os.path.abspath(file) in known]
        for one in started:
            good, said = one.result()
            passed = passed and good
            print(said, end="", flush=True)
    sys.exit(not passed)


if __name__ == "__main__":
    main()
