"""Ported programs: cancelling tasks, as in cancellation.cpp."""

import asyncio

from programs import Boom, program


async def waits(s, future):
    s.say("begins")
    try:
        value = await future
        s.say("woken by", value)
        return value
    except asyncio.CancelledError as error:
        s.say("woken by", error)
        raise


async def forgives(s, future, second):
    for name, awaited in (("first", future), ("then", second)):
        try:
            s.say(name, await awaited)
        except asyncio.CancelledError as error:
            s.say(name, error)
    return 7


async def sleeps(s):
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError as error:
        s.say("slept", error)
        raise


@program("cancel.before_the_start")
def before_the_start(s):
    future = s.loop.create_future()
    task = s.loop.create_task(waits(s, future))
    s.say("cancel", task.cancel())
    s.say("again", task.cancel())
    s.say("done", task.done())
    s.turn()
    s.say("done", task.done(), "cancelled", task.cancelled(), s.attempt(task.result),
          task.cancel())
    s.say("its future", future.cancelled())


@program("cancel.while_waiting")
def while_waiting(s):
    future = s.loop.create_future()
    task = s.loop.create_task(waits(s, future))
    s.turn()
    s.say("cancel", task.cancel(), "done", task.done())
    s.say("its future", future.cancelled())
    s.turn()
    s.say("cancelled", task.cancelled(), s.attempt(task.result))


@program("cancel.ignored")
def ignored(s):
    future, second = s.loop.create_future(), s.loop.create_future()
    task = s.loop.create_task(forgives(s, future, second))
    s.turn()
    task.cancel()
    s.turn()
    s.say("done", task.done())
    second.set_result(2)
    s.turn()
    s.say("cancelled", task.cancelled(), s.attempt(task.result))


@program("cancel.inner_future")
def inner_future(s):
    future = s.loop.create_future()
    task = s.loop.create_task(waits(s, future))
    s.turn()
    future.cancel()
    s.turn()
    s.say("cancelled", task.cancelled())


@program("cancel.both")
def both(s):
    future = s.loop.create_future()
    task = s.loop.create_task(waits(s, future))
    s.turn()
    future.cancel()
    s.say("cancel", task.cancel())
    s.turn()
    s.say("cancelled", task.cancelled())


@program("cancel.when_the_result_is_there")
def when_the_result_is_there(s):
    future = s.loop.create_future()
    task = s.loop.create_task(waits(s, future))
    s.turn()
    future.set_result(1)
    s.say("cancel", task.cancel())
    s.turn()
    s.say("cancelled", task.cancelled())


@program("cancel.by_itself")
def by_itself(s):
    async def cancels_itself():
        s.say("cancel", task.cancel())
        try:
            await future
        except asyncio.CancelledError as error:
            s.say("woken by", error)
            raise
    future = s.loop.create_future()
    task = s.loop.create_task(cancels_itself())
    s.turn(2)
    s.say("cancelled", task.cancelled(), "its future", future.cancelled())


@program("cancel.at_the_end")
def at_the_end(s):
    async def cancels_and_returns():
        s.say("cancel", task.cancel())
        return 12
    task = s.loop.create_task(cancels_and_returns())
    s.turn()
    s.say("done", task.done(), "cancelled", task.cancelled(), s.attempt(task.result))


@program("cancel.at_an_exception")
def at_an_exception(s):
    async def cancels_and_raises():
        task.cancel()
        raise Boom()
    task = s.loop.create_task(cancels_and_raises())
    s.turn()
    s.say("cancelled", task.cancelled())
    s.say(s.finish(task))


@program("cancel.a_task_that_is_awaited")
def a_task_that_is_awaited(s):
    future = s.loop.create_future()
    inner = s.loop.create_task(waits(s, future))
    outer = s.loop.create_task(waits(s, inner))
    s.turn(2)
    s.say("cancel", outer.cancel())
    s.say("the innermost future", future.cancelled())
    s.turn(3)
    s.say("cancelled", inner.cancelled(), outer.cancelled())


@program("cancel.cleanup_may_wait")
def cleanup_may_wait(s):
    async def cleans_up():
        try:
            await s.loop.create_future()
        except asyncio.CancelledError as error:
            s.say("woken by", error)
            await asyncio.sleep(0.002)
            s.say("cleaned up ok")
            raise
    task = s.loop.create_task(cleans_up())
    s.turn()
    task.cancel()
    s.say(s.finish(task))
    s.say("cancelled", task.cancelled())


@program("cancel.becomes_an_exception")
def becomes_an_exception(s):
    async def turns_into_boom():
        try:
            await s.loop.create_future()
        except asyncio.CancelledError:
            raise Boom()
    task = s.loop.create_task(turns_into_boom())
    s.turn()
    task.cancel()
    s.say(s.finish(task))
    s.say("cancelled", task.cancelled())


@program("cancel.a_sleep")
def a_sleep(s):
    task = s.loop.create_task(sleeps(s))
    s.loop.call_later(0.001, lambda: s.say("cancel", task.cancel()))
    s.say(s.finish(task))


@program("cancel.done_already")
def done_already(s):
    s.say_reports()
    future = s.loop.create_future()
    task = s.loop.create_task(waits(s, future))
    s.turn()
    future.set_result(3)
    s.turn()
    s.say("cancel", task.cancel(), "cancelled", task.cancelled(), s.attempt(task.result))


@program("cancel.twice_in_a_row")
def twice_in_a_row(s):
    second = s.loop.create_future()
    task = s.loop.create_task(forgives(s, s.loop.create_future(), second))
    s.turn()
    s.say("cancel", task.cancel())
    s.say("again", task.cancel())
    s.turn()
    s.say("done", task.done())
    if not task.done() and not second.done():
        second.set_result(2)
    s.turn()
    s.say("cancelled", task.cancelled())


@program("cancel.unretrieved_is_quiet")
def unretrieved_is_quiet(s):
    s.say_reports()
    task = s.loop.create_task(sleeps(s))
    s.turn()
    task.cancel()
    del task
    s.turn(2)
    s.say("nothing to report")
