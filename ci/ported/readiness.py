"""Ported programs: readers and writers, as in readiness.cpp."""

import os

from programs import Boom, program
from recorders import Stream, transport_of


@program("readiness.reader_fires")
def reader_fires(s):
    ours, peer = s.pair()
    s.loop.add_reader(ours, lambda: s.say("readable", ours.recv(1)))
    s.turn(2)
    s.say("nothing yet")
    peer.send(b"ab")
    s.turn(3)
    s.say("removed", s.loop.remove_reader(ours))
    s.say("again", s.loop.remove_reader(ours))
    peer.send(b"c")
    s.turn(2)


@program("readiness.reader_replaced")
def reader_replaced(s):
    ours, peer = s.pair()
    peer.send(b"a")
    s.loop.add_reader(ours, s.say, "first")
    s.loop.add_reader(ours, s.say, "second")
    s.turn()
    s.say("removed", s.loop.remove_reader(ours))
    s.turn()


@program("readiness.reader_sees_the_end")
def reader_sees_the_end(s):
    calls = []

    def readable():
        s.say("read", len(ours.recv(1)))
        calls.append(1)
        if len(calls) == 2:
            s.say("removed", s.loop.remove_reader(ours))
    ours, peer = s.pair()
    s.loop.add_reader(ours, readable)
    peer.close()
    s.turn(4)


@program("readiness.writer_fires")
def writer_fires(s):
    ours, peer = s.pair()
    s.loop.add_writer(ours, s.say, "writable")
    s.turn(2)
    s.say("removed", s.loop.remove_writer(ours))
    s.say("again", s.loop.remove_writer(ours))
    s.turn()


@program("readiness.both_ways")
def both_ways(s):
    ours, peer = s.pair()
    peer.send(b"a")
    s.loop.add_writer(ours, s.say, "writable")
    s.loop.add_reader(ours, s.say, "readable")
    s.turn()
    s.say("reader removed", s.loop.remove_reader(ours))
    s.turn()
    s.say("writer removed", s.loop.remove_writer(ours))
    s.turn()


@program("readiness.queued_and_removed")
def queued_and_removed(s):
    ours, peer = s.pair()
    peer.send(b"a")
    s.loop.add_reader(ours, lambda: s.say("readable", s.loop.remove_writer(ours)))
    s.loop.add_writer(ours, s.say, "never: the reader removed it")
    s.turn(2)


@program("readiness.removes_itself")
def removes_itself(s):
    ours, peer = s.pair()
    peer.send(b"a")
    s.loop.add_reader(ours, lambda: s.say("once", s.loop.remove_reader(ours)))
    s.turn(3)


@program("readiness.reader_raises")
def reader_raises(s):
    def raises():
        raise Boom()
    s.say_reports()
    ours, peer = s.pair()
    peer.send(b"a")
    s.loop.add_reader(ours, raises)
    s.turn(2)
    s.say("removed", s.loop.remove_reader(ours))


@program("readiness.reader_before_soon")
def reader_before_soon(s):
    ours, peer = s.pair()
    peer.send(b"a")
    s.loop.add_reader(ours, s.say, "readable")
    s.loop.call_soon(s.say, "soon")
    s.loop.call_later(0, s.say, "timer")
    s.turn()


@program("readiness.never_watched")
def never_watched(s):
    ours, peer = s.pair()
    s.say(s.loop.remove_reader(ours))
    s.say(s.loop.remove_writer(ours))
    s.loop.add_reader(ours, print)
    s.say("the other direction", s.loop.remove_writer(ours))


@program("readiness.negative_descriptor")
def negative_descriptor(s):
    s.say("reader", s.attempt_ok(s.loop.add_reader, -1, print) == "ok")
    s.say("writer", s.attempt_ok(s.loop.add_writer, -1, print) == "ok")


@program("readiness.closed_descriptor")
def closed_descriptor(s):
    ours, peer = s.pair()
    number = ours.fileno()
    ours.close()
    s.say("add", s.attempt_ok(s.loop.add_reader, number, print))


@program("readiness.regular_file")
def regular_file(s):
    calls = []
    path = os.path.join(s.folder(), "file")
    with open(path, "wb") as file:
        file.write(b"content")
    with open(path, "rb") as file:
        s.say("add", s.attempt_ok(s.loop.add_reader, file, calls.append, 1))
        s.turn(2)
        s.say("ready", len(calls) > 0)


@program("readiness.of_a_transport")
def of_a_transport(s):
    ours, peer = s.pair()
    seen = Stream(s, "t")
    number = ours.fileno()
    transport = transport_of(s, s.loop.connect_read_pipe(lambda: seen, ours))
    s.turn()
    s.say("pipes are not guarded", s.attempt(s.loop.remove_reader, number) == "yes")
    transport.close()
    s.turn(2)


@program("readiness.closed_loop")
def closed_loop(s):
    ours, peer = s.pair()
    s.loop.add_reader(ours, print)
    s.loop.close()
    s.say("add_reader", s.attempt_ok(s.loop.add_reader, ours, print))
    s.say("add_writer", s.attempt_ok(s.loop.add_writer, ours, print))
    s.say("remove_reader", s.attempt(s.loop.remove_reader, ours))
    s.say("remove_writer", s.attempt(s.loop.remove_writer, ours))
