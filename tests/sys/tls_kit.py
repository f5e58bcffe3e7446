"""What is asked of TLS wherever it is spoken, with OpenSSL's client and Python's: by the gateway of a region, by the router of several."""

import re
import socket
import ssl
import subprocess
import threading
import xml.etree.ElementTree

from conftest import foreign
from region_kit import wait

# What RFC 8446, 8422 and 7027 have besides; a client may offer it, and nothing of it is taken.
GROUPS = {"X25519": "X25519, 253 bits", "P-256": "ECDH, prime256v1, 256 bits", "P-384": "ECDH, secp384r1, 384 bits"}
GROUPS_REFUSED = {"-tls1_2": "secp521r1:X448:secp256k1:secp224r1:secp192r1:secp192k1:secp160r1:sect571r1:sect283k1:sect163k1"
                             ":brainpoolP256r1:brainpoolP384r1:brainpoolP512r1",
                  "-tls1_3": "secp521r1:X448:ffdhe2048:ffdhe3072:ffdhe4096:ffdhe6144:ffdhe8192"}

# What nghttp2 does otherwise than h2spec 2.2.1 (of RFC 7540) asks; docs/design/tls.md says why that is safe.
NOT_AS_ASKED = {
    ("http2/5.1", "half closed (remote): Sends a DATA frame"),
    ("http2/5.1", "closed: Sends a DATA frame after sending RST_STREAM frame"),
    ("http2/5.1", "closed: Sends a DATA frame"),
    ("http2/5.3.1", "Sends PRIORITY frame that depend on itself"),
    ("http2/6.1", 'Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state'),
    ("http2/6.9.1", "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream"),
}


def openssl(port, authority, *options):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", authority, *options],
                          input="", capture_output=True, text=True, timeout=60)


def s_client(port, authority, *options):
    """What was agreed on, e.g. ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"); None: nothing."""
    for line in openssl(port, authority, *options).stdout.splitlines():
        if line.startswith("New, TLSv") and "(NONE)" not in line:
            return line.split(", ")[1], line.rsplit(" ", 1)[1]
    return None


def no_old_protocol_and_no_weak_suite(port, authority):
    lenient = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    for old in ("-tls1", "-tls1_1"):
        assert s_client(port, authority, old, *lenient) is None
    for version in ("-tls1_2", "-tls1_3"):
        assert s_client(port, authority, version)
    suites = subprocess.run(["openssl", "ciphers", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, text=True, check=True)
    names = suites.stdout.strip().split(":")
    weak = [n for n in names if not n.startswith("TLS_") and not ("ECDHE" in n and ("GCM" in n or "CHACHA20" in n) and "PSK" not in n)]
    assert len(weak) > 50  # all at once: one of them would do
    assert s_client(port, authority, "-tls1_2", "-cipher", ":".join(weak) + ":@SECLEVEL=0") is None
    assert "Secure Renegotiation IS supported" in openssl(port, authority, "-tls1_2").stdout


def no_weak_group(port, authority, version):
    def offer(groups):
        return openssl(port, authority, version, "-cipher", "ALL:@SECLEVEL=0", "-groups", groups)
    for group, told in GROUPS.items():
        assert f"Server Temp Key: {told}\n" in offer(group).stdout, group
    refused = offer(GROUPS_REFUSED[version])  # all at once: one of them would do
    assert "Server Temp Key" not in refused.stdout
    assert "SSL alert number 40" in refused.stderr, refused.stderr  # the server's word, so that the client did offer them


def no_renegotiation(port, authority, path, answer):
    """Each would cost the server a handshake, CVE-2011-1473; the connection is over for who tries."""
    with subprocess.Popen(["timeout", "60", "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", authority, "-tls1_2"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0) as client:
        client.stdin.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        told = b""
        while answer not in told:
            piece = client.stdout.read(65536)
            assert piece, told
            told += piece
        client.stdin.write(b"R\n")  # a read of its own: s_client's command
        told = b"".join(iter(lambda: client.stdout.read(65536), b""))
    assert b"RENEGOTIATING" in told and b"no renegotiation" in told and client.returncode == 1, told


def issue(folder, serial):
    """A certificate of an authority in the folder, in the place of the one before."""
    ca = folder / "ca.pem"
    if not ca.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-subj", "/CN=own authority", "-keyout", folder / "ca.key", "-out", ca], check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", folder / "new.key", "-out", folder / "new.csr"], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", folder / "new.csr", "-CA", ca, "-CAkey", folder / "ca.key", "-set_serial", str(serial),
                    "-days", "30", "-copy_extensions", "copy", "-out", folder / "new.pem"], check=True, capture_output=True)
    (folder / "new.pem").rename(folder / "server.pem")
    (folder / "new.key").rename(folder / "server.key")


def new_ones_are_shown_without_a_failed_request(port, folder, request, answers):
    """Certificates of issue() change while four clients ask, on one connection for all requests or one each; answers(bytes): whole, and right."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    over, failures, counts = threading.Event(), [], []

    def connect():
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60), server_hostname="localhost")

    def ask(fresh):
        count, kept = 0, None
        try:
            while not over.is_set():
                s = kept or connect()
                kept = None if fresh else s
                s.sendall(request)
                got = b""
                while not answers(got):
                    piece = s.recv(65536)
                    assert piece, got
                    got += piece
                count += 1
                if fresh:
                    s.close()
        except Exception as problem:  # whatever it is, the request failed
            failures.append(repr(problem))
        counts.append(count)

    def serial():
        with connect() as s:
            return int(s.getpeercert()["serialNumber"], 16)

    threads = [threading.Thread(target=ask, args=(n % 2 == 0,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in (2, 3):
            issue(folder, number)
            assert wait(lambda: serial() == number, 60)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures and all(counts) and len(counts) == 4


def h2spec(port, folder):
    """The cases that failed."""
    report = folder / "report.xml"
    subprocess.run([foreign("PRISM_H2SPEC", "h2spec"), "-h", "localhost", "-p", str(port), "-t", "-k", "-P", "/v1/health",
                    "-o", "5", "-j", report, "generic", "hpack", "http2"], capture_output=True, timeout=170)
    failed, count = set(), 0
    text = re.sub("[\0-\x08\x0b\x0c\x0e-\x1f]", "?", report.read_text(errors="replace"))  # bytes of frames, which XML does not know
    for suite in xml.etree.ElementTree.fromstring(text).iter("testsuite"):
        for case in suite.iter("testcase"):
            count += 1
            if case.find("failure") is not None or case.find("error") is not None:
                failed.add((case.get("package"), case.get("classname")))
    assert count == 145
    return failed
