"""Ported programs: sendfile and sock_sendfile, as in files.cpp."""

import asyncio
import os
import select
import socket
import struct

from peers import connect, connected, recv_exactly
from programs import program


def file_of(s, content=b"0123456789"):
    path = os.path.join(s.folder(), "file")
    with open(path, "wb") as file:
        file.write(content)
    return open(path, "rb")


@program("sendfile.sock_whole")
def sock_whole(s):
    file, (ours, peer) = file_of(s), s.pair()
    s.say("sent", s.finish(s.loop.sock_sendfile(ours, file)))
    s.say("peer has", recv_exactly(peer, 10))


@program("sendfile.sock_part")
def sock_part(s):
    file, (ours, peer) = file_of(s), s.pair()
    s.say("sent", s.finish(s.loop.sock_sendfile(ours, file, 2, 5)))
    s.say("peer has", recv_exactly(peer, 5))
    s.say("past the end", s.finish(s.loop.sock_sendfile(ours, file, 8, 100)))
    s.say("peer has", recv_exactly(peer, 2))
    s.say("behind the end", s.finish(s.loop.sock_sendfile(ours, file, 50)))


@program("sendfile.sock_empty")
def sock_empty(s):
    file, (ours, peer) = file_of(s, b""), s.pair()
    s.say("sent", s.finish(s.loop.sock_sendfile(ours, file)))
    peer.send(b"x")
    s.say("usable", s.finish(s.loop.sock_recv(ours, 1)))


@program("sendfile.sock_mixed")
def sock_mixed(s):
    file, (ours, peer) = file_of(s), s.pair()
    s.say(s.finish(s.loop.sock_sendall(ours, b"before ")))
    s.say("sent", s.finish(s.loop.sock_sendfile(ours, file)))
    s.say(s.finish(s.loop.sock_sendall(ours, b" after")))
    s.say("peer has", recv_exactly(peer, 23))


@program("sendfile.on_a_transport")
def on_a_transport(s):
    file, (transport, seen, peer) = file_of(s), connected(s)
    transport.write(b"before ")
    s.say("sent", s.finish(s.loop.sendfile(transport, file)))
    transport.write(b" after")
    s.say("peer has", recv_exactly(peer, 23))
    transport.close()
    s.turn(2)


@program("sendfile.part_on_a_transport")
def part_on_a_transport(s):
    file, (transport, seen, peer) = file_of(s), connected(s)
    s.say("sent", s.finish(s.loop.sendfile(transport, file, 3, 4)))
    s.say("peer has", recv_exactly(peer, 4))
    s.say("past the end", s.finish(s.loop.sendfile(transport, file, 9, 4)))
    s.say("peer has", recv_exactly(peer, 1))


@program("sendfile.on_a_closing_transport")
def on_a_closing_transport(s):
    file, (transport, seen, peer) = file_of(s), connected(s)
    transport.close()
    s.say(s.finish(s.loop.sendfile(transport, file)))
    s.turn(2)


@program("sendfile.not_a_file")
def not_a_file(s):
    read, write = os.pipe()
    ours, peer = s.pair()
    with open(read, "rb", 0) as file:
        made = s.finish(s.loop.sock_sendfile(ours, file, fallback=False))
    s.say("sent", made.isdigit())
    os.close(write)


def readable(peer):
    return bool(select.select([peer], [], [], 0)[0])


@program("sendfile.large")
def large(s):
    file, (transport, seen, peer) = file_of(s, b"x" * 3_000_000), connected(s)
    sent = s.loop.create_task(s.loop.sendfile(transport, file))
    got = 0
    while got < 3_000_000:
        while readable(peer):
            got += len(peer.recv(1_000_000))
        s.turn()
    s.say("sent", s.finish(sent), "got", got)


@program("sendfile.peer_leaves")
def peer_leaves(s):
    file, (transport, peer) = file_of(s, b"x" * 8_000_000), connect(s, asyncio.Protocol())
    sent = s.loop.create_task(s.loop.sendfile(transport, file))
    s.turn(2)
    s.say("peer has", len(peer.recv(1)))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    s.say("failed", not s.finish(sent).isdigit())
