"""Many connections at a time, idle, busy, slow, half open, and those that send more than is taken: the gateway's memory stays bounded and the others
are served. `make test` runs a part of the numbers, `make soak-connections` all of them; the figure is printed."""

import asyncio
import contextlib
import os
import pathlib
import resource
import ssl
import time

import pytest

from conftest import Region, free_port
from region_kit import wait

ALL = bool(os.environ.get("PRISM_SOAK_CONNECTIONS"))
IDLE, ACTIVE, ODD = (10_000, 1_000, 300) if ALL else (1_500, 100, 40)
REQUESTS = 30 if ALL else 10  # of each active one
HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
# A plain idle connection is a struct and its socket; one of TLS has its session besides. Bodies on their way have 128 MiB, and events of them a third.
BASE_MB, PLAIN_KB, TLS_KB, BODIES_MB = 64, 2, 32, 180
KEPT_MB = 24  # code that ran for the first time, arenas that are kept, connections' sockets


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < IDLE + ACTIVE + 2_000:
        pytest.skip(f"a process may have {hard} files here")
    r = Region(tmp_path_factory.mktemp("connections") / "data")
    r.tls_port = free_port()
    r.run("up", "--detach", "--tls-port", r.tls_port)
    r.process = r.pid
    r.fresh_mb = resident_mb(r)
    yield r
    r.down()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_mb(region):
    lines = pathlib.Path(f"/proc/{region.process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def comes_back(region):
    """What was held is the system's again soon after nobody holds it. Of floods of bodies the second showed it: glibc's heap kept them."""
    if is_sanitized(region):
        return  # it keeps what was freed, to see who looks at it
    wait(lambda: resident_mb(region) < region.fresh_mb + KEPT_MB, 60, every=0.2)
    print(f"{region.fresh_mb:.0f} MB when it was new, {resident_mb(region):.0f} MB afterwards")


def is_sanitized(region):
    return b"__asan_init" in pathlib.Path(f"/proc/{region.process}/exe").read_bytes()


async def dial(region, tls=False):
    if not tls:
        return await asyncio.open_connection("127.0.0.1", region.port)
    context = ssl.create_default_context(cafile=region.data / "tls" / "ca.pem")
    return await asyncio.open_connection("127.0.0.1", region.tls_port, ssl=context, server_hostname="localhost", ssl_handshake_timeout=120)


async def answered(reader, writer):
    writer.write(HEALTH)
    return (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 ")


async def many(count, make, at_once=200):
    """What `make` gives, so many times, a few of them under way at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(n):
        async with gate:
            return await make(n)

    return await asyncio.gather(*(one(n) for n in range(count)))


class Load:
    """Connections that are kept until the end of a `with`."""

    def __init__(self):
        self.open = []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        for _, writer in self.open:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def add(self, region, count, text=b"", tls=False):
        async def make(_):
            pair = await dial(region, tls)
            self.open.append(pair)
            if text:
                pair[1].write(text)
                with contextlib.suppress(OSError):
                    await asyncio.wait_for(pair[1].drain(), 1)  # who is not read from is left alone
            return pair

        return await many(count, make)


async def work(region, seen):
    """The active ones: each request is answered, and nothing else comes."""

    async def one(n):
        reader, writer = await dial(region, tls=n % 10 == 0)
        for _ in range(REQUESTS):
            assert await answered(reader, writer)
            seen.append(n)
        writer.close()

    await many(ACTIVE, one, ACTIVE)


def told(what, region, before):
    print(f"\n{what}: {before:.0f} MB before, {resident_mb(region):.0f} MB then")


def test_idle_and_active_connections(region):
    before, seen = resident_mb(region), []

    async def run():
        async with Load() as load:
            began = time.time()
            await load.add(region, IDLE // 10, tls=True)
            await load.add(region, IDLE - IDLE // 10)
            # as many are there as were opened, but for those that were idle for too long by then
            count = await asyncio.to_thread(lambda: region.status()["gateway"]["connections"])
            assert count >= IDLE or time.time() - began > 50
            await work(region, seen)
            told(f"{IDLE} idle connections, {ACTIVE} active ones", region, before)
            if not is_sanitized(region):
                assert resident_mb(region) < BASE_MB + IDLE * PLAIN_KB / 1024 + (IDLE // 10 + ACTIVE) * TLS_KB / 1024
            stored = await asyncio.to_thread(region.ingest, "meanwhile", [{"n": 1}])
            assert stored.status_code == 200

    asyncio.run(run())
    assert len(seen) == ACTIVE * REQUESTS
    wait(lambda: region.status()["gateway"]["connections"] < 20)


KEY = b"Authorization: Bearer %s\r\n"
ODD_ONES = {
    "heads that go on": b"GET /v1/health HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * 12_000,
    "heads without end": b"GET /v1/health HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000,
    "bodies that stop": b"POST /v1/none HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 1_000_000,
    "chunks without end": b"POST /v1/none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 0x1000 + b"\r\n1",
    "one byte": b"G",
    "requests that are not waited for": HEALTH * 200,
    "noise": bytes(range(256)) * 8,
}


@pytest.mark.parametrize("tls", (False, True), ids=("plain", "tls"))
def test_odd_ones_hold_up_nobody(region, tls):
    before, seen = resident_mb(region), []

    async def run():
        async with Load() as load:
            for text in ODD_ONES.values():
                await load.add(region, ODD, text, tls)
            for reader, writer in await load.add(region, ODD, HEALTH, tls):
                if not tls:
                    writer.write_eof()  # half open: it gets its answer
                    assert (await reader.read()).endswith(b'{"status":"ok"}')
            await work(region, seen)
            told(f"{ODD} each of {', '.join(ODD_ONES)}{' by TLS' if tls else ''}", region, before)
            if not is_sanitized(region):
                assert resident_mb(region) < BASE_MB + BODIES_MB + (len(ODD_ONES) + 1) * ODD * (TLS_KB + 40) / 1024
            assert (await asyncio.to_thread(region.ingest, "besides", [{"n": 1}])).status_code in (200, 503)  # bodies may be full

    asyncio.run(run())
    assert len(seen) == ACTIVE * REQUESTS
    wait(lambda: region.status()["gateway"]["connections"] < 20, 120)
    assert region.ingest("besides", [{"n": 2}]).status_code == 200
    comes_back(region)


def h2_frame(kind, flags, stream, body):
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def test_heads_that_grow_when_they_are_unpacked(region):
    """One field of 4,000 bytes in HPACK's table, named 4,000 times a head by one byte each: 16 MB a stream, were it taken."""
    before, seen = resident_mb(region), []
    start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(4, 0, 0, b"")
    fields = b"\x82\x86\x84\x41\x01x"
    first = h2_frame(1, 5, 1, fields + b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000)
    bombs = b"".join(h2_frame(1, 5, n, fields + b"\xbe" * 4000) for n in range(3, 200, 2))

    async def run():
        async with Load() as load:
            await load.add(region, ODD, start + first + bombs)
            await work(region, seen)
            told(f"{ODD} connections with 100 heads of 16 MB each", region, before)
            if not is_sanitized(region):
                assert resident_mb(region) < BASE_MB + ODD * 1024 / 1024 + BODIES_MB

    asyncio.run(run())
    assert len(seen) == ACTIVE * REQUESTS
    wait(lambda: region.status()["gateway"]["connections"] < 20, 120)
