"""trim_aws_provider.py SOURCE SERVICE... - leave only these services in a writable copy of the AWS provider's source.

The whole provider takes most of an hour to build on two cores, nearly all of it in services nobody here uses. A
service is cut off by its line in the list of service packages; the clients that no remaining package calls are then
cut out of the client table, since each of them pulls in one part of AWS's SDK."""

import pathlib
import re
import sys

MODULE = "github.com/hashicorp/terraform-provider-aws"


def go_files(folder):
    return [f for f in folder.glob("*.go") if not f.name.endswith("_test.go")]


def imports(text):
    """The module's own packages that a file imports, as paths below its root."""
    return re.findall(rf'"{re.escape(MODULE)}/([^"]+)"', text)


def keep_services(path, wanted):
    kept = set()
    lines = []
    for line in path.read_text().splitlines(keepends=True):
        imported = re.fullmatch(rf'\s*"{re.escape(MODULE)}/internal/service/([a-z0-9]+)"\s*', line)
        listed = re.fullmatch(r"\s*([a-z0-9]+)\.ServicePackage\(ctx\),\s*", line)
        name = (imported or listed or [None, None])[1]
        if name is None or name in wanted:
            lines.append(line)
            kept.add(name)
    if missing := wanted - kept:
        sys.exit(f"{path} has no service {', '.join(sorted(missing))}")
    path.write_text("".join(lines))


def reachable(root):
    """The text of every package that the provider's main package still pulls in, but for the client table."""
    todo, seen, text = [""], set(), []
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        for file in go_files(root / package):
            if file.name != "awsclient_gen.go":
                text.append(file.read_text())
                todo.extend(imports(text[-1]))
    return "\n".join(text)


def keep_clients(path, used):
    text = path.read_text()
    head, *methods = re.split(r"(?m)^(?=func \(c \*AWSClient\) )", text)
    methods = [m for m in methods if not (name := re.match(r"func \(c \*AWSClient\) (\w+Client)\(", m)) or name[1] in used]
    body = "".join(methods)
    lines = []
    for line in head.splitlines(keepends=True):
        package = re.fullmatch(r'\s*(?:(\w+) )?"(github\.com/aws/aws-sdk-go-v2/service/(\w+))"\s*', line)
        if not package or re.search(rf"\b{package[1] or package[3]}\.", body):
            lines.append(line)
    path.write_text("".join(lines) + body)


def main(root, *services):
    root = pathlib.Path(root)
    keep_services(root / "internal/provider/sdkv2/service_packages_gen.go", set(services))
    used = set(re.findall(r"\b(\w+Client)\(", reachable(root)))
    keep_clients(root / "internal/conns/awsclient_gen.go", used)


if __name__ == "__main__":
    main(*sys.argv[1:])
