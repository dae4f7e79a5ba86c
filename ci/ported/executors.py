"""Ported programs: executors and names, as in executors.cpp."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

from programs import Boom, program


@program("executor.value")
def value(s):
    def work():
        where.append(threading.get_ident())
        return 42
    where = []
    future = s.loop.run_in_executor(None, work)
    s.say("done", future.done())
    s.say(s.finish(future))
    s.say("in another thread", where != [threading.get_ident()])


@program("executor.exception")
def exception(s):
    def work():
        raise Boom()
    s.say(s.finish(s.loop.run_in_executor(None, work)))


@program("executor.loop_goes_on")
def loop_goes_on(s):
    gate = threading.Event()
    work = s.loop.run_in_executor(None, lambda: gate.wait() and None)
    s.turn(3)
    s.say("done", work.done())
    gate.set()
    s.say(s.finish(work))


@program("executor.cancelled_while_queued")
def cancelled_while_queued(s):
    s.say("set", s.attempt(s.loop.set_default_executor, ThreadPoolExecutor(1)) == "ok")
    gate = threading.Event()
    first = s.loop.run_in_executor(None, lambda: gate.wait() and None)
    second = s.loop.run_in_executor(None, s.say, "never")
    s.say("cancel", second.cancel())
    s.turn()
    gate.set()
    s.say(s.finish(first))
    s.say(s.finish(second))
    s.turn(2)


@program("executor.shut_down")
def shut_down(s):
    work = s.loop.run_in_executor(None, lambda: 1)
    s.say(s.finish(s.loop.shutdown_default_executor()))
    s.say("its work", s.finish(work))
    s.say("more", s.attempt(lambda: s.finish(s.loop.run_in_executor(None, lambda: 2))))
    s.say("again", s.finish(s.loop.shutdown_default_executor()))


@program("executor.own_executor")
def own_executor(s):
    pool = ThreadPoolExecutor(1)
    s.say(s.finish(s.loop.run_in_executor(pool, lambda: 3)))
    s.say(s.finish(s.loop.shutdown_default_executor()))
    s.say("of its own", s.finish(s.loop.run_in_executor(pool, lambda: 4)))
    pool.shutdown()


@program("executor.of_a_closed_loop")
def of_a_closed_loop(s):
    s.loop.close()
    s.say(s.attempt(s.loop.run_in_executor, None, lambda: 1))


def spelled(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def resolve(s, host, service, **hints):
    def look_up():
        found = s.loop.run_until_complete(
            s.loop.getaddrinfo(host, service, type=socket.SOCK_STREAM, **hints))
        return " ".join(spelled(entry[4]) for entry in found)
    return s.attempt(look_up)


@program("names.literal")
def names_literal(s):
    s.say(resolve(s, "127.0.0.1", "80"))
    s.say(resolve(s, "::1", "443"))
    s.say(resolve(s, "192.0.2.7", "0", flags=socket.AI_NUMERICHOST))


@program("names.refused")
def names_refused(s):
    numeric = socket.AI_NUMERICHOST
    s.say(resolve(s, "a-name", "80", flags=numeric))
    s.say("other family",
          resolve(s, "127.0.0.1", "80", flags=numeric, family=socket.AF_INET6) != "[::1]:80")


@program("names.back")
def names_back(s):
    flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    s.say(*s.loop.run_until_complete(s.loop.getnameinfo(("127.0.0.1", 80), flags)))
