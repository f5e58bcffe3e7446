"""Releases of all functions as the build left them, and a build tree for the regions that they are rolled out in."""

import hashlib
import json
import shutil

import kit


def tree(folder):
    """A build whose alarm of a function's errors looks at seconds and not at minutes; what it fires at is more than one bad step of a rollout makes."""
    built = kit.PRISM.resolve().parent
    folder.mkdir(parents=True)
    shutil.copy2(built / "prism", folder / "prism")
    for name, place in (("fn", built / "fn"), ("edge", kit.ROOT / "edge")):
        (folder / name).symlink_to(place.resolve())
    shutil.copytree(kit.PLATFORM, folder / "platform")
    alarms = json.loads((folder / "platform" / "alarms.json").read_text())
    alarm, = (a for a in alarms["alarms"] if a["id"] == "function-errors")
    alarm.update({"period_s": 5, "periods": 1, "datapoints": 1, "threshold": 40})
    (folder / "platform" / "alarms.json").write_text(json.dumps(alarms))
    functions = json.loads((folder / "platform" / "functions.json").read_text())
    for name in ("ingest", "query", "catalog"):  # who calls as steadily as here does not spill over, which would be an alarm of its own
        functions["functions"][name]["concurrency"].update({"min": 8, "max": 16})
    (folder / "platform" / "functions.json").write_text(json.dumps(functions))


def package(folder, replaced):
    """All functions as `prism package` would leave them, some with another bootstrap. An image is what its digest is of."""
    artifacts = {}
    (folder / "images" / "blobs" / "sha256").mkdir(parents=True)
    for name, spec in kit.platform("functions.json")["functions"].items():
        bootstrap = kit.FUNCTIONS / name / "bootstrap"
        if name in replaced:
            text, bootstrap = replaced[name], folder / f"{name}.bootstrap"
            # Bytes go behind the built one's, which changes nothing but its digest; a text is a program of its own.
            bootstrap.write_bytes((kit.FUNCTIONS / name / "bootstrap").read_bytes() + text if isinstance(text, bytes) else text.encode())
        if spec["package"] == "zip":
            made = folder / "made.zip"
            digest = kit.zip_of({"bootstrap": bootstrap}, made)
            place = folder / "functions" / name / f"{digest}.zip"
            place.parent.mkdir(parents=True)
            made.rename(place)
        else:
            data = bootstrap.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            (folder / "images" / "blobs" / "sha256" / digest).write_bytes(data)
        artifacts[name] = {"kind": spec["package"], "sha256": digest}
    (folder / "artifacts.tfvars.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder
