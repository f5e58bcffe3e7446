"""A name server on a loopback address, for what must find its way by names that are nowhere else. Port 53 and a mount namespace need root."""

import contextlib
import random
import socket
import struct
import threading


def encoded(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


class NameServer:
    """`names` are {name: another name, or an IPv4 address}; an answer holds the whole way along them."""

    def __init__(self, names):
        self.names, self.asked = names, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = f"127.{random.randrange(1, 255)}.{random.randrange(255)}.{random.randrange(1, 255)}"
        self.socket.bind((self.address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                query, client = self.socket.recvfrom(1500)
                self.socket.sendto(self.answer(query), client)

    def answer(self, query):
        at, parts = 12, []
        while query[at]:
            parts.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question, kind, name = query[12:at + 5], struct.unpack("!H", query[at + 1:at + 3])[0], ".".join(parts).lower()
        self.asked.append((name, kind))
        records = b""
        count = 0
        while found := self.names.get(name):
            is_address = found[0].isdigit()
            if is_address and kind != 1:
                break
            data = socket.inet_aton(found) if is_address else encoded(found)
            records += encoded(name) + struct.pack("!HHIH", 1 if is_address else 5, 1, 30, len(data)) + data
            count, name = count + 1, found
        return query[:2] + struct.pack("!HHHHH", 0x8180, 1, count, 0, 0) + question + records

    def around(self, folder, *command):
        """The command in a mount namespace where names are asked for here."""
        (folder / "resolv.conf").write_text(f"nameserver {self.address}\noptions timeout:2 attempts:3\n")
        return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', folder / "resolv.conf", *command]

    def close(self):
        self.socket.close()
