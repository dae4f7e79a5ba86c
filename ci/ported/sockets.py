"""Ported programs: the sock_* calls, as in sockets.cpp."""

import os
import socket
import threading

from programs import program


def tcp():
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    return made


def listening():
    made = tcp()
    made.bind(("127.0.0.1", 0))
    made.listen(8)
    return made


def udp():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind(("127.0.0.1", 0))
    return made


def unix():
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.setblocking(False)
    return made


def task(s, operation):
    """asyncio's sock_* are coroutines; ours begin at the call, as a task does a turn later."""
    return s.loop.create_task(operation)


@program("sockets.recv_waits")
def recv_waits(s):
    ours, peer = s.pair()
    received = task(s, s.loop.sock_recv(ours, 100))
    s.turn(2)
    s.say("done", received.done())
    peer.send(b"hello")
    s.say(s.finish(received))


@program("sockets.recv_at_the_end")
def recv_at_the_end(s):
    ours, peer = s.pair()
    peer.send(b"last")
    peer.close()
    s.say(s.finish(s.loop.sock_recv(ours, 2)))
    s.say(s.finish(s.loop.sock_recv(ours, 100)))
    s.say(len(s.loop.run_until_complete(s.loop.sock_recv(ours, 100))))


@program("sockets.recv_into")
def recv_into(s):
    ours, peer = s.pair()
    peer.send(b"hello")
    buffer = bytearray(b"..........")
    s.say(s.finish(s.loop.sock_recv_into(ours, memoryview(buffer)[:3])))
    s.say(buffer)
    s.say(s.finish(s.loop.sock_recv_into(ours, buffer)))
    s.say(buffer)


@program("sockets.recv_cancelled")
def recv_cancelled(s):
    ours, peer = s.pair()
    received = task(s, s.loop.sock_recv(ours, 100))
    s.turn()
    s.say("cancel", received.cancel())
    peer.send(b"kept")
    s.turn(2)
    s.say(s.finish(received))
    s.say(s.finish(s.loop.sock_recv(ours, 100)))


@program("sockets.sendall_huge")
def sendall_huge(s):
    size = 4_000_000
    ours, peer = s.pair()
    got = []

    def read():
        while sum(map(len, got)) < size:
            got.append(peer.recv(65536))
    reader = threading.Thread(target=read)
    reader.start()
    s.say(s.finish(s.loop.sock_sendall(ours, b"x" * size)))
    reader.join()
    s.say(sum(map(len, got)), b"".join(got).count(b"\0"))


@program("sockets.sendall_after_the_peer_left")
def sendall_after_the_peer_left(s):
    ours, peer = s.pair()
    peer.close()
    s.say(s.finish(s.loop.sock_sendall(ours, b"too late")))


@program("sockets.sendall_nothing")
def sendall_nothing(s):
    ours, peer = s.pair()
    s.say(s.finish(s.loop.sock_sendall(ours, b"")))


@program("sockets.connect_and_accept")
def connect_and_accept(s):
    server, client = listening(), tcp()
    accepted = task(s, s.loop.sock_accept(server))
    s.say("connect", s.finish(s.loop.sock_connect(client, server.getsockname())))
    connection, peer = s.loop.run_until_complete(accepted)
    s.say("peer", peer == client.getsockname())
    s.say("blocking", connection.getblocking())
    s.say(s.finish(s.loop.sock_sendall(client, b"ping")))
    s.say(s.finish(s.loop.sock_recv(connection, 10)))


@program("sockets.connect_refused")
def connect_refused(s):
    closed, client = tcp(), tcp()
    closed.bind(("127.0.0.1", 0))
    s.say(s.finish(s.loop.sock_connect(client, closed.getsockname())))


@program("sockets.connect_unix")
def connect_unix(s):
    path = os.path.join(s.folder(), "socket")
    client, server = unix(), unix()
    s.say("nobody", s.finish(s.loop.sock_connect(client, path)))
    server.bind(path)
    server.listen(1)
    s.say("listening", s.finish(s.loop.sock_connect(client, path)))


@program("sockets.accept_waits")
def accept_waits(s):
    server, client = listening(), tcp()
    accepted = task(s, s.loop.sock_accept(server))
    s.turn(2)
    s.say("done", accepted.done())
    client.connect_ex(server.getsockname())
    s.say("accepted", len(s.loop.run_until_complete(accepted)) == 2)


@program("sockets.accept_cancelled")
def accept_cancelled(s):
    server, client = listening(), tcp()
    accepted = task(s, s.loop.sock_accept(server))
    s.turn()
    s.say("cancel", accepted.cancel())
    s.turn()
    client.connect_ex(server.getsockname())
    s.say("the next one", len(s.loop.run_until_complete(s.loop.sock_accept(server))) == 2)


@program("sockets.datagrams", since=(3, 11))
def datagrams(s):
    first, second = udp(), udp()
    s.say("sent", s.finish(s.loop.sock_sendto(first, b"hello", second.getsockname())))
    data, sender = s.loop.run_until_complete(s.loop.sock_recvfrom(second, 100))
    s.say(data, sender == first.getsockname())
    s.say("sent", s.finish(s.loop.sock_sendto(second, b"answer", sender)))
    buffer = bytearray(b"..........")
    count, sender = s.loop.run_until_complete(s.loop.sock_recvfrom_into(first, buffer))
    s.say(count, sender == second.getsockname(), buffer)


@program("sockets.datagrams_truncated", since=(3, 11))
def datagrams_truncated(s):
    def receive(size):
        return s.loop.run_until_complete(s.loop.sock_recvfrom(second, size))[0]
    first, second = udp(), udp()
    s.say("sent", s.finish(s.loop.sock_sendto(first, b"hello", second.getsockname())))
    s.say("sent", s.finish(s.loop.sock_sendto(first, b"", second.getsockname())))
    s.say("cut", receive(2))
    s.say("empty", len(receive(100)))


@program("sockets.two_at_once")
def two_at_once(s):
    ours, peer = s.pair()
    received = task(s, s.loop.sock_recv(ours, 100))
    sent = task(s, s.loop.sock_sendall(ours, b"ping"))
    s.say("sent", s.finish(sent))
    s.say("at the peer", peer.recv(10))
    peer.send(b"pong")
    s.say("received", s.finish(received))
