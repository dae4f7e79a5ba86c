"""Ported programs: futures and their callbacks, as in futures.cpp."""

from programs import Boom, program


def taken(s, call, *arguments):
    """Whether a future took what it was given; asyncio says no with InvalidStateError."""
    return s.attempt(call, *arguments) == "ok"


@program("futures.initial")
def initial(s):
    future = s.loop.create_future()
    s.say("done", future.done(), "cancelled", future.cancelled())
    s.say("result", s.attempt(future.result))
    s.say("its loop", future.get_loop() is s.loop)


@program("futures.set_result")
def set_result(s):
    future = s.loop.create_future()
    s.say("taken", taken(s, future.set_result, 7))
    s.say("done", future.done(), "cancelled", future.cancelled(), future.result())
    s.say("again", taken(s, future.set_result, 8), taken(s, future.set_exception, Boom()),
          "cancel", future.cancel())
    s.say(future.result())


@program("futures.set_exception")
def set_exception(s):
    future = s.loop.create_future()
    s.say("taken", taken(s, future.set_exception, Boom()))
    s.say("done", future.done(), "cancelled", future.cancelled(), s.attempt(future.result),
          s.attempt(future.result))


@program("futures.cancel")
def cancel(s):
    future = s.loop.create_future()
    s.say("cancel", future.cancel())
    s.say("again", future.cancel())
    s.say("done", future.done(), "cancelled", future.cancelled(), s.attempt(future.result))
    s.say("afterwards", taken(s, future.set_result, 1))


@program("futures.callbacks_by_call_soon")
def callbacks_by_call_soon(s):
    future = s.loop.create_future()
    for name in "abc":
        future.add_done_callback(s.sayer(name))
    s.loop.call_soon(s.say, "queued before")
    future.set_result(1)
    s.loop.call_soon(s.say, "queued behind")
    s.say("set")
    s.turn()


@program("futures.callback_added_when_done")
def callback_added_when_done(s):
    future = s.loop.create_future()
    future.set_result(1)
    s.turn()
    future.add_done_callback(s.sayer("late"))
    s.say("added")
    s.turn()


@program("futures.callback_on_cancel")
def callback_on_cancel(s):
    future = s.loop.create_future()
    future.add_done_callback(lambda done: s.say("called", done.cancelled()))
    future.cancel()
    s.say("cancelled")
    s.turn()


@program("futures.callback_removed")
def callback_removed(s):
    future = s.loop.create_future()
    never = s.sayer("never")
    future.add_done_callback(s.sayer("a"))
    future.add_done_callback(never)
    future.add_done_callback(s.sayer("c"))
    s.say("removed", future.remove_done_callback(never) == 1)
    s.say("again", future.remove_done_callback(never) == 1)
    future.set_result(1)
    s.turn()


@program("futures.callback_removes_another")
def callback_removes_another(s):
    future = s.loop.create_future()
    second = s.sayer("scheduled already")
    future.add_done_callback(lambda done: s.say("removed", done.remove_done_callback(second) == 1))
    future.add_done_callback(second)
    future.set_result(1)
    s.turn()


@program("futures.callback_raises")
def callback_raises(s):
    def raises(_):
        raise Boom()
    s.say_reports()
    future = s.loop.create_future()
    future.add_done_callback(raises)
    future.add_done_callback(s.sayer("the next one"))
    future.set_result(1)
    s.turn()


@program("futures.callback_adds_one")
def callback_adds_one(s):
    def first(done):
        s.say("first")
        done.add_done_callback(s.sayer("added by the first"))
    future = s.loop.create_future()
    future.add_done_callback(first)
    future.add_done_callback(s.sayer("second"))
    future.set_result(1)
    s.turn()
    s.say("turned")
    s.turn()


@program("futures.unretrieved")
def unretrieved(s):
    s.say_reports()
    s.loop.create_future().set_exception(Boom())
    s.say("dropped")


@program("futures.retrieved")
def retrieved(s):
    s.say_reports()
    future = s.loop.create_future()
    future.set_exception(Boom())
    s.say(s.attempt(future.result))
    del future
    s.loop.create_future().cancel()
    s.loop.create_future().set_result(1)
    s.say("nothing to report")


@program("futures.unretrieved_after_close")
def unretrieved_after_close(s):
    s.say_reports()
    future = s.loop.create_future()
    future.set_exception(Boom())
    s.loop.close()
    del future
    s.say("dropped")


async def wait_for(future):
    return await future


async def wait_and_say(s, name, future):
    s.say(name, await future)


@program("futures.awaited")
def awaited(s):
    future = s.loop.create_future()
    s.loop.call_soon(future.set_result, 5)
    s.say(s.finish(wait_for(future)))
    s.say("done already", s.finish(wait_for(future)))


@program("futures.awaited_by_two")
def awaited_by_two(s):
    future = s.loop.create_future()
    tasks = [s.loop.create_task(wait_and_say(s, name, future)) for name in ("first", "second")]
    s.turn()
    future.add_done_callback(s.sayer("callback"))
    future.set_result(5)
    s.turn()
    del tasks


@program("futures.set_after_close")
def set_after_close(s):
    future = s.loop.create_future()
    future.add_done_callback(s.sayer("never"))
    s.loop.close()
    s.say("set", taken(s, future.set_result, 1))
    s.say("done", future.done())
