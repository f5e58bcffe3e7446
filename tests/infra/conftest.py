"""The stacks are applied once, in the background, while tests that need no applied stack run.

Order: static checks and module tests -> what was applied (global, both regions) -> one region's end begins in the background ->
scanners, OpenTofu, bad variables, mutations -> the region that is gone and the one that stays."""

import concurrent.futures
import fcntl
import itertools
import pathlib
import shutil
import threading
import time

import kit
import pytest

ORDER = ["test_static", "test_setup", "test_sentences", "test_edge", "test_workflows", "test_deploy", "test_modules", "test_global", "test_region", "test_state",
         "test_scanners", "test_opentofu", "test_variables", "test_mutations", "test_formats", "test_destroyed"]
DESTROYED, KEPT = "eu-west-1", "us-east-1"
RUN = kit.ROOT / "build" / "infra"


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: ORDER.index(item.module.__name__))


def place(item):
    return ORDER.index(item.module.__name__)


@pytest.fixture(scope="session", autouse=True)
def last(request):
    """Whether the run comes to the end of a region."""
    return any(item.module.__name__ == "test_destroyed" for item in request.session.items)


@pytest.fixture(autouse=True)
def begin_the_end(request, last):
    """The tests behind these need no region that stands, so one region's end, which takes minutes, begins beside them."""
    if last and place(request.node) > ORDER.index("test_state"):
        request.getfixturevalue("world").destroy()


