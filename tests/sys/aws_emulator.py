"""AWS as moto has it, on a loopback port: python aws_emulator.py PORT [CA-FILE]. One request at a time, because moto
checks a condition and writes in two steps. With CA-FILE over TLS, as localhost; the certificate to trust is written there."""

import datetime
import logging
import os
import ssl
import sys
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple


def tls(ca_file):
    """A certificate that vouches for itself, valid for an hour."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    with tempfile.NamedTemporaryFile() as both:
        both.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) + pem)
        both.flush()
        context.load_cert_chain(both.name)
    with open(ca_file + ".new", "wb") as file:
        file.write(pem)
    os.rename(ca_file + ".new", ca_file)
    return context


def main():
    app, lock = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def one_at_a_time(environ, start_response):
        with lock:
            return app(environ, start_response)

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    context = tls(sys.argv[2]) if len(sys.argv) > 2 else None
    run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True, ssl_context=context)


if __name__ == "__main__":
    main()
