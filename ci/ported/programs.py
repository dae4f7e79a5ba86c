"""The stage of the ported programs in Python: the same words and steps as stage.cpp, on asyncio.

Usage: programs.py --list | LOOP [PROGRAM...]     LOOP is select, poll or epoll.
"""

import asyncio
import errno
import logging
import selectors
import shutil
import socket
import sys
import tempfile

SELECTORS = {"select": "SelectSelector", "poll": "PollSelector", "epoll": "EpollSelector"}
PROGRAMS = {}  # name -> body, in the order of the files


class Boom(Exception):
    """What a program raises."""


class Exit(SystemExit):
    """What leaves run_forever."""


def program(name, since=(3, 9)):
    """Names a body. Versions of Python before `since` cannot run it: they lack what it uses."""
    def register(body):
        PROGRAMS[name] = (body, since)
        return body
    return register


# The names of our errors for what asyncio raises without an errno: by class, then by text.
CLASSES = ((asyncio.CancelledError, "cancelled"), (asyncio.InvalidStateError, "invalid_state"),
           (BrokenPipeError, "EPIPE"), (ConnectionResetError, "ECONNRESET"),
           (ConnectionAbortedError, "ECONNABORTED"), (ProcessLookupError, "ESRCH"),
           (asyncio.TimeoutError, "timed_out"),
           (TimeoutError, "timed_out"), (NotImplementedError, "not_supported"),
           (asyncio.SendfileNotAvailableError, "not_supported"),
           (ValueError, "invalid_argument"), (TypeError, "invalid_argument"))
TEXTS = (("Event loop is closed", "closed"), ("Executor shutdown", "closed"),
         ("Transport is closing", "closed"),
         ("Event loop stopped before", "stopped_early"),
         ("Non-thread-safe operation", "wrong_thread"))


def failure(error):
    """The word for an exception: its errno's name, or the name of our error."""
    if isinstance(error, socket.gaierror):
        names = [name for name in dir(socket) if name.startswith("EAI_")]
        return next(name for name in names if getattr(socket, name) == error.args[0])
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        return errno.errorcode[error.errno]
    for kind, name in CLASSES:
        if isinstance(error, kind):
            return name
    if isinstance(error, RuntimeError):
        return next((name for text, name in TEXTS if text in str(error)), "invalid_state")
    return type(error).__name__


def word(value):
    """How a value is spelled in a trace, the same in program.hpp."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, BaseException):
        return failure(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("latin-1")
    return str(value)


def headline(message):
    """A message of asyncio without the callback that it names."""
    text = "Exception in callback"
    return text if message.startswith(text + " ") else message.partition("\n")[0]


class Stage:
    """Where a program runs: a fresh loop, the trace, and steps that many programs share."""

    def __init__(self, selector):
        self.selector = selector
        self.loop = self.another()
        asyncio.set_event_loop(self.loop)
        self._folder = None
        self._log = None

    def close(self):
        if not self.loop.is_closed():
            self.loop.close()
        asyncio.set_event_loop(None)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._log:
            logging.getLogger("asyncio").removeHandler(self._log)

    def another(self):
        return asyncio.SelectorEventLoop(getattr(selectors, self.selector)())

    def say(self, *words):
        print(*(word(value) for value in words), flush=True)

    def sayer(self, text):
        return lambda *_: self.say(text)

    def run(self):
        self.loop.run_forever()

    def turn(self, iterations=1):
        for _ in range(iterations):
            self.loop.call_soon(self.loop.stop)
            self.run()

    def run_until(self, done):
        for _ in range(5000):
            if done():
                return
            self.loop.call_later(0.001, self.loop.stop)
            self.run()
        self.say("never")

    def attempt(self, call, *arguments, **options):
        """The word for a call: its value, "ok" for none, or the name of its error."""
        try:
            value = call(*arguments, **options)
        except (Exception, asyncio.CancelledError) as error:
            return failure(error)
        return "ok" if value is None else word(value)

    def attempt_ok(self, call, *arguments, **options):
        """The same for a call whose value is of no interest."""
        return self.attempt(lambda: call(*arguments, **options) and None)

    def finish(self, work):
        try:
            value = self.loop.run_until_complete(work)
        except SystemExit:
            return "Exit"
        except (Exception, asyncio.CancelledError) as error:
            return failure(error)
        return "ok" if value is None else word(value)

    def say_reports(self):
        def handler(_, context):
            self.say("handler", headline(context["message"]), context.get("exception"))
        self.loop.set_exception_handler(handler)

    def say_log(self):
        stage = self

        class Handler(logging.Handler):
            def emit(self, record):
                stage.say("log", record.levelname.lower())
        self._log = Handler()
        logging.getLogger("asyncio").addHandler(self._log)

    def pair(self):
        ours, peer = socket.socketpair()
        ours.setblocking(False)
        return ours, peer

    def folder(self):
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="ported-")
        return self._folder


def perform(name, selector):
    body, since = PROGRAMS[name]
    print("==", name, flush=True)
    if sys.version_info < since:
        print("needs Python", ".".join(map(str, since)), flush=True)
        return
    stage = Stage(selector)
    try:
        body(stage)
    except SystemExit:
        stage.say("raised Exit")
    except Exception as error:
        stage.say("raised", error)
        if not isinstance(error, Boom):
            import traceback
            traceback.print_exc()
    finally:
        stage.close()


def main(arguments):
    if not arguments:
        print("usage: programs.py --list | LOOP [PROGRAM...]", file=sys.stderr)
        return 64
    if arguments[0] == "--list":
        print("\n".join(PROGRAMS))
        return 0
    logging.getLogger("asyncio").propagate = False
    logging.getLogger("asyncio").addHandler(logging.NullHandler())
    for name in arguments[1:] or PROGRAMS:
        perform(name, SELECTORS[arguments[0]])
    return 0