class World:
    """The emulator and what is applied on it; each step is a future that the tests wait for."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.lock = self.folder.with_suffix(".lock").open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.exit(f"another run is at work in {self.folder}; two would remove each other's files", 2)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.began = time.time()
        self.pool = concurrent.futures.ThreadPoolExecutor(64)  # more than there are steps: one that waits for another holds a thread
        self._emulator = None
        self._providers, self._numbers = [], itertools.count()
        self._mine = threading.local()
        self.steps, self._asking = {}, threading.Lock()

    # -- steps --

    def step(self, name, work, *needs):
        """Starts `work` when the steps that it needs have ended well; asked for again, it is the same one."""

        def run():
            for need in needs:
                need.result()
            start = time.time()
            try:
                return work()
            finally:
                with (self.folder / "steps.log").open("a") as log:
                    log.write(f"{start - self.began:7.1f} s to {time.time() - self.began:7.1f} s  {name}\n")

        # Steps ask for steps from threads of the pool: without the lock two of them could start two emulators.
        with self._asking:
            if name not in self.steps:
                self.steps[name] = self.pool.submit(run)
            return self.steps[name]

    @property
    def emulator(self):
        return self.step("emulator", self._start).result()

    def _start(self):
        emulator = self._emulator = kit.Emulator(self.folder / "emulator.log")
        emulator.client("s3").create_bucket(Bucket=kit.STATE_BUCKET)
        return emulator

    @property
    def unconfigured(self):
        """Environment of a run that only mocks or validates."""
        return self.step("shared provider", self._start_provider).result().environment

    def _start_provider(self, environment=None):
        provider = kit.SharedProvider(self.folder / f"provider-{next(self._numbers)}.log", environment)
        self._providers.append(provider)
        return provider

    def configured(self, stack):
        """Environment of a plan that configures the provider: one of the calling thread's own, which it uses again for its next plan. Not for the
        global stack, which configures two at once."""
        if stack == "global":
            return {}
        if not hasattr(self._mine, "provider"):
            self._mine.provider = self._start_provider(self.emulator.environment())
        return self._mine.provider.environment

    # -- the stacks --

    def stack(self, name, **kw):
        """A stack of prod in a fresh tree: as its environment's file has it, and what that leaves to the deployment."""
        variables = kit.settings("global") if name == "global" else {}
        if name != "global":
            variables = {**variables, "artifacts": self.packages.artifacts}
        elif kw.pop("edge", True):
            variables = {**variables, "edge": {"router_sha256": self.packages.edge}}
        return kit.Stack(self.folder / kw.pop("folder", name), self.emulator, "global" if name == "global" else "region", name,
                         {**variables, **kw.pop("variables", {})}, **kw)

    @property
    def packages(self):
        return self.step("packages", lambda: kit.Packages(self.folder / "packages")).result()

    def start(self):
        """All that is applied. Twice for the global stack, as its README says: the router's package needs the bucket first."""
        bare = self.step("global, first apply", self._apply_global)
        self.step("global", self._apply_edge, bare)
        for region in kit.REGIONS:
            self.step(region, lambda region=region: self._apply_region(region), bare)
        for name in ("global", *kit.REGIONS):
            self.step(f"{name}, second plan", lambda name=name: self._plan_again(name), self.steps[name])
        return self

    def _apply_global(self):
        stack = self.stack("global", edge=False).init()
        stack.apply()
        s3 = self.emulator.client("s3")
        for region, code in kit.REGIONS.items():
            # In AWS the home bucket is replicated; the emulator stores the rule and copies nothing.
            self.packages.upload(s3, f"prism-prod-artifacts-{code}-{kit.ACCOUNT}")
        return stack

    def _apply_edge(self):
        stack = self.steps["global, first apply"].result()
        stack.set({**kit.settings("global"), "edge": {"router_sha256": self.packages.edge}})
        stack.apply()
        return stack

    def _apply_region(self, region):
        stack = self.stack(region).init()
        stack.apply()
        return stack

    def _plan_again(self, name):
        stack, out = self.steps[name].result(), self.folder / f"{name}.again"
        stack.assert_no_changes(out)
        return stack.show(out, self.unconfigured)

    def applied(self, name):
        self.start()
        return self.steps[name].result()

    def plan_again(self, name):
        """A second plan of an applied stack, as JSON: all that is known only after an apply stands in it. Begun as soon as the stack stands."""
        self.start()
        return self.steps[f"{name}, second plan"]

    def destroy(self):
        """The end of one region. In prod the database and the tables are protected, which an operator has to lift before."""
        self.start()

        def work():
            stack = self.steps[DESTROYED].result()
            prefix = f"prism-prod-{kit.REGIONS[DESTROYED]}"
            self.emulator.client("rds", DESTROYED).modify_db_cluster(DBClusterIdentifier=f"{prefix}-catalog", DeletionProtection=False, ApplyImmediately=True)
            tables = self.emulator.client("dynamodb", DESTROYED)
            for name in tables.list_tables()["TableNames"]:
                if name.startswith(prefix):
                    tables.update_table(TableName=name, DeletionProtectionEnabled=False)
            return stack.destroy()

        return self.step(f"{DESTROYED}, destroy", work, *[self.steps[f"{name}, second plan"] for name in ("global", *kit.REGIONS)])

    def plan_json(self, name):
        """The plan of a stack from nothing, as JSON, from a tree in which nothing is changed."""

        def work():
            stack = self.stack(name, folder=f"plan-{name}")
            stack.init(f"nothing/{name}")
            out = self.folder / f"{name}.plan"
            stack.plan(out)
            return stack.show(out, self.unconfigured)

        bare = self.step("global, first apply", self._apply_global)
        return self.step(f"{name}, plan from nothing", work, bare).result()

    def close(self):
        self.pool.shutdown(wait=True, cancel_futures=True)
        for started in (*self._providers, self._emulator):
            if started:
                started.stop()


@pytest.fixture(scope="session")
def world(request):
    world = World(RUN)
    if any("applied" in item.fixturenames for item in request.session.items):
        world.start()
    yield world
    world.close()


@pytest.fixture(scope="session")
def applied(world):
    """Asks for the stacks to be applied as soon as the tests begin."""
    return world


@pytest.fixture(scope="session")
def aws(applied):
    """aws(service, region): a boto3 client of the emulator. What was applied is looked at with it, never through Terraform's state."""
    clients = {}

    def client(service, region=kit.HOME):
        if (service, region) not in clients:
            clients[service, region] = applied.emulator.client(service, region)
        return clients[service, region]

    return client


@pytest.fixture(scope="session")
def scratch(world):
    """scratch(name): an empty folder that is there for this run."""

    def make(name):
        folder = world.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    return make


def everything(client, operation, key, **kw):
    """All pages of a listing."""
    if client.can_paginate(operation):
        return [item for page in client.get_paginator(operation).paginate(**kw) for item in page[key]]
    return getattr(client, operation)(**kw)[key]


