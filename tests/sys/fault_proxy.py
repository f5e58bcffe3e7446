"""What lies between functions and their stores in a bad hour: relays on loopback ports that break what passes through them, as a seed says.

`Faults` decides what befalls a request; `HttpRelay` stands before an emulator of AWS, `TcpRelay` before PostgreSQL. The same seed gives the
same sequence of decisions; which request meets which of them depends on the order in which they come."""

import collections
import contextlib
import http.client
import http.server
import json
import os
import random
import select
import socket
import socketserver
import struct
import threading
import time

# After the request was carried out: `lost` (no answer), `half` (of the answer's body), `failed after` (a 500). Before: the others.
OF_HTTP = ["slow", "failed", "failed after", "throttled", "reset", "lost", "half", "expired"]
OF_TCP = ["slow", "reset", "lost"]


class Faults:
    """None until begin()."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = collections.Counter()
        self.end()

    def begin(self, seed, share, at_most):
        """`share` of what comes meets a fault, `at_most` in all, so that clients who repeat get through in the end."""
        with self.lock:
            self.chance, self.share, self.left = random.Random(seed), share, at_most

    def end(self):
        with self.lock:
            self.chance, self.share, self.left = random.Random(0), 0.0, 0

    def next(self, kinds, share=1.0):
        """(kind or None, a number from 0 to 1)."""
        with self.lock:
            if self.left <= 0 or self.chance.random() >= self.share * share:
                return None, 0.0
            self.left -= 1
            kind = self.chance.choice(kinds)
            self.seen[kind] += 1
            return kind, self.chance.random()


def reset(connection):
    """Ends it with a RST, whatever still refers to it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())


def refusal(service, name, status):
    """As the service would say it: (status, headers, body)."""
    if service == "s3":
        return status, {"Content-Type": "application/xml"}, f"<Error><Code>{name}</Code><Message>injected</Message></Error>".encode()
    return status, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps({"__type": f"com.amazonaws#{name}", "message": "injected"}).encode()


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Who reset a connection, or was reset, is no news here."""


class HttpRelay:
    def __init__(self, faults, upstream_port):
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def any(self):
                relay.pass_on(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = any

        self.faults, self.upstream_port = faults, upstream_port
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def ask(self, handler, body):
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=60)
        try:
            upstream.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                if name.lower() != "connection":
                    upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            return answer.status, {k: v for k, v in answer.getheaders() if k.lower() not in ("connection", "transfer-encoding", "content-length")}, answer.read()
        finally:
            upstream.close()

    def pass_on(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        target = handler.headers.get("X-Amz-Target", "")
        service = "dynamodb" if target.startswith("DynamoDB") else "secretsmanager" if target else "s3"
        kind, number = self.faults.next(OF_HTTP)
        if kind == "slow":
            time.sleep(number * 2)
        if kind == "reset":
            return reset(handler.connection)
        if kind == "failed":
            status, headers, answer = refusal(service, "InternalError" if service == "s3" else "InternalServerError", 500)
        elif kind == "throttled":
            status, headers, answer = refusal(service, *{"s3": ("SlowDown", 503), "dynamodb": ("ProvisionedThroughputExceededException", 400)}.get(service, ("ThrottlingException", 400)))
        elif kind == "expired":
            status, headers, answer = refusal(service, "ExpiredToken" if service == "s3" else "ExpiredTokenException", 400)
        else:
            status, headers, answer = self.ask(handler, body)
        if kind == "lost":
            return reset(handler.connection)
        if kind == "failed after":
            status, headers, answer = refusal(service, "InternalError" if service == "s3" else "InternalServerError", 500)
        handler.send_response_only(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        if handler.command == "HEAD":
            return None
        if kind == "half":
            handler.wfile.write(answer[:int(len(answer) * number)])
            handler.wfile.flush()
            return reset(handler.connection)
        handler.wfile.write(answer)
        return None


class TcpRelay:
    """A piece of a stream meets a fault far less often than a request does, as there are many to a transaction."""

    def __init__(self, faults, upstream_port, share=0.2):
        self.faults, self.upstream_port, self.share = faults, upstream_port, share
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        try:
            upstream = socket.create_connection(("127.0.0.1", self.upstream_port))
        except OSError:
            return reset(client)
        other = {client: upstream, upstream: client}
        with contextlib.suppress(OSError):
            while True:
                for side in select.select([client, upstream], [], [])[0]:
                    piece = side.recv(65536)
                    kind, number = self.faults.next(OF_TCP, self.share)
                    if kind == "slow":
                        time.sleep(number)
                    if kind == "lost":  # it arrives, and what comes back does not
                        other[side].sendall(piece)
                    if not piece or kind in ("reset", "lost"):
                        reset(client)
                        return reset(upstream)
                    other[side].sendall(piece)
        reset(client)
        return reset(upstream)
