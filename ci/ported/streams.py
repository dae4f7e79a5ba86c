"""Ported programs: stream transports and what they tell a protocol, as in streams.cpp."""

import select
import socket
import struct

from peers import connect, connected, recv_exactly, recv_until_eof
from programs import Boom, program
from recorders import Buffered, Stream


def readable(peer):
    return bool(select.select([peer], [], [], 0)[0])


@program("streams.half_close")
def half_close(s):
    transport, seen, peer = connected(s)
    transport.write(b"last")
    s.say("can_write_eof", transport.can_write_eof())
    transport.write_eof()
    transport.write_eof()
    s.turn(2)
    s.say("peer has", recv_until_eof(peer))
    s.say("closing", transport.is_closing())
    peer.send(b"answer")
    peer.close()
    s.run_until(lambda: seen.is_lost)


@program("streams.end_kept_open")
def end_kept_open(s):
    transport, seen, peer = connected(s)
    seen.keep_open = True
    peer.shutdown(socket.SHUT_WR)
    s.run_until(lambda: seen.ended)
    s.turn(3)
    s.say("closing", transport.is_closing())
    transport.write(b"still here")
    s.say("peer has", recv_exactly(peer, 10))
    transport.close()
    s.turn(2)


@program("streams.closed_in_made")
def closed_in_made(s):
    seen = Stream(s, "c")
    seen.on_made = lambda: seen.transport.close()
    transport, peer = connect(s, seen)
    s.say("connected")
    s.turn(2)
    s.say("end at the peer", len(peer.recv(10)))


@program("streams.written_in_made")
def written_in_made(s):
    seen = Stream(s, "c")
    seen.on_made = lambda: seen.transport.write(b"first")
    transport, peer = connect(s, seen)
    s.say("peer has", recv_exactly(peer, 5))
    transport.close()
    s.turn(2)


@program("streams.close_flushes")
def close_flushes(s):
    size = 8_000_000
    transport, seen, peer = connected(s)
    transport.write(b"x" * size)
    s.say("buffered", transport.get_write_buffer_size() > 0)
    transport.close()
    transport.write(b"dropped")
    s.turn(2)
    s.say("lost", seen.is_lost)
    got = 0
    while not seen.is_lost or got < size:
        while got < size and readable(peer):
            got += len(peer.recv(65536))
        if not seen.is_lost:
            s.turn()
    s.say("got", got)
    s.say("then the end", len(peer.recv(10)))


@program("streams.aborted")
def aborted(s):
    transport, seen, peer = connected(s)
    transport.write(b"x" * 8_000_000)
    transport.abort()
    transport.abort()
    s.say("closing", transport.is_closing())
    s.say("buffered", transport.get_write_buffer_size())
    s.turn(2)


@program("streams.reset_by_the_peer")
def reset_by_the_peer(s):
    transport, seen, peer = connected(s)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    s.run_until(lambda: seen.is_lost)


@program("streams.data_before_close_by_the_peer")
def data_before_close_by_the_peer(s):
    transport, seen, peer = connected(s)
    seen.quiet = True
    peer.sendall(b"x" * 200_000)
    peer.close()
    s.run_until(lambda: seen.is_lost)
    s.say("got", len(seen.data))


@program("streams.paused")
def paused(s):
    transport, seen, peer = connected(s)
    s.say("reading", transport.is_reading())
    transport.pause_reading()
    transport.pause_reading()
    peer.send(b"waits")
    s.turn(3)
    s.say("reading", transport.is_reading())
    transport.resume_reading()
    transport.resume_reading()
    s.run_until(lambda: seen.data == b"waits")
    transport.close()
    s.say("reading", transport.is_reading())
    transport.pause_reading()
    transport.resume_reading()
    s.turn(2)


@program("streams.paused_in_made")
def paused_in_made(s):
    seen = Stream(s, "c")
    seen.on_made = lambda: seen.transport.pause_reading()
    transport, peer = connect(s, seen)
    peer.send(b"waits")
    s.turn(3)
    s.say("resuming")
    transport.resume_reading()
    s.run_until(lambda: seen.data == b"waits")


@program("streams.paused_in_data")
def paused_in_data(s):
    transport, seen, peer = connected(s)
    seen.on_data = lambda _: transport.pause_reading()
    peer.send(b"one")
    s.run_until(lambda: seen.data == b"one")
    peer.send(b"two")
    s.turn(3)
    s.say("resuming")
    transport.resume_reading()
    s.run_until(lambda: seen.data == b"onetwo")


@program("streams.flow_control")
def flow_control(s):
    transport, seen, peer = connected(s)
    transport.set_write_buffer_limits(100_000, 50_000)
    transport.write(b"x" * 8_000_000)
    transport.write(b"more")
    got = 0
    while got < 8_000_004:
        while readable(peer):
            got += len(peer.recv(1_000_000))
        s.turn()
    s.turn(2)
    s.say("got", got)
    s.say("buffered", transport.get_write_buffer_size())


@program("streams.protocol_replaced")
def protocol_replaced(s):
    transport, seen, peer = connected(s, "first")
    second = Stream(s, "second")
    s.say("its protocol", transport.get_protocol() is seen)
    seen.on_data = lambda _: transport.set_protocol(second)
    peer.send(b"one")
    s.run_until(lambda: seen.data == b"one")
    s.say("its protocol", transport.get_protocol() is second)
    peer.send(b"two")
    s.run_until(lambda: second.data == b"two")
    peer.close()
    s.run_until(lambda: second.is_lost)


@program("streams.lines")
def lines(s):
    transport, seen, peer = connected(s)
    transport.writelines([b"a", b"", b"bc", b"d"])
    transport.write(b"")
    s.say("peer has", recv_exactly(peer, 4))
    transport.close()
    s.turn(2)
    s.say("end at the peer", len(peer.recv(10)))


@program("streams.buffered_protocol")
def buffered_protocol(s):
    seen = Buffered(s, "b", 4)
    transport, peer = connect(s, seen)
    peer.send(b"123456")
    s.run_until(lambda: seen.data == b"123456")
    peer.close()
    s.run_until(lambda: seen.is_lost)


@program("streams.buffered_without_buffer")
def buffered_without_buffer(s):
    s.say_reports()
    seen = Buffered(s, "b", 0)
    transport, peer = connect(s, seen)
    peer.send(b"x")
    s.turn(3)
    s.say("closing", transport.is_closing(), "lost", seen.is_lost)


@program("streams.data_raises")
def data_raises(s):
    def raises(_):
        raise Boom()
    s.say_reports()
    transport, seen, peer = connected(s)
    seen.on_data = raises
    peer.send(b"x")
    s.turn(3)
    s.say("closing", transport.is_closing())


@program("streams.made_raises")
def made_raises(s):
    def raises():
        raise Boom()
    s.say_reports()
    seen = Stream(s, "c")
    seen.on_made = raises
    transport, peer = connect(s, seen)
    s.turn(2)
    s.say("closing", transport.is_closing())


@program("streams.lost_raises")
def lost_raises(s):
    def raises():
        raise Boom()
    s.say_reports()
    transport, seen, peer = connected(s)
    seen.on_lost = raises
    transport.close()
    s.turn(2)
    s.say("end at the peer", len(peer.recv(10)))


@program("streams.lost_is_later")
def lost_is_later(s):
    transport, seen, peer = connected(s)
    transport.close()
    s.say("closed")
    s.loop.call_soon(s.say, "soon")
    s.turn(2)
