"""Peers of the ported programs: plain blocking sockets, as in peers.hpp."""

import socket

from recorders import Stream


class Listener:
    def __init__(self, family=socket.AF_INET):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self.socket.listen(16)
        self.address = self.socket.getsockname()[:2]

    def accept(self):
        return self.socket.accept()[0]

    def close(self):
        self.socket.close()


def connect_to(address):
    peer = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    peer.connect(address)
    return peer


class DeadPort:
    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = self.socket.getsockname()


def recv_exactly(peer, count):
    data = b""
    while len(data) < count:
        data += peer.recv(count - len(data))
    return data


def recv_until_eof(peer):
    data = b""
    while True:
        piece = peer.recv(65536)
        if not piece:
            return data
        data += piece


def connect(s, protocol):
    listener = Listener()
    transport, _ = s.loop.run_until_complete(
        s.loop.create_connection(lambda: protocol, *listener.address))
    peer = listener.accept()
    listener.close()
    return transport, peer


def connected(s, name="c"):
    seen = Stream(s, name)
    transport, peer = connect(s, seen)
    return transport, seen, peer


def attempt_connect(s, *arguments, **options):
    made = s.finish(s.loop.create_connection(lambda: Stream(s, "c"), *arguments, **options))
    return "connected" if made.startswith("(") else made
