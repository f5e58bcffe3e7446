"""TLS at the edge router of several regions (`prism up --regions --tls`), with clients that nobody here wrote: curl, OpenSSL, Python."""

import json
import socket
import subprocess

import pytest

from conftest import free_port
from region_kit import wait
from test_regions import EU, Regions, pytestmark, write_under_kills  # noqa: F401: the same needs
from tls_kit import (GROUPS_REFUSED, NOT_AS_ASKED, h2spec, issue, new_ones_are_shown_without_a_failed_request, no_old_protocol_and_no_weak_suite,
                     no_renegotiation, no_weak_group)

# What Node.js' HTTP/2 does otherwise than the gateway's; docs/design/tls.md says why that is safe.
NODE_NOT_AS_ASKED = {
    ("http2/5.1", "closed: Sends a HEADERS frame after sending RST_STREAM frame"),
    ("http2/5.1", "closed: Sends a HEADERS frame"),
    ("http2/5.1", "half closed (remote): Sends a HEADERS frame"),  # where the answer has closed the stream first
    ("http2/5.1.1", "Sends stream identifier that is numerically smaller than previous"),
    ("http2/6.7", "Sends a PING frame with ACK"),
    ("http2/6.9.1", "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1"),
}

HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Tls(Regions):
    def __init__(self, folder, env=None):
        super().__init__(folder, env=env)
        self.tls_port = free_port()

    @property
    def authority(self):
        return self.data / "tls" / "ca.pem"

    def curl(self, *args, fails=False):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", "--cacert", self.authority, *args], capture_output=True, text=True)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    r = Tls(tmp_path_factory.mktemp("t") / "d", {"PRISM_INGEST_LEASE_S": "6"})  # then a claim whose process was killed is taken over
    r.told = r.json("up", "--detach", "--regions", ",".join(r.names), "--tls-port", r.tls_port, "--tls-names", "edge.example.test")
    r.settle()
    yield r
    r.down()


def test_up_says_how_to_trust_it(regions):
    assert regions.told["tls"] == {"endpoint": f"https://localhost:{regions.tls_port}", "port": regions.tls_port, "authority": str(regions.authority)}
    assert (regions.data / "tls" / "server.key").stat().st_mode & 0o777 == 0o600
    assert regions.status()["tls_port"] == regions.tls_port
    assert f"curl --cacert {regions.authority}" in regions.run("up", "--detach").stdout


@pytest.mark.parametrize("options", (["--tls-max", "1.2"], ["--tlsv1.3"], ["--http1.1"]), ids=" ".join)  # HTTP/2 if nothing else is said
def test_curl_stores_and_queries_in_another_region(regions, options):
    name = "t" + "".join(c for c in options[-1] if c.isdigit())
    key = regions.tenant_in(EU, f"acme-{name}")
    url, credential = f"https://localhost:{regions.tls_port}", ["-H", f"Authorization: Bearer {key}"]
    lines = regions.data / f"{name}.ndjson"
    lines.write_text("".join(json.dumps({"n": n, "text": "x" * 1000}) + "\n" for n in range(2000)))
    stored = regions.curl(*options, *credential, "-H", "Content-Type: application/x-ndjson", "--data-binary", f"@{lines}", "-w", "\n%{http_version} %{http_code}",
                          f"{url}/v1/ingest/{name}")
    assert stored.endswith("\n1.1 200" if "--http1.1" in options else "\n2 200"), stored
    found = regions.curl(*options, *credential, "-H", "Content-Type: application/json", "-H", "Accept: application/x-ndjson", "-d",
                         json.dumps({"sql": f"SELECT n, text FROM {name} ORDER BY n"}), f"{url}/v1/query")
    assert [json.loads(line)["n"] for line in found.splitlines()] == list(range(2000))


def test_names_and_addresses_are_on_the_certificate(regions):
    for name in ("localhost", "127.0.0.1", "edge.example.test"):
        assert regions.curl("--resolve", f"{name}:{regions.tls_port}:127.0.0.1", f"https://{name}:{regions.tls_port}/v1/health") == '{"status":"ok"}'
    regions.curl("--resolve", f"other.example.test:{regions.tls_port}:127.0.0.1", f"https://other.example.test:{regions.tls_port}/v1/health", fails=True)


def test_no_old_protocol_and_no_weak_suite(regions):
    no_old_protocol_and_no_weak_suite(regions.tls_port, regions.authority)


