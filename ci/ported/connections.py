"""Ported programs: making connections, as in connections.cpp."""

import socket

from peers import DeadPort, Listener, attempt_connect, connect_to, connected, recv_exactly
from programs import Boom, program
from recorders import Stream, transport_of


def resolve_to(s, *addresses):
    """Makes these addresses what the loop finds for any name: ConnectOptions::addresses."""
    async def getaddrinfo(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
    s.loop.getaddrinfo = getaddrinfo


@program("connect.exchange")
def exchange(s):
    listener, seen = Listener(), Stream(s, "c")
    transport = transport_of(s, s.loop.create_connection(lambda: seen, *listener.address))
    s.say("connected")
    peer = listener.accept()
    transport.write(b"ping")
    s.say("peer has", recv_exactly(peer, 4))
    peer.send(b"pong")
    s.run_until(lambda: seen.data == b"pong")
    peer.close()
    s.run_until(lambda: seen.is_lost)
    s.say("closing", transport.is_closing())


@program("connect.host_and_service")
def host_and_service(s):
    listener = Listener()
    s.say(attempt_connect(s, "127.0.0.1", listener.address[1]))


@program("connect.refused")
def refused(s):
    s.say(attempt_connect(s, *DeadPort().address))


@program("connect.second_address")
def second_address(s):
    dead, listener = DeadPort(), Listener()
    resolve_to(s, dead.address, listener.address)
    s.say(attempt_connect(s, "two.invalid", 9))


@program("connect.local_address")
def local_address(s):
    listener = Listener()
    s.say(attempt_connect(s, *listener.address, local_addr=("127.0.0.1", 0)))
    s.say("in use", attempt_connect(s, *listener.address, local_addr=listener.address))


@program("connect.own_socket")
def own_socket(s):
    listener = Listener()
    own = socket.socket()
    own.setblocking(False)
    s.say(s.finish(s.loop.sock_connect(own, listener.address)))
    s.say(attempt_connect(s, sock=own))


@program("connect.wrong_arguments")
def wrong_arguments(s):
    s.say("nothing", attempt_connect(s))
    s.say("host and socket", attempt_connect(s, "127.0.0.1", 9, sock=socket.socket()))
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.say("datagram socket", attempt_connect(s, sock=datagram))


@program("connect.names")
def names(s):
    transport, seen, peer = connected(s)
    s.say("peername", transport.get_extra_info("peername") == peer.getsockname())
    s.say("sockname", transport.get_extra_info("sockname") == peer.getpeername())
    s.say("unknown", transport.get_extra_info("none") is None)
    transport.close()
    s.turn(2)
    s.say("after close", transport.get_extra_info("peername") is not None)


@program("connect.accepted_socket")
def accepted_socket(s):
    listener, seen = Listener(), Stream(s, "c")
    peer = connect_to(listener.address)
    accepted = listener.accept()
    accepted.setblocking(False)
    transport = transport_of(s, s.loop.connect_accepted_socket(lambda: seen, accepted))
    peer.send(b"hello")
    s.run_until(lambda: seen.data == b"hello")
    transport.close()
    s.turn(2)
    s.say("end at the peer", len(peer.recv(10)))


@program("connect.accepted_wrong_socket")
def accepted_wrong_socket(s):
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made = s.finish(s.loop.connect_accepted_socket(lambda: Stream(s, "c"), datagram))
    s.say("taken" if made.startswith("(") else made)


@program("connect.factory_raises")
def factory_raises(s):
    def raises():
        raise Boom()
    listener = Listener()
    s.say(s.finish(s.loop.create_connection(raises, *listener.address)))


@program("connect.of_a_closed_loop")
def of_a_closed_loop(s):
    transport, seen, peer = connected(s)
    s.loop.close()
    transport.write(b"nowhere")
    s.say("closing", transport.is_closing())
    s.say("lost", seen.is_lost)
