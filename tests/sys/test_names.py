"""By which name the gateway is called: custom domains and base paths of the contract, stages of shards, clients with certificates, handshakes that
fail. What the function is told is seen by `probe`."""

import json
import re
import socket
import ssl
import subprocess

import pytest

from conftest import free_port
from region_kit import PROBE, Tree, environment, probe_in_place_of, wait

OWN, MUTUAL = "api.example.test", "acme.example.test"
FORBIDDEN = {"message": "Forbidden"}


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def authority(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/O=Acme/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")


def client_of(folder, signer, name, serial="0x0fa0", md="sha256"):
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/C=DE/O=Acme, Inc/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
    openssl("x509", "-req", f"-{md}", "-in", folder / f"{name}.csr", "-CA", folder / f"{signer}.pem", "-CAkey", folder / f"{signer}.key",
            "-set_serial", serial, "-days", "10", "-out", folder / f"{name}.pem")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    files = folder / "clients"
    files.mkdir()
    for name in ("devices", "others"):
        authority(files, name)
    client_of(files, "devices", "device-1")
    client_of(files, "others", "stranger")
    client_of(files, "devices", "weak", md="sha1")
    (files / "trust.pem").write_text((files / "devices.pem").read_text())
    r = Tree(folder, {"catalog": PROBE}, probe_in_place_of("catalog"), env=environment(PRISM_SHARDS="shard-0,shard-1"))
    r.files, r.tls_port = files, free_port()
    r.run("up", "--detach", "--tls-port", r.tls_port, "--tls-names", OWN, "--tls-clients", f"{MUTUAL}={files / 'trust.pem'}")
    if r.warms:
        r.warm()
    yield r
    r.down()


class Refused(Exception):
    pass


def ask(tree, name, path="/v1/health", *, host=None, client=None, version="1.1", plain=False):
    """(status, headers in lower case, body) of what curl asks there by TLS for `name`."""
    port = tree.port if plain else tree.tls_port
    args = ["curl", "-sS", "--max-time", "60", "-D", "-", f"--http{version}", "--cacert", tree.data / "tls" / "ca.pem", "--resolve", f"{name}:{port}:127.0.0.1",
            "-H", f"Authorization: Bearer {tree.key}", f"{'http' if plain else 'https'}://{name}:{port}{path}"]
    if host:
        args += ["-H", f"Host: {host}"]
    if client:
        args += ["--cert", tree.files / f"{client}.pem", "--key", tree.files / f"{client}.key"]
    done = subprocess.run(args, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr)
    head, body = done.stdout.replace("\r\n", "\n").split("\n\n", 1)
    lines = head.splitlines()
    return int(lines[0].split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}, body


def event(tree, name, path="/v1/datasets", **kw):
    status, _, body = ask(tree, name, path, **kw)
    assert status == 200, body
    return json.loads(body)["event"]


@pytest.mark.parametrize("version", ("1.1", "2"))
@pytest.mark.parametrize("name", (OWN, "local.api.localhost", "failover.localhost", "origin.localhost", "localhost"))
def test_names_lead_to_the_stage_of_a_shard(tree, name, version):
    for path, stage in (("/v1/datasets", "shard-0"), ("/shard-0/v1/datasets", "shard-0"), ("/shard-1/v1/datasets?x=1", "shard-1")):
        told = event(tree, name, path, version=version)
        assert told["requestContext"]["stage"] == stage and told["stageVariables"] == {"shard": stage}
        assert told["resource"] == "/v1/datasets" and told["path"] == told["requestContext"]["path"] == path.split("?")[0]
        assert told["requestContext"]["domainName"] == name and told["requestContext"]["domainPrefix"] == name.split(".")[0]
        assert "clientCert" not in told["requestContext"]["identity"]


def test_what_is_no_base_path_has_no_route(tree):
    for path in ("/shard-2/v1/health", "/shard-1x/v1/health", "/shard-1", "/shard-1/", "/shard-1/shard-1/v1/health", "//shard-1/v1/health"):
        status, headers, body = ask(tree, OWN, path)
        assert (status, headers["content-type"]) == (404, "application/problem+json"), (path, body)


def test_a_name_that_nothing_has_is_forbidden_as_at_api_gateway(tree):
    for version in ("1.1", "2"):
        for plain in (False, True):
            if plain and version == "2":
                continue # curl would ask to be upgraded
            for host in ("evil.example.test", "example.test", f"x.{OWN}", f"{OWN}.evil.test", "x.api.localhost"):
                status, headers, body = ask(tree, "localhost", host=host, version=version, plain=plain)
                assert (status, json.loads(body), headers["x-amzn-errortype"]) == (403, FORBIDDEN, "ForbiddenException"), host
                assert headers["x-amzn-requestid"]
    for host in (OWN.upper(), f"{OWN}.", f"{OWN}:1", "127.0.0.1", "[::1]:8443", "localhost:80"):
        assert ask(tree, "localhost", host=host)[0] == 200, host


def test_the_name_of_an_absolute_target_counts_for_more_than_host(tree):
    for target, host, status in ((f"http://{OWN}/v1/health", "evil.test", 200), ("http://evil.test/v1/health", OWN, 403), ("http://evil.test:80", OWN, 403)):
        with socket.create_connection(("127.0.0.1", tree.port), timeout=60) as s:
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert s.recv(65536).startswith(f"HTTP/1.1 {status} ".encode()), target


def test_a_certificate_of_the_truststore_is_what_the_function_is_told(tree):
    for version in ("1.1", "2"):
        told = event(tree, MUTUAL, client="device-1", version=version)["requestContext"]["identity"]["clientCert"]
        assert told["subjectDN"] == "C=DE,O=Acme\\, Inc,CN=device-1" and told["issuerDN"] == "O=Acme,CN=devices"
        assert told["serialNumber"] == "0f:a0"
        assert told["clientCertPem"].strip() == (tree.files / "device-1.pem").read_text().strip()
        assert set(told["validity"]) == {"notBefore", "notAfter"}
        assert all(re.fullmatch(r"[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d 20\d\d GMT", when) for when in told["validity"].values())


@pytest.mark.parametrize("version", ("1.2", "1.3"))
@pytest.mark.parametrize("client", (None, "stranger", "weak"), ids=str)
def test_others_are_refused_at_the_handshake(tree, client, version):
    """In TLS 1.3 a client has shaken hands before it is judged: it hears of it with its first read, and no request was served."""
    context = ssl.create_default_context(cafile=tree.data / "tls" / "ca.pem")
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, f"TLSv{version.replace('.', '_')}")
    if client:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(tree.files / f"{client}.pem", tree.files / f"{client}.key")
    before = tree.status()["gateway"]["requests"]
    with socket.create_connection(("127.0.0.1", tree.tls_port), timeout=60) as s, pytest.raises((ssl.SSLError, ConnectionError)):
        with context.wrap_socket(s, server_hostname=MUTUAL) as t:
            t.sendall(f"GET /v1/health HTTP/1.1\r\nHost: {MUTUAL}\r\n\r\n".encode())
            assert t.recv(65536) == b"never"
    assert tree.status()["gateway"]["requests"] == before


