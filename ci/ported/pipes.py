"""Ported programs: pipe and terminal transports, as in pipes.cpp."""

import fcntl
import os
import pty
import select
import tty

from programs import Boom, program
from recorders import Stream, transport_of


def pipe():
    """The read end and the write end of a pipe, unbuffered."""
    read, write = os.pipe()
    return open(read, "rb", 0), open(write, "wb", 0)


def reader(s, seen, end):
    return transport_of(s, s.loop.connect_read_pipe(lambda: seen, end))


def writer(s, seen, end):
    return transport_of(s, s.loop.connect_write_pipe(lambda: seen, end))


@program("pipes.read_to_the_end")
def read_to_the_end(s):
    read, write = pipe()
    seen = Stream(s, "r")
    transport = reader(s, seen, read)
    s.say("connected")
    write.write(b"first")
    s.turn(2)
    write.write(b"second")
    s.turn(2)
    write.close()
    s.turn(3)
    s.say("closing", transport.is_closing())


@program("pipes.read_paused", since=(3, 11))
def read_paused(s):
    read, write = pipe()
    transport = reader(s, Stream(s, "r"), read)
    s.say("reading", transport.is_reading())
    transport.pause_reading()
    transport.pause_reading()
    s.say("reading", transport.is_reading())
    write.write(b"waits")
    s.turn(3)
    s.say("resuming")
    transport.resume_reading()
    transport.resume_reading()
    s.turn(3)
    transport.close()
    s.turn(2)
    s.say("reading", transport.is_reading())


@program("pipes.read_closed")
def read_closed(s):
    read, write = pipe()
    transport = reader(s, Stream(s, "r"), read)
    write.write(b"never read")
    transport.close()
    transport.close()
    s.say("closing", transport.is_closing())
    s.turn(3)


@program("pipes.read_closed_by_data")
def read_closed_by_data(s):
    read, write = pipe()
    seen = Stream(s, "r")
    transport = reader(s, seen, read)
    seen.on_data = lambda _: transport.close()
    write.write(b"one")
    s.turn(2)
    s.say("turned")
    s.turn(2)


@program("pipes.reader_raises")
def reader_raises(s):
    def raises(_):
        raise Boom()
    s.say_reports()
    read, write = pipe()
    seen = Stream(s, "r")
    transport = reader(s, seen, read)
    seen.on_data = raises
    write.write(b"x")
    s.turn(3)
    s.say("closing", transport.is_closing())


@program("pipes.write_and_end")
def write_and_end(s):
    read, write = pipe()
    transport = writer(s, Stream(s, "w"), write)
    transport.write(b"a")
    s.say("first", read.read(10))
    transport.write(b"b")
    s.say("can_write_eof", transport.can_write_eof())
    transport.write_eof()
    s.say("closing", transport.is_closing())
    s.turn(3)
    s.say("rest", read.read(10))
    s.say("end", len(read.read(10)))


@program("pipes.write_reader_gone")
def write_reader_gone(s):
    read, write = pipe()
    transport = writer(s, Stream(s, "w"), write)
    s.turn()
    read.close()
    s.turn(3)
    s.say("closing", transport.is_closing())


@program("pipes.write_buffer")
def write_buffer(s):
    read, write = pipe()
    seen = Stream(s, "w")
    transport = writer(s, seen, write)
    s.turn()
    transport.write(b"x" * 1_000_000)
    s.say("buffered", transport.get_write_buffer_size() > 0)
    transport.close()
    s.say("lost", seen.is_lost)
    got = 0
    while not seen.is_lost:
        while got < 1_000_000 and select.select([read], [], [], 0)[0]:
            got += len(read.read(65536))
        s.turn()
    while got < 1_000_000:
        got += len(read.read(65536))
    s.say("got", got)


@program("pipes.write_aborted")
def write_aborted(s):
    read, write = pipe()
    transport = writer(s, Stream(s, "w"), write)
    transport.write(b"x" * 1_000_000)
    transport.abort()
    transport.abort()
    s.say("closing", transport.is_closing())
    s.turn(3)


@program("pipes.write_limits")
def write_limits(s):
    def say_limits():
        s.say(*transport.get_write_buffer_limits())
    read, write = pipe()
    transport = writer(s, Stream(s, "w"), write)
    say_limits()
    for high, low in ((1024, None), (None, 100), (0, 0), (1, 2), (None, None)):
        s.say(s.attempt(transport.set_write_buffer_limits, high, low))
        say_limits()


@program("pipes.write_pauses")
def write_pauses(s):
    read, write = pipe()
    transport = writer(s, Stream(s, "w"), write)
    s.turn()
    capacity = fcntl.fcntl(write.fileno(), 1031, 4096)  # F_SETPIPE_SZ, named since Python 3.10
    transport.write(b"f" * capacity)
    transport.set_write_buffer_limits(2000, 1000)
    transport.write(b"x" * 1500)
    s.say("buffered", transport.get_write_buffer_size())
    transport.write(b"x" * 1500)
    s.say("buffered", transport.get_write_buffer_size())
    transport.write(b"x" * 1500)
    got = 0
    while got < capacity + 4500:
        got += len(read.read(4096))
        s.turn(2)
    s.say("got", got == capacity + 4500)
    transport.close()
    s.turn(2)


@program("pipes.regular_file_refused")
def regular_file_refused(s):
    path = os.path.join(s.folder(), "file")
    seen = Stream(s, "f")
    with open(path, "wb") as file:
        file.write(b"content")
    for name, connect, mode in (("read", s.loop.connect_read_pipe, "rb"),
                                ("write", s.loop.connect_write_pipe, "r+b")):
        with open(path, mode, 0) as file:
            s.say(name, s.finish(connect(lambda: seen, file)) != "invalid_argument")


@program("pipes.socket_both_ends")
def socket_both_ends(s):
    ours, peer = s.pair()
    seen = Stream(s, "r")
    reader(s, seen, ours)
    peer.send(b"through a socket")
    s.turn(2)
    peer.close()
    s.turn(3)


def raw_pty():
    master, slave = pty.openpty()
    tty.setraw(slave)
    return open(master, "w+b", 0), open(slave, "r+b", 0)


@program("pipes.terminal_read")
def terminal_read(s):
    master, slave = raw_pty()
    seen = Stream(s, "r")
    reader(s, seen, master)
    slave.write(b"typed")
    s.run_until(lambda: seen.data == b"typed")
    slave.close()
    s.run_until(lambda: seen.is_lost)


@program("pipes.terminal_write")
def terminal_write(s):
    master, slave = raw_pty()
    transport = writer(s, Stream(s, "w"), master)
    transport.write(b"shown")
    s.say(slave.read(5))
    transport.close()
    s.turn(3)
