"""Ported programs: servers over TCP and Unix sockets, as in servers.cpp."""

import os
import socket

from peers import attempt_connect, connect_to
from programs import program
from recorders import Stream, transport_of

LOOPBACK = ("127.0.0.1", 0)


class Serving:
    """A server whose connections are recorded as "s", one after the other."""

    def __init__(self, s, create, *arguments, **options):
        self.s, self.connections = s, []
        self.server = s.loop.run_until_complete(create(self.record, *arguments, **options))

    def record(self):
        self.connections.append(Stream(self.s, "s"))
        return self.connections[-1]

    def address(self):
        return self.server.sockets[0].getsockname()

    def count(self):
        return len(self.connections)

    def last(self):
        return self.connections[-1]


def serve(s, *arguments, **options):
    return Serving(s, s.loop.create_server, *(arguments or LOOPBACK if "sock" not in options
                                              else ()), **options)


def refusal(s, create, *arguments, **options):
    made = s.finish(create(lambda: Stream(s, "s"), *arguments, **options))
    return "serving" if made.startswith("<Server") else made


@program("server.exchange")
def exchange(s):
    serving = serve(s)
    s.say("serving", serving.server.is_serving(), len(serving.server.sockets))
    peer = connect_to(serving.address())
    peer.send(b"hello")
    s.run_until(lambda: serving.count() == 1 and serving.last().data == b"hello")
    serving.last().transport.write(b"answer")
    s.say("peer has", peer.recv(6))
    peer.close()
    s.run_until(lambda: serving.last().is_lost)
    serving.server.close()
    s.say("serving", serving.server.is_serving(), len(serving.server.sockets))
    s.turn(2)


@program("server.started_later")
def started_later(s):
    serving = serve(s, start_serving=False)
    s.say("serving", serving.server.is_serving())
    s.say("start", s.finish(serving.server.start_serving()) == "ok")
    s.say("start again", s.finish(serving.server.start_serving()) == "ok")
    s.say("serving", serving.server.is_serving())
    peer = connect_to(serving.address())
    s.run_until(lambda: serving.count() == 1 and serving.last().transport)
    del peer


@program("server.closed_refuses")
def closed_refuses(s):
    serving = serve(s)
    address = serving.address()
    serving.server.close()
    serving.server.close()
    s.turn(2)
    s.say(attempt_connect(s, *address))
    s.say("start", s.finish(serving.server.start_serving()) == "ok")


@program("server.connections_outlive_it")
def connections_outlive_it(s):
    serving = serve(s)
    peer = connect_to(serving.address())
    s.run_until(lambda: serving.count() == 1 and serving.last().transport)
    serving.server.close()
    s.turn(2)
    peer.send(b"still there?")
    s.run_until(lambda: serving.last().data == b"still there?")
    peer.close()
    s.run_until(lambda: serving.last().is_lost)


@program("server.wait_closed")
def wait_closed(s):
    serving = serve(s)
    peer = connect_to(serving.address())
    s.run_until(lambda: serving.count() == 1 and serving.last().transport)
    serving.server.close()
    closed = s.loop.create_task(serving.server.wait_closed())
    s.turn(3)
    s.say("done with a connection left", closed.done())
    peer.close()
    s.say(s.finish(closed))


@program("server.wait_closed_idle")
def wait_closed_idle(s):
    serving = serve(s)
    serving.server.close()
    s.say(s.finish(serving.server.wait_closed()))
    s.say(s.finish(serving.server.wait_closed()))


@program("server.many_at_once")
def many_at_once(s):
    serving = serve(s)
    peers = [connect_to(serving.address()) for _ in range(10)]
    s.run_until(lambda: serving.count() == 10)
    s.turn(2)
    s.say(serving.count())
    del peers


@program("server.address_in_use")
def address_in_use(s):
    serving = serve(s)
    s.say(refusal(s, s.loop.create_server, *serving.address()))


@program("server.own_socket")
def own_socket(s):
    own = socket.socket()
    own.bind(LOOPBACK)
    before = own.getsockname()
    serving = serve(s, sock=own)
    s.say("its address", serving.address() == before)
    peer = connect_to(before)
    s.run_until(lambda: serving.count() == 1 and serving.last().transport)
    del peer


@program("server.wrong_arguments")
def wrong_arguments(s):
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.say("datagram socket", refusal(s, s.loop.create_server, sock=datagram))
    s.say("host and socket", refusal(s, s.loop.create_server, "127.0.0.1", sock=socket.socket()))


@program("server.several_hosts")
def several_hosts(s):
    serving = serve(s, ["127.0.0.1", "127.0.0.2"], 0)
    s.say(len(serving.server.sockets))
    for listener in serving.server.sockets:
        before = serving.count()
        peer = connect_to(listener.getsockname())
        s.run_until(lambda: serving.count() > before and serving.last().transport)
        peer.close()
        s.run_until(lambda: serving.last().is_lost)


@program("server.both_sides")
def both_sides(s):
    serving, seen = serve(s), Stream(s, "c")
    client = transport_of(s, s.loop.create_connection(lambda: seen, *serving.address()))
    s.run_until(lambda: serving.count() == 1 and serving.last().transport)
    client.write(b"ping")
    s.run_until(lambda: serving.last().data == b"ping")
    serving.last().transport.close()
    s.run_until(lambda: seen.is_lost)


def at(s):
    return os.path.join(s.folder(), "socket")


@program("unix.exchange")
def unix_exchange(s):
    serving, seen = Serving(s, s.loop.create_unix_server, at(s)), Stream(s, "c")
    s.say("exists", os.path.exists(at(s)))
    client = transport_of(s, s.loop.create_unix_connection(lambda: seen, at(s)))
    client.write(b"by path")
    s.run_until(lambda: serving.count() == 1 and serving.last().data == b"by path")
    client.close()
    s.run_until(lambda: serving.last().is_lost)


@program("unix.stale_path")
def unix_stale_path(s):
    left = socket.socket(socket.AF_UNIX)
    left.bind(at(s))
    left.close()
    s.say("left behind", os.path.exists(at(s)))
    s.say(refusal(s, s.loop.create_unix_server, at(s)))


@program("unix.not_a_socket")
def unix_not_a_socket(s):
    with open(at(s), "w", encoding="ascii") as file:
        file.write("a file")
    s.say(refusal(s, s.loop.create_unix_server, at(s)))
    s.say("still a file", os.path.isfile(at(s)))


@program("unix.cleaned_up")
def unix_cleaned_up(s):
    serving = Serving(s, s.loop.create_unix_server, at(s))
    serving.server.close()
    s.turn(2)
    s.say("exists", os.path.exists(at(s)))


@program("unix.nobody")
def unix_nobody(s):
    def attempt(path):
        made = s.finish(s.loop.create_unix_connection(lambda: Stream(s, "c"), path))
        return "connected" if made.startswith("(") else made
    s.say("no such path", attempt(at(s)))
    with open(at(s), "w", encoding="ascii") as file:
        file.write("a file")
    s.say("a file", attempt(at(s)))


@program("unix.wrong_arguments")
def unix_wrong_arguments(s):
    create = s.loop.create_unix_server
    s.say("nothing", refusal(s, create))
    s.say("TCP socket", refusal(s, create, sock=socket.socket()))
    s.say("no such folder", refusal(s, create, os.path.join(s.folder(), "no/such/folder")))
