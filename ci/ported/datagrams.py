"""Ported programs: datagram endpoints, as in datagrams.cpp."""

import os
import socket

from programs import Boom, program
from recorders import Datagrams, Recorder

LOOPBACK = ("127.0.0.1", 0)


class Open:
    def __init__(self, s, name, **options):
        self.seen = Datagrams(s, name)
        self.transport, _ = s.loop.run_until_complete(
            s.loop.create_datagram_endpoint(lambda: self.seen, **options))

    def address(self):
        return self.transport.get_extra_info("sockname")


def bound(s, name):
    return Open(s, name, local_addr=LOOPBACK)


def connected(s, name, to):
    return Open(s, name, remote_addr=to)


def refusal(s, **options):
    made = s.finish(s.loop.create_datagram_endpoint(lambda: Datagrams(s, "d"), **options))
    return "taken" if made.startswith("(") else made


@program("datagrams.exchange")
def exchange(s):
    server = bound(s, "server")
    client = connected(s, "client", server.address())
    client.transport.sendto(b"ping")
    s.run_until(lambda: server.seen.senders)
    s.say("from the client", server.seen.senders[0] == client.address())
    server.transport.sendto(b"pong", server.seen.senders[0])
    s.run_until(lambda: client.seen.senders)
    client.transport.close()
    client.transport.close()
    s.say("closing", client.transport.is_closing())
    s.turn(2)
    server.transport.abort()
    s.turn(2)


@program("datagrams.names")
def names(s):
    def has(end, name):
        return end.transport.get_extra_info(name) is not None
    server = bound(s, "server")
    client = connected(s, "client", server.address())
    s.say("server", has(server, "sockname"), has(server, "peername"))
    s.say("client", has(client, "sockname"), has(client, "peername"))
    s.say("unknown", has(client, "no such name"))


@program("datagrams.another_address")
def another_address(s):
    server, stranger = bound(s, "server"), bound(s, "stranger")
    client = connected(s, "client", server.address())
    s.say("wrong", s.attempt(client.transport.sendto, b"astray", stranger.address()))
    s.say("right", s.attempt(client.transport.sendto, b"at home", server.address()))
    s.run_until(lambda: server.seen.senders)


@program("datagrams.empty_datagram")
def empty_datagram(s):
    server = bound(s, "server")
    client = connected(s, "client", server.address())
    client.transport.sendto(b"")
    client.transport.sendto(b"full")
    client.transport.sendto(b"last")
    s.run_until(lambda: server.seen.data == b"last")


@program("datagrams.port_unreachable")
def port_unreachable(s):
    gone = bound(s, "gone")
    nobody = gone.address()
    gone.transport.close()
    s.turn(2)
    client = connected(s, "client", nobody)
    client.transport.sendto(b"anybody?")
    s.run_until(lambda: client.seen.errors > 0)
    s.say("closing", client.transport.is_closing())


@program("datagrams.too_large")
def too_large(s):
    server = bound(s, "server")
    client = connected(s, "client", server.address())
    client.transport.sendto(b"x" * 65_508)
    s.turn(2)
    s.say("closing", client.transport.is_closing())


@program("datagrams.after_close")
def after_close(s):
    client = bound(s, "client")
    address = client.address()
    client.transport.close()
    s.attempt(client.transport.sendto, b"late", address)
    s.turn(3)


@program("datagrams.own_socket")
def own_socket(s):
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(LOOPBACK)
    before = own.getsockname()
    end = Open(s, "own", sock=own)
    s.say("its address", end.address() == before)
    end.transport.sendto(b"to myself", before)
    s.run_until(lambda: end.seen.senders)


@program("datagrams.wrong_arguments")
def wrong_arguments(s):
    ours, peer = s.pair()
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.say("stream socket", refusal(s, sock=ours))
    s.say("nothing at all", refusal(s))
    s.say("socket and address", refusal(s, sock=own, local_addr=LOOPBACK))
    s.say("two families", refusal(s, local_addr=("::1", 0), remote_addr=("127.0.0.1", 9)))


@program("datagrams.address_in_use")
def address_in_use(s):
    first = bound(s, "first")
    s.say(refusal(s, local_addr=first.address()))


@program("datagrams.unix_names")
def unix_names(s):
    path = os.path.join(s.folder(), "server")
    server = Open(s, "server", local_addr=path, family=socket.AF_UNIX)
    client = Open(s, "client", remote_addr=path, family=socket.AF_UNIX)
    client.transport.sendto(b"by path")
    s.run_until(lambda: server.seen.senders)


@program("datagrams.receiver_raises")
def receiver_raises(s):
    class Raising(Recorder):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, sender):
            raise Boom()

        def connection_lost(self, why):
            s.say("lost", why is None)
            self.is_lost = True
    s.say_reports()
    seen = Raising(s, "r")
    s.loop.run_until_complete(
        s.loop.create_datagram_endpoint(lambda: seen, local_addr=LOOPBACK))
    seen.transport.sendto(b"x", seen.transport.get_extra_info("sockname"))
    s.run_until(lambda: seen.is_lost)