def test_a_name_for_certificates_is_not_reached_around_them(tree):
    """By another name's handshake, without TLS, or by a certificate that another name was shown."""
    for kw in ({}, {"client": "device-1"}, {"version": "2"}, {"plain": True}):
        status, _, body = ask(tree, "localhost", host=MUTUAL, **kw)
        assert (status, json.loads(body)) == (403, FORBIDDEN), kw
    assert ask(tree, MUTUAL, host=OWN, client="device-1")[0] == 200 # who has shown more than was needed


def test_a_truststore_is_followed(tree):
    trust = tree.files / "trust.pem"
    with pytest.raises(Refused):
        ask(tree, MUTUAL, client="stranger")
    try:
        (tree.files / "new.pem").write_text((tree.files / "others.pem").read_text())
        (tree.files / "new.pem").rename(trust)
        wait(lambda: serves(tree, "stranger"))
        assert not serves(tree, "device-1") # no ticket of before counts
        trust.write_text("nobody")
        wait(lambda: "the old certificate is still shown" in (tree.data / "logs" / "region.log").read_text())
        assert serves(tree, "stranger")
    finally:
        trust.write_text((tree.files / "devices.pem").read_text())
    wait(lambda: serves(tree, "device-1"))


def serves(tree, client):
    try:
        return ask(tree, MUTUAL, client=client)[0] == 200
    except Refused:
        return False


def test_failed_handshakes_are_logged_and_do_not_fill_the_log(tree):
    log = tree.data / "logs" / "region.log"
    context = ssl.create_default_context(cafile=tree.data / "tls" / "ca.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    before = log.read_text().count("a TLS handshake")
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", tree.tls_port), timeout=60) as s, pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(s, server_hostname=MUTUAL)
    lines = [line for line in log.read_text().splitlines() if "a TLS handshake" in line][before:]
    assert 0 < len(lines) < 200
    assert all("with 127.0.0.1 failed: " in line for line in lines)
    assert any("PEER_DID_NOT_RETURN_A_CERTIFICATE" in line for line in lines)
    assert any("were not logged" in line for line in lines) or len(lines) == 5


def test_a_region_without_names_answers_to_any_and_keeps_what_it_was_given(tmp_path):
    r = Tree(tmp_path)
    r.run("up", "--detach")
    try:
        for name in ("evil.example.test", "local.api.localhost"):
            assert ask(r, "localhost", host=name, plain=True)[0] == 200
    finally:
        r.down()
    r.tls_port = free_port()
    for wrong, words in ((["--tls-clients", "x"], "NAME=FILE"), (["--tls-clients", "a=,b=c"], "NAME=FILE"), (["--tls-names", "no name"], "no name")):
        done = r.run("up", "--detach", "--tls-port", r.tls_port, *wrong, check=False)
        assert done.returncode != 0 and words in done.stderr
    missing = r.run("up", "--detach", "--tls-port", r.tls_port, "--tls-names", OWN, "--tls-clients", f"{MUTUAL}={tmp_path}/none.pem", check=False)
    assert missing.returncode == 1 and "none.pem" in missing.stderr
