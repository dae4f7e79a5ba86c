"""Ported programs: runs, stop() and close(), as in lifecycle.cpp."""

import asyncio
import threading

from programs import Boom, Exit, program


def running():
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@program("stop.before_run")
def stop_before_run(s):
    def second():
        s.say("second")
        s.loop.call_soon(s.say, "next run")
    s.loop.call_soon(s.say, "first")
    s.loop.call_soon(second)
    s.loop.stop()
    s.run()
    s.say("stopped")
    s.turn()


@program("stop.lets_batch_finish")
def stop_lets_batch_finish(s):
    def stops():
        s.say("stops")
        s.loop.stop()
    s.loop.call_soon(stops)
    s.loop.call_soon(s.say, "of the same batch")
    s.run()
    s.say("stopped")


@program("stop.from_timer")
def stop_from_timer(s):
    def stops():
        s.say("stops")
        s.loop.stop()
        s.loop.stop()
    s.loop.call_later(0.001, stops)
    s.run()
    s.say("once is enough")
    s.turn()


@program("run.states")
def run_states(s):
    s.say("running", s.loop.is_running(), "closed", s.loop.is_closed())
    s.loop.call_soon(lambda: s.say("running", s.loop.is_running()))
    s.turn()
    s.say("running", s.loop.is_running())
    s.loop.close()
    s.say("closed", s.loop.is_closed())


@program("run.nested")
def run_nested(s):
    s.loop.call_soon(lambda: s.say(s.attempt(s.loop.run_forever)))
    s.loop.call_soon(s.say, "goes on")
    s.turn()


@program("run.another_inside")
def run_another_inside(s):
    other = s.another()
    s.loop.call_soon(lambda: s.say(s.attempt(other.run_forever)))
    s.turn()
    s.say("other is running", other.is_running())
    other.stop()
    s.say(s.attempt(other.run_forever))
    s.say(s.attempt(other.close))


@program("run.in_a_thread")
def run_in_a_thread(s):
    def work():
        s.loop.call_soon(lambda: s.say("here", running() is s.loop))
        s.turn()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    s.loop.call_soon(lambda: s.say("there", running() is s.loop))
    s.turn()


@program("run.marks_loop")
def run_marks_loop(s):
    s.say("outside", running() is not None)
    s.loop.call_soon(lambda: s.say("inside", running() is s.loop))
    s.turn()
    s.say("afterwards", running() is not None)


@program("complete.value")
def complete_value(s):
    future = s.loop.create_future()
    s.loop.call_later(0.001, future.set_result, 42)
    s.say(s.finish(future))
    s.say("again", s.finish(future))


@program("complete.stopped_early")
def complete_stopped_early(s):
    future = s.loop.create_future()
    s.loop.call_soon(s.loop.stop)
    s.say(s.finish(future))
    s.say("done", future.done())
    s.loop.call_soon(future.set_result, 1)
    s.say(s.finish(future))


@program("complete.exception")
def complete_exception(s):
    future = s.loop.create_future()
    s.loop.call_soon(future.set_exception, Boom())
    s.say(s.finish(future))


@program("exit.leaves")
def exit_leaves(s):
    def leave():
        raise Exit()
    s.loop.call_soon(s.say, "first")
    s.loop.call_soon(leave)
    s.loop.call_soon(s.say, "behind the exit")
    try:
        s.run()
    except SystemExit:
        s.say("left")
    s.say("running", s.loop.is_running())
    s.turn()


@program("close.twice")
def close_twice(s):
    s.say(s.attempt(s.loop.close))
    s.say(s.attempt(s.loop.close))


@program("close.while_running")
def close_while_running(s):
    s.loop.call_soon(lambda: s.say(s.attempt(s.loop.close), "closed", s.loop.is_closed()))
    s.turn()
    s.say(s.attempt(s.loop.close))


@program("close.refuses_work")
def close_refuses_work(s):
    s.loop.close()
    s.say("call_soon", s.attempt(s.loop.call_soon, print))
    s.say("call_later", s.attempt(s.loop.call_later, 0, print))
    s.say("call_at", s.attempt(s.loop.call_at, 0, print))
    s.say("call_soon_threadsafe", s.attempt(s.loop.call_soon_threadsafe, print))
    s.say("run_forever", s.attempt(s.loop.run_forever))


@program("close.drops_callbacks")
def close_drops_callbacks(s):
    class Witness:
        def __del__(self):
            s.say("released")
    witness = Witness()
    s.loop.call_soon(lambda witness: s.say("ran"), witness)
    del witness
    s.loop.close()
    s.say("closed")
