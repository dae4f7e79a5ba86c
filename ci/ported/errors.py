"""Ported programs: exception handlers and debug mode, as in errors.cpp."""

import threading
import time

from programs import Boom, Exit, program


def raises():
    raise Boom()


@program("errors.callback_raises")
def callback_raises(s):
    s.say_reports()
    s.loop.call_soon(raises)
    s.loop.call_soon(s.say, "goes on")
    s.loop.call_later(0, raises)
    s.turn(2)


@program("errors.default_handler_logs")
def default_handler_logs(s):
    s.say_log()
    s.loop.call_soon(raises)
    s.turn()


@program("errors.handler_raises")
def handler_raises(s):
    def handler(_, context):
        s.say("handler")
        raise Boom()
    s.say_log()
    s.loop.set_exception_handler(handler)
    s.loop.call_soon(raises)
    s.loop.call_soon(s.say, "goes on")
    s.turn()


@program("errors.handler_exits")
def handler_exits(s):
    def handler(_, context):
        raise Exit()
    s.loop.set_exception_handler(handler)
    s.loop.call_soon(raises)
    s.loop.call_soon(s.say, "kept")
    try:
        s.run()
    except SystemExit:
        s.say("left")
    s.turn()


@program("errors.handler_unset")
def handler_unset(s):
    s.say_log()
    s.say_reports()
    s.say("set", s.loop.get_exception_handler() is not None)
    s.loop.set_exception_handler(None)
    s.say("set", s.loop.get_exception_handler() is not None)
    s.loop.call_soon(raises)
    s.turn()


@program("errors.handler_called_by_hand")
def handler_called_by_hand(s):
    s.say_log()
    s.loop.call_exception_handler({"message": "by hand"})
    s.say_reports()
    s.loop.call_exception_handler({"message": "by hand"})
    s.loop.call_exception_handler({"message": "by hand", "exception": Boom()})


@program("errors.handler_delegates")
def handler_delegates(s):
    def handler(loop, context):
        s.say("delegates", loop is s.loop)
        loop.default_exception_handler(context)
    s.say_log()
    s.loop.set_exception_handler(handler)
    s.loop.call_soon(raises)
    s.turn()


@program("errors.handler_replaces_itself")
def handler_replaces_itself(s):
    def handler(_, context):
        s.say("first")
        s.say_reports()
    s.loop.set_exception_handler(handler)
    s.loop.call_soon(raises)
    s.loop.call_soon(raises)
    s.turn()


@program("debug.slow_callback")
def debug_slow_callback(s):
    s.say_log()
    s.loop.slow_callback_duration = 0.020
    s.loop.call_soon(time.sleep, 0.025)
    s.turn()
    s.say("debug", s.loop.get_debug())
    s.loop.set_debug(True)
    s.say("debug", s.loop.get_debug())
    s.loop.call_soon(time.sleep, 0.025)
    s.turn()


@program("debug.wrong_thread")
def debug_wrong_thread(s):
    def elsewhere():
        s.say("call_soon", s.attempt_ok(s.loop.call_soon, print))
        s.say("call_later", s.attempt_ok(s.loop.call_later, 0, print))
        s.say("call_at", s.attempt_ok(s.loop.call_at, s.loop.time(), print))
        s.say("call_soon_threadsafe", s.attempt_ok(s.loop.call_soon_threadsafe, s.say, "crossed"))

    def callback():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    s.loop.set_debug(True)
    s.loop.slow_callback_duration = 60
    s.loop.call_soon(callback)
    s.turn(2)