def test_a_client_cannot_renegotiate(regions):
    no_renegotiation(regions.tls_port, regions.authority, "/v1/health", b'{"status":"ok"}')
    assert regions.call("GET", "/v1/health").status_code == 200


def test_what_is_no_tls_is_closed_and_logged(regions):
    with socket.create_connection(("127.0.0.1", regions.tls_port), timeout=60) as s:
        s.sendall(HEALTH)
        while s.recv(65536):
            pass
    assert wait(lambda: "a TLS handshake failed" in (regions.data / "logs" / "router.log").read_text())


def test_http2_is_for_tls_alone(regions):
    """As at CloudFront; and who agreed on HTTP/1.1 speaks that."""
    regions.curl("--http2-prior-knowledge", regions.url + "/v1/health", fails=True)
    assert regions.curl("--http1.1", "-w", " %{http_version}", f"https://localhost:{regions.tls_port}/v1/health") == '{"status":"ok"} 1.1'


def test_h2spec(regions, tmp_path):
    assert h2spec(regions.tls_port, tmp_path) <= NOT_AS_ASKED | NODE_NOT_AS_ASKED
    assert regions.call("GET", "/v1/health").status_code == 200


def test_over_http2_kills_of_regions_and_router_lose_and_double_nothing(regions):
    key = regions.tenant_in(EU, "fire")

    def ingest(n):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", "--cacert", regions.authority, "-w", "%{http_version} %{http_code}", "-o", "/dev/null",
                               "-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/x-ndjson", "-H", f"Idempotency-Key: k{n}",
                               "-d", json.dumps({"n": n}), f"https://localhost:{regions.tls_port}/v1/ingest/app"], capture_output=True, text=True)
        if done.returncode != 0:
            return None
        version, status = done.stdout.split()
        assert version == "2"
        return int(status)

    write_under_kills(regions, 60, ingest)
    wait(lambda: regions.query("SELECT 1", key=key).status_code == 200, seconds=60, every=0.2)
    assert regions.rows("SELECT count(*), count(DISTINCT n) FROM app", key=key) == [[60, 60]]


def test_new_certificates_are_shown_without_a_failed_request(tmp_path_factory):
    folder = tmp_path_factory.mktemp("t")
    own = folder / "own"
    own.mkdir()
    issue(own, 1)
    regions = Tls(folder / "d")
    regions.up("--tls-port", regions.tls_port, "--tls-cert", own / "server.pem", "--tls-key", own / "server.key")
    try:
        new_ones_are_shown_without_a_failed_request(
            regions.tls_port, own, HEALTH, lambda got: got.startswith(b"HTTP/1.1 200 ") and got.endswith(b'{"status":"ok"}'))
        for version in GROUPS_REFUSED:  # here, where the key is RSA: OpenSSL shows a key on a curve to those only who offer the curve
            no_weak_group(regions.tls_port, own / "ca.pem", version)
        (own / "server.key").write_text("no key")
        assert wait(lambda: "the old certificate is still shown" in (regions.data / "logs" / "region.log").read_text())
        assert subprocess.run(["curl", "-sS", "--cacert", own / "ca.pem", f"https://localhost:{regions.tls_port}/v1/health"],
                              capture_output=True, text=True, timeout=60).stdout == '{"status":"ok"}'
    finally:
        regions.down()


def test_tls_is_remembered_until_it_is_ended(tmp_path_factory):
    regions = Tls(tmp_path_factory.mktemp("t") / "d")
    up = ["up", "--detach", "--regions", ",".join(regions.names)]
    for wrong in (["--tls-clients", "a=b"], ["--no-tls", "--tls"], ["--tls-cert", "x"]):
        assert regions.run(*up, *wrong, check=False).returncode == 2
    with socket.create_server(("127.0.0.1", regions.tls_port)):
        taken = regions.run(*up, "--tls-port", regions.tls_port, check=False)
        assert taken.returncode == 1 and f"port {regions.tls_port} is in use" in taken.stderr and "--tls-port" in taken.stderr, taken.stderr
    try:
        assert regions.json(*up)["tls"]["port"] == regions.tls_port
        first = regions.authority.read_text()
        regions.down()
        assert regions.json("up", "--detach")["tls"]["port"] == regions.tls_port and regions.authority.read_text() == first
        assert regions.curl(f"https://localhost:{regions.tls_port}/v1/health") == '{"status":"ok"}'
        regions.down()
        assert "tls" not in regions.json("up", "--detach", "--no-tls")
    finally:
        regions.down()
