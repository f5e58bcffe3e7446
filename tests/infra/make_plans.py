"""make_plans.py [FOLDER] - plans of the global stack and of both regions from nothing, as JSON: what `bench/run verify` and people feed to
`prism verify`. Applies the global stack to an emulator first, since a regional plan reads what it publishes. Default folder: build/infra-plans."""

import pathlib
import sys

import kit
from conftest import World


def main(folder):
    world = World(kit.ROOT / "build" / "infra-making-plans")
    try:
        world.step("global, first apply", world._apply_global)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("global", *kit.REGIONS):
            (folder / f"{name}.json").write_bytes(world.plan_json(name).read_bytes())
            print(folder / f"{name}.json", flush=True)
    finally:
        world.close()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else kit.ROOT / "build" / "infra-plans"))
