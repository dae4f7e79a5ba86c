"""Ported programs: child processes, as in processes.cpp."""

import asyncio
import os
import signal
import subprocess

from programs import program, word
from recorders import transport_of


class Child(asyncio.SubprocessProtocol):
    """Keeps what it is told: how pipes and the exit interleave is nobody's promise."""

    def __init__(self, stage):
        self.s, self.data, self.ended = stage, {}, {}
        self.exited = self.is_lost = False

    def connection_made(self, transport):
        self.s.say("made")

    def pipe_data_received(self, fd, piece):
        self.data[fd] = self.data.get(fd, b"") + piece

    def pipe_connection_lost(self, fd, why):
        self.ended[fd] = word(why)

    def process_exited(self):
        self.exited = True

    def connection_lost(self, why):
        self.is_lost = True
        self.s.say("lost", why, "after the exit", self.exited)

    def say_all(self):
        for fd in sorted(self.data):
            self.s.say("data", fd, self.data[fd])
        for fd in sorted(self.ended):
            self.s.say("ended", fd, self.ended[fd])


def start(s, *argv, **options):
    child = Child(s)
    return transport_of(s, s.loop.subprocess_exec(lambda: child, *argv, **options)), child


def start_shell(s, command, **options):
    child = Child(s)
    return transport_of(s, s.loop.subprocess_shell(lambda: child, command, **options)), child


def finish(s, transport, child):
    s.run_until(lambda: child.is_lost)
    child.say_all()
    s.say("returncode", transport.get_returncode())


@program("process.cat_echoes")
def cat_echoes(s):
    cat, child = start(s, "cat")
    s.say("running", cat.get_returncode(), cat.get_pid() > 0)
    pipe = cat.get_pipe_transport(0)
    pipe.write(b"hello ")
    pipe.write(b"child")
    s.run_until(lambda: child.data.get(1) == b"hello child")
    pipe.close()
    finish(s, cat, child)


@program("process.shell_pipes")
def shell_pipes(s):
    finish(s, *start_shell(s, "echo out; echo err >&2; exit 7"))


@program("process.error_goes_with_output")
def error_goes_with_output(s):
    both, child = start_shell(s, "echo out; echo err >&2", stderr=subprocess.STDOUT)
    s.say("has", both.get_pipe_transport(1) is not None, both.get_pipe_transport(2) is not None)
    finish(s, both, child)


@program("process.null_streams")
def null_streams(s):
    null = subprocess.DEVNULL
    cat, child = start(s, "cat", stdin=null, stdout=null, stderr=null)
    finish(s, cat, child)
    s.say("has", cat.get_pipe_transport(0) is not None, cat.get_pipe_transport(1) is not None)


@program("process.by_signals")
def by_signals(s):
    killed, child = start(s, "sleep", "600")
    s.say("kill", s.attempt(killed.kill) == "ok")
    finish(s, killed, child)
    terminated, child = start(s, "sleep", "600")
    s.say("terminate", s.attempt(terminated.terminate) == "ok")
    finish(s, terminated, child)
    signalled, child = start(s, "sleep", "600")
    s.say("send_signal", s.attempt(signalled.send_signal, signal.SIGHUP) == "ok")
    finish(s, signalled, child)


@program("process.killed_too_late")
def killed_too_late(s):
    done, child = start(s, "true")
    finish(s, done, child)
    s.say("kill", s.attempt(done.kill))
    s.say("terminate", s.attempt(done.terminate))
    s.say("send_signal", s.attempt(done.send_signal, signal.SIGHUP))


@program("process.closed_kills")
def closed_kills(s):
    sleeper, child = start(s, "sleep", "600")
    s.say("closing", sleeper.is_closing())
    sleeper.close()
    s.say("closing", sleeper.is_closing())
    s.run_until(lambda: child.is_lost)
    s.say("returncode", sleeper.get_returncode())


@program("process.closed_after_the_end")
def closed_after_the_end(s):
    done, child = start(s, "true")
    finish(s, done, child)
    done.close()
    done.close()
    s.say("returncode", done.get_returncode())


@program("process.cannot_start")
def cannot_start(s):
    def attempt(*argv, **options):
        made = s.finish(s.loop.subprocess_exec(lambda: Child(s), *argv, **options))
        return "started" if made.startswith("(") else made
    s.say("missing", attempt("/no/such/program"))
    s.say("not in PATH", attempt("no-such-program-anywhere"))
    s.say("a folder", attempt(s.folder()))
    s.say("no such cwd", attempt("true", cwd=os.path.join(s.folder(), "missing")))


@program("process.place_and_variables")
def place_and_variables(s):
    finish(s, *start_shell(s, "/bin/pwd; echo $GREETING; echo ${HOME-unset}", cwd="/",
                           env={"GREETING": "hello"}))


@program("process.own_session")
def own_session(s):
    sleeper, asleep = start(s, "sleep", "600", start_new_session=True)
    shell, child = start_shell(s, f"cut -d ' ' -f 6 /proc/{sleeper.get_pid()}/stat")
    s.run_until(lambda: child.is_lost)
    s.say("leads it", child.data[1] == b"%d\n" % sleeper.get_pid())
    s.attempt(sleeper.kill)
    s.run_until(lambda: asleep.is_lost)


@program("process.input_ends_early")
def input_ends_early(s):
    done, child = start(s, "true")
    pipe = done.get_pipe_transport(0)
    s.run_until(lambda: child.exited)
    pipe.write(b"nobody reads this")
    s.run_until(lambda: child.is_lost)
    s.say("returncode", done.get_returncode())
