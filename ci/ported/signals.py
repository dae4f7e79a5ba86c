"""Ported programs: signal handlers of a loop, as in signals.cpp."""

import os
import signal
import threading
import time

from programs import Boom, program


def send(number):
    os.kill(os.getpid(), number)


def disposition(number):
    handler = signal.getsignal(number)
    return {signal.SIG_DFL: "default", signal.SIG_IGN: "ignore"}.get(handler, "handler")


@program("signals.delivered")
def delivered(s):
    s.say("add", s.attempt(s.loop.add_signal_handler, signal.SIGUSR1, s.say, "SIGUSR1"))
    send(signal.SIGUSR1)
    s.say("sent")
    s.turn(3)
    s.say("remove", s.loop.remove_signal_handler(signal.SIGUSR1))
    s.say("again", s.loop.remove_signal_handler(signal.SIGUSR1))


@program("signals.replaced")
def replaced(s):
    s.loop.add_signal_handler(signal.SIGUSR1, s.say, "first")
    s.loop.add_signal_handler(signal.SIGUSR1, s.say, "second")
    send(signal.SIGUSR1)
    s.turn(3)


@program("signals.wakes_a_wait")
def wakes_a_wait(s):
    def stops():
        s.say("SIGUSR2")
        s.loop.stop()

    def sends():
        time.sleep(0.020)
        send(signal.SIGUSR2)
    s.loop.add_signal_handler(signal.SIGUSR2, stops)
    sender = threading.Thread(target=sends)
    sender.start()
    s.run()
    sender.join()


@program("signals.two_in_order")
def two_in_order(s):
    s.loop.add_signal_handler(signal.SIGUSR1, s.say, "SIGUSR1")
    s.loop.add_signal_handler(signal.SIGUSR2, s.say, "SIGUSR2")
    send(signal.SIGUSR1)
    send(signal.SIGUSR2)
    s.turn(4)


@program("signals.raises")
def raises(s):
    def boom():
        raise Boom()
    s.say_reports()
    s.loop.add_signal_handler(signal.SIGUSR1, boom)
    send(signal.SIGUSR1)
    s.turn(3)


@program("signals.removed_while_queued")
def removed_while_queued(s):
    s.loop.add_signal_handler(signal.SIGUSR1, s.say, "never")
    send(signal.SIGUSR1)
    s.say("remove", s.loop.remove_signal_handler(signal.SIGUSR1))
    s.turn(3)


@program("signals.cannot_be_caught")
def cannot_be_caught(s):
    for number in (signal.SIGKILL, signal.SIGSTOP):
        s.say(number.name, s.attempt(s.loop.add_signal_handler, number, print))
    s.say("usable", s.attempt(s.loop.add_signal_handler, signal.SIGUSR1, print))


@program("signals.no_such_number")
def no_such_number(s):
    for number in (0, 1000):
        s.say(number, s.attempt(s.loop.add_signal_handler, number, print) == "ok")
    s.say("never added", s.loop.remove_signal_handler(signal.SIGUSR1))


@program("signals.disposition_comes_back")
def disposition_comes_back(s):
    s.say(disposition(signal.SIGUSR1))
    s.loop.add_signal_handler(signal.SIGUSR1, print)
    s.say(disposition(signal.SIGUSR1))
    s.loop.remove_signal_handler(signal.SIGUSR1)
    s.say(disposition(signal.SIGUSR1))
    s.loop.add_signal_handler(signal.SIGUSR2, print)
    s.loop.close()
    s.say("after close", disposition(signal.SIGUSR2))


@program("signals.of_two_loops")
def of_two_loops(s):
    other = s.another()
    s.loop.add_signal_handler(signal.SIGUSR1, s.say, "first loop")
    s.say("second loop", s.attempt(other.add_signal_handler, signal.SIGUSR1, s.say, "second loop"))
    other.close()
