"""Ported programs: callbacks and timers, as in scheduling.cpp."""

import threading

from programs import program


@program("soon.in_order")
def soon_in_order(s):
    for name in "abc":
        s.loop.call_soon(s.say, name)
    s.turn()


@program("soon.nested")
def soon_nested(s):
    def innermost():
        s.say("innermost")
        s.loop.stop()

    def nested():
        s.say("nested")
        s.loop.call_soon(innermost)

    def outer():
        s.say("outer")
        s.loop.call_soon(nested)
    s.loop.call_soon(outer)
    s.loop.call_soon(s.say, "sibling")
    s.run()


@program("soon.cancelled")
def soon_cancelled(s):
    before = s.loop.call_soon(s.say, "cancelled before")
    victim = None

    def first():
        s.say("first")
        victim.cancel()
    s.loop.call_soon(first)
    victim = s.loop.call_soon(s.say, "cancelled by a sibling")
    s.loop.call_soon(s.say, "last")
    before.cancel()
    before.cancel()
    s.turn()


@program("soon.cancels_itself")
def soon_cancels_itself(s):
    def callback():
        mine.cancel()
        s.say("runs on")
    mine = s.loop.call_soon(callback)
    s.turn(2)


@program("soon.between_runs")
def soon_between_runs(s):
    def first():
        s.say("first")
        s.loop.stop()
        s.loop.call_soon(s.say, "queued behind the stop")
    s.loop.call_soon(first)
    s.run()
    s.say("stopped")
    s.turn()


@program("timers.in_order")
def timers_in_order(s):
    def fire(delay):
        s.say(delay)
        if delay == 30:
            s.loop.stop()
    for delay in (30, 10, 20):
        s.loop.call_later(delay / 1000, fire, delay)
    s.run()


@program("timers.negative")
def timers_negative(s):
    s.loop.call_later(-0.001, s.say, "1 ms ago")
    s.loop.call_later(-0.002, s.say, "2 ms ago")
    s.loop.call_later(0, s.say, "now")
    s.loop.call_soon(s.say, "soon")
    s.turn(2)


@program("timers.in_the_past")
def timers_in_the_past(s):
    now = s.loop.time()
    s.loop.call_at(now - 0.005, s.say, "b")
    s.loop.call_at(now - 0.010, s.say, "a")
    s.loop.call_at(now - 0.001, s.say, "c")
    s.turn()


@program("timers.of_one_deadline")
def timers_of_one_deadline(s):
    when = s.loop.time() - 0.001
    for name in "abcde":
        s.loop.call_at(when, s.say, name)
    s.turn()


@program("timers.cancelled")
def timers_cancelled(s):
    def first():
        s.say("first")
        victim.cancel()

    def last():
        s.say("last")
        s.loop.stop()
    early = s.loop.call_later(0.001, s.say, "never")
    s.loop.call_later(0.002, first)
    victim = s.loop.call_later(0.003, s.say, "never")
    s.loop.call_later(0.010, last)
    early.cancel()
    s.run()
    early.cancel()


@program("timers.cancelled_when_due")
def timers_cancelled_when_due(s):
    def first():
        s.say("first")
        victim.cancel()
    now = s.loop.time()
    s.loop.call_at(now - 0.002, first)
    victim = s.loop.call_at(now - 0.001, s.say, "never")
    s.turn(3)


@program("timers.when")
def timers_when(s):
    before = s.loop.time()
    timer = s.loop.call_later(10, s.say, "never")
    s.say("not earlier", timer.when() >= before + 10)
    s.say("not much later", timer.when() < before + 60)
    exact = s.loop.call_at(before + 5, s.say, "never")
    exact.cancel()
    s.say("exactly, also when cancelled", exact.when() == before + 5)


@program("timers.nested")
def timers_nested(s):
    def second():
        s.say("timer of a timer")
        s.loop.stop()

    def first():
        s.say("timer")
        s.loop.call_soon(s.say, "soon")
        s.loop.call_later(0, second)
    s.loop.call_later(0, first)
    s.run()


@program("timers.survive_runs")
def timers_survive_runs(s):
    def fire():
        s.say("timer")
        s.loop.stop()
    s.loop.call_later(0.005, fire)
    s.turn()
    s.say("between")
    s.run()


@program("timers.not_early")
def timers_not_early(s):
    begin = s.loop.time()
    s.loop.call_later(0.020, s.loop.stop)
    s.run()
    s.say("waited", s.loop.time() - begin >= 0.019)


@program("threadsafe.same_thread")
def threadsafe_same_thread(s):
    s.loop.call_soon_threadsafe(s.say, "threadsafe")
    s.loop.call_soon(s.say, "soon")
    s.turn()


@program("threadsafe.same_thread_running")
def threadsafe_same_thread_running(s):
    def callback():
        s.loop.call_soon(s.say, "soon")
        s.loop.call_soon_threadsafe(s.say, "threadsafe")
        s.loop.call_soon(s.say, "soon again")
        s.loop.call_later(0.010, s.loop.stop)
    s.loop.call_soon(callback)
    s.run()


@program("threadsafe.other_thread")
def threadsafe_other_thread(s):
    def work():
        for name in "abc":
            s.loop.call_soon_threadsafe(s.say, name)
        s.loop.call_soon_threadsafe(s.loop.stop)
    other = threading.Thread(target=work)
    other.start()
    s.run()
    other.join()


@program("threadsafe.cancelled")
def threadsafe_cancelled(s):
    handle = s.loop.call_soon_threadsafe(s.say, "never")
    handle.cancel()
    s.turn(2)
    s.say("done")
