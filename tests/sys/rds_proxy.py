"""What RDS Proxy asks of a client, in front of a real PostgreSQL: TLS, an IAM token in place of a password, nothing in the startup packet that
it does not know, and no session state: `pins` are the messages for which the proxy would tie the client to its connection for good.

Signatures are compared with botocore's. Startup: https://github.com/psycopg/psycopg2/issues/1577 and others; pinning:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-proxy-pinning.html"""

import contextlib
import datetime
import re
import socket
import ssl
import struct
import threading
import unittest.mock
import urllib.parse

import botocore.auth
import botocore.session

KNOWN = {"user", "database", "client_encoding", "application_name"}
PINS = re.compile(r"\b(PREPARE|EXECUTE|DEALLOCATE|DISCARD|LISTEN|DECLARE|TEMP|TEMPORARY|set_config|nextval|setval|pg_advisory_lock|pg_try_advisory_lock)\b"
                  r"|(^|;)\s*SET\s+(?!LOCAL\b)", re.IGNORECASE)  # SET as a statement, not of an UPDATE


class Signatures:
    """As botocore makes them; its clock is set to when a token was made, for one at a time."""

    def __init__(self, credentials, region):
        self.lock = threading.Lock()
        self.client = botocore.session.Session().create_client("rds", region_name=region, aws_access_key_id=credentials[0],
                                                               aws_secret_access_key=credentials[1])

    def token_is_good(self, token, host, port, user):
        """Made within the last minute, for 15."""
        query = dict(urllib.parse.parse_qsl(token.partition("?")[2]))
        made = datetime.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if abs((datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()) > 60:
            return False
        with self.lock, unittest.mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: made.replace(tzinfo=None)):
            wanted = self.client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
        return (token.startswith(f"{host}:{port}/?") and query == dict(urllib.parse.parse_qsl(wanted.partition("?")[2]))
                and query["X-Amz-Expires"] == "900")


class Proxy:
    def __init__(self, upstream, certificate, key, host, credentials, region):
        self.upstream, self.host, self.signatures = upstream, host, Signatures(credentials, region)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.tokens, self.refused, self.pins = 0, [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    @staticmethod
    def exactly(client, n):
        found = b""
        while len(found) < n:
            more = client.recv(n - len(found))
            if not more:
                raise OSError("the end")
            found += more
        return found

    def refuse(self, client, code, text):
        self.refused.append(text)
        fields = b"SFATAL\0VFATAL\0C" + code + b"\0M" + text.encode() + b"\0\0"
        client.sendall(b"E" + struct.pack("!I", 4 + len(fields)) + fields)
        client.close()

    def serve(self, client):
        with contextlib.suppress(OSError, ssl.SSLError):
            if self.exactly(client, 8) != struct.pack("!II", 8, 80877103):
                return self.refuse(client, b"08P01", "TLS is required")
            client.sendall(b"S")
            client = self.context.wrap_socket(client, server_side=True)
            size = self.exactly(client, 4)
            startup = self.exactly(client, struct.unpack("!I", size)[0] - 4)
            words = startup[4:].rstrip(b"\0").decode().split("\0")
            settings = dict(zip(words[::2], words[1::2]))
            if settings.keys() - KNOWN:
                return self.refuse(client, b"0A000", f"Feature not supported: RDS Proxy currently doesn't support the option {settings.keys() - KNOWN}")
            client.sendall(b"R" + struct.pack("!II", 8, 3))  # a clear-text password, inside TLS
            kind, length = self.exactly(client, 1), struct.unpack("!I", self.exactly(client, 4))[0]
            token = self.exactly(client, length - 4).rstrip(b"\0").decode()
            if kind != b"p" or not self.signatures.token_is_good(token, self.host, self.port, settings["user"]):
                return self.refuse(client, b"28000", "The IAM authentication failed for the role")
            self.tokens += 1
            server = socket.create_connection(self.upstream)
            server.sendall(size + startup)
            threading.Thread(target=self.backward, args=(server, client), daemon=True).start()
            self.forward(client, server)

    @staticmethod
    def backward(server, client):
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := server.recv(65536):
                client.sendall(data)
        for one in server, client:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def forward(self, client, server):
        """Message by message: Q is a simple query, P a statement to prepare: its name, then its text."""
        try:
            while True:
                head = self.exactly(client, 5)
                body = self.exactly(client, struct.unpack("!I", head[1:])[0] - 4)
                if head[:1] == b"P" and body[0] != 0:
                    self.pins.append(body)
                text = body if head[:1] == b"Q" else body.partition(b"\0")[2].partition(b"\0")[0] if head[:1] == b"P" else b""
                if PINS.search(text.decode("utf-8", "replace")):
                    self.pins.append(text)
                server.sendall(head + body)
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
