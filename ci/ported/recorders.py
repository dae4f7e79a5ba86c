"""Protocols of the ported programs that say what a loop tells them, as in recorders.hpp."""

import asyncio


class Recorder:
    def __init__(self, stage, name):
        self.s, self.name = stage, name
        self.transport, self.is_lost = None, False
        self.on_made = self.on_lost = self.on_paused = None

    def say(self, *words):
        self.s.say(self.name, *words)

    def connection_made(self, transport):
        self.transport = transport
        self.say("made")
        if self.on_made:
            self.on_made()

    def connection_lost(self, why):
        self.is_lost = True
        self.say("lost", why)
        if self.on_lost:
            self.on_lost()

    def pause_writing(self):
        self.say("paused")
        if self.on_paused:
            self.on_paused()

    def resume_writing(self):
        self.say("resumed")


class Stream(Recorder, asyncio.Protocol):
    def __init__(self, stage, name):
        super().__init__(stage, name)
        self.data, self.quiet, self.keep_open, self.ended = b"", False, False, False
        self.on_data = None

    def data_received(self, piece):
        self.data += piece
        if not self.quiet:
            self.say("data", piece)
        if self.on_data:
            self.on_data(piece)

    def eof_received(self):
        self.ended = True
        self.say("eof")
        return self.keep_open


class Buffered(Recorder, asyncio.BufferedProtocol):
    def __init__(self, stage, name, size):
        super().__init__(stage, name)
        self.buffer, self.data = bytearray(size), b""

    def get_buffer(self, size_hint):
        return self.buffer

    def buffer_updated(self, count):
        self.data += self.buffer[:count]
        self.say("updated", count)

    def eof_received(self):
        self.say("eof")
        return False


class Datagrams(Recorder, asyncio.DatagramProtocol):
    def __init__(self, stage, name):
        super().__init__(stage, name)
        self.senders, self.errors, self.data = [], 0, b""

    def datagram_received(self, data, sender):
        self.data = data
        self.say("datagram", data)
        self.senders.append(sender)

    def error_received(self, error):
        self.errors += 1
        self.say("error", error)


def transport_of(s, made):
    return s.loop.run_until_complete(made)[0]
