"""TLS and HTTP/2 at the gateway with clients that nobody here wrote: curl, OpenSSL, Python, h2spec."""

import json
import socket
import ssl
import subprocess
import urllib.request

import pytest

from conftest import Region, free_port
from tls_kit import (GROUPS_REFUSED, NOT_AS_ASKED, h2spec, issue, new_ones_are_shown_without_a_failed_request, no_old_protocol_and_no_weak_suite,
                     no_renegotiation, no_weak_group)


class Tls(Region):
    def __init__(self, data):
        super().__init__(data)
        self.tls_port = free_port()

    @property
    def authority(self):
        return self.data / "tls" / "ca.pem"

    def curl(self, *args):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", "--cacert", self.authority, *args], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    r = Tls(tmp_path_factory.mktemp("tls"))
    r.told = r.json("up", "--detach", "--tls-port", r.tls_port)
    if r.warms:
        r.warm()
    yield r
    r.down()


def test_a_request_may_come_together_with_the_end_of_the_handshake(region):
    """A client of TLS 1.3 writes behind its Finished at once, and a busy server reads both together: more than a handshake may have."""
    context = ssl.create_default_context(cafile=region.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    body = b"".join(b'{"n": %d, "text": "%s"}\n' % (n, b"x" * 1000) for n in range(300))
    head = (f"POST /v1/ingest/together HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {region.key}\r\n"
            f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode()
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(into, out, server_hostname="localhost")
    with socket.create_connection(("localhost", region.tls_port), timeout=60) as s:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                s.sendall(out.read())
                into.write(s.recv(65536))
        client.write(head + body)
        s.sendall(out.read())  # Finished and all of the request
        answer = b""
        while b"\r\n\r\n" not in answer:
            try:
                answer += client.read(65536)
            except ssl.SSLWantReadError:
                data = s.recv(65536)
                assert data, "the connection ended without an answer"
                into.write(data)
    assert answer.startswith(b"HTTP/1.1 200 "), answer


def test_up_says_how_to_trust_it(region):
    assert region.told["tls"] == {"endpoint": f"https://localhost:{region.tls_port}", "port": region.tls_port,
                                  "authority": str(region.authority)}
    assert (region.data / "tls" / "ca.key").stat().st_mode & 0o777 == 0o600
    assert f"curl --cacert {region.authority}" in region.run("up", "--detach").stdout


@pytest.mark.parametrize("options", (["--http1.1", "--tls-max", "1.2"], ["--http1.1", "--tlsv1.3"],
                                     ["--http2", "--tls-max", "1.2"], ["--http2", "--tlsv1.3"]), ids=" ".join)
def test_curl_stores_and_queries(region, options):
    version = "2" if "--http2" in options else "1.1"
    url, key = f"https://localhost:{region.tls_port}", ["-H", f"Authorization: Bearer {region.key}"]
    name = "t" + "".join(c for c in "".join(options) if c.isalnum())
    lines = "".join(json.dumps({"n": n, "text": "x" * 1000}) + "\n" for n in range(2000))
    (region.data / "tmp" / name).write_text(lines)
    stored = region.curl(*options, *key, "-H", "Content-Type: application/x-ndjson", "--data-binary", f"@{region.data}/tmp/{name}",
                         "-w", "\n%{http_version} %{http_code}", f"{url}/v1/ingest/{name}")
    assert stored.endswith(f"\n{version} 200"), stored
    found = region.curl(*options, *key, "-H", "Content-Type: application/json", "-H", "Accept: application/x-ndjson",
                        "-d", json.dumps({"sql": f"SELECT n, text FROM {name} ORDER BY n"}), f"{url}/v1/query")
    assert [json.loads(line)["n"] for line in found.splitlines()] == list(range(2000))


def test_http2_by_prior_knowledge_on_the_plain_port(region):
    told = region.curl("--http2-prior-knowledge", "-w", " %{http_version} %{http_code}", region.url + "/v1/health")
    assert told.endswith(" 2 200")


def test_addresses_and_names_are_on_the_certificate(region):
    context = ssl.create_default_context(cafile=region.authority)
    for host in ("localhost", "127.0.0.1"):
        with urllib.request.urlopen(f"https://{host}:{region.tls_port}/v1/health", context=context, timeout=60) as answer:
            assert answer.status == 200


def test_no_old_protocol_and_no_weak_suite(region):
    no_old_protocol_and_no_weak_suite(region.tls_port, region.authority)


@pytest.mark.parametrize("version", GROUPS_REFUSED)
def test_no_weak_group(region, version):
    no_weak_group(region.tls_port, region.authority, version)


def test_a_client_cannot_renegotiate(region):
    no_renegotiation(region.tls_port, region.authority, "/v1/health", b'{"status":"ok"}')
    assert region.call("GET", "/v1/health").status_code == 200


def test_what_is_no_tls_is_answered_or_closed(region):
    with socket.create_connection(("127.0.0.1", region.tls_port), timeout=60) as s:
        s.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(65536).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection(("127.0.0.1", region.tls_port), timeout=60) as s:
        s.sendall(b"\x00" * 1000)
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass


def test_h2spec(region, tmp_path):
    assert h2spec(region.tls_port, tmp_path) <= NOT_AS_ASKED
    assert region.call("GET", "/v1/health").status_code == 200


def test_tls_is_remembered_until_it_is_ended(tmp_path):
    region = Tls(tmp_path)
    region.run("up", "--detach", "--tls-port", region.tls_port)
    first = region.authority.read_text()
    region.down()
    told = region.json("up", "--detach", "--tls-names", "api.example.test")
    assert told["tls"]["port"] == region.tls_port and region.authority.read_text() == first
    region.curl("--resolve", f"api.example.test:{region.tls_port}:127.0.0.1", "--fail", f"https://api.example.test:{region.tls_port}/v1/health")
    region.down()
    assert "tls" not in region.json("up", "--detach", "--no-tls")
    region.down()
    for wrong in (["--tls-cert", "x"], ["--no-tls", "--tls"], ["--tls-port", "70000"]):
        assert region.run("up", "--detach", *wrong, check=False).returncode == 2
    missing = region.run("up", "--detach", "--tls-cert", tmp_path / "none.pem", "--tls-key", tmp_path / "none.key", check=False)
    assert missing.returncode == 1 and "none.pem" in missing.stderr


def test_new_certificates_are_shown_without_a_failed_request(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    issue(own, 1)
    region = Tls(tmp_path / "data")
    region.run("up", "--detach", "--tls-port", region.tls_port, "--tls-cert", own / "server.pem", "--tls-key", own / "server.key")
    try:
        new_ones_are_shown_without_a_failed_request(
            region.tls_port, own, b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
            lambda got: got.startswith(b"HTTP/1.1 200 ") and got.endswith(b'{"status":"ok"}'))
    finally:
        region.down()
