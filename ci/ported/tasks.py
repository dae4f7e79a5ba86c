"""Ported programs: tasks and what they run, as in tasks.cpp."""

import asyncio
import gc

from programs import Boom, Exit, program


async def answer(s, name, value):
    s.say(name)
    return value


async def nap(s, delay_ms, value):
    try:
        await asyncio.sleep(delay_ms / 1000)
        s.say("slept ok")
    except asyncio.CancelledError as error:
        s.say("slept", error)
    return value


async def raises():
    raise Boom()


@program("tasks.starts_soon")
def starts_soon(s):
    s.loop.call_soon(s.say, "queued before")
    task = s.loop.create_task(answer(s, "runs", 3))
    s.loop.call_soon(s.say, "queued behind")
    s.say("created", task.done())
    s.turn()
    s.say("done", task.done(), task.result())


@program("tasks.done_callback")
def done_callback(s):
    task = s.loop.create_task(answer(s, "runs", 3))
    task.add_done_callback(s.sayer("callback"))
    s.turn()
    s.say("done", task.done())
    s.turn()


@program("tasks.nested_coroutines")
def nested_coroutines(s):
    async def outer():
        try:
            s.say("outer")
            value = await answer(s, "inner", 20)
            s.say("back in outer")
            return value + 1
        finally:
            s.say("outer ends")
    task = s.loop.create_task(outer())
    s.loop.call_soon(s.say, "between steps, if there were any")
    s.turn()
    s.say(task.result())


@program("tasks.exception_passes")
def exception_passes(s):
    async def catches():
        try:
            return await raises()
        except Boom:
            s.say("caught")
            return 9
    s.say(s.finish(catches()))
    s.say(s.finish(raises()))


@program("tasks.exception_unretrieved")
def exception_unretrieved(s):
    s.say_reports()
    s.loop.create_task(raises())
    s.turn()
    s.say("turned")


@program("tasks.exit_leaves")
def exit_leaves(s):
    async def exits():
        raise Exit()
    s.say_reports()
    task = s.loop.create_task(exits())
    s.loop.call_soon(s.say, "behind")
    try:
        s.run()
    except SystemExit:
        s.say("left")
    s.say("done", task.done())
    s.turn()
    task.exception()


@program("tasks.sleep_zero_takes_turns")
def sleep_zero_takes_turns(s):
    async def steps(name):
        for step in (1, 2, 3):
            s.say(name, step)
            await asyncio.sleep(0)
    first = s.loop.create_task(steps("first"))
    second = s.loop.create_task(steps("second"))
    for turn in range(1, 6):
        s.turn()
        s.say("turn", turn)
    s.say(first.done(), second.done())


@program("tasks.sleep_zero_order")
def sleep_zero_order(s):
    async def beside():
        s.loop.call_soon(s.say, "queued before the sleep")
        await asyncio.sleep(0)
        s.say("awake")
        return 1
    s.say(s.finish(beside()))


@program("tasks.sleep_by_delay")
def sleep_by_delay(s):
    async def sleeper(delay_ms):
        await asyncio.sleep(delay_ms / 1000)
        s.say("after", delay_ms)
        return delay_ms
    last, first, second = (s.loop.create_task(sleeper(delay)) for delay in (30, 10, 20))
    s.say(s.finish(last))
    s.say(first.done(), second.done())


@program("tasks.destroyed_while_pending")
def destroyed_while_pending(s):
    s.say_reports()
    task = s.loop.create_task(nap(s, 60_000, 1))
    s.turn()
    s.loop.close()
    del task
    gc.collect()
    s.say("closed")


@program("tasks.unheld_goes_on")
def unheld_goes_on(s):
    async def keep():
        try:
            await future
        finally:
            s.say("frame ends")
    future = s.loop.create_future()
    s.loop.create_task(keep())
    s.turn()
    future.set_result(1)
    s.turn()
    s.say("done")


async def await_result(s, future):
    try:
        s.say("got", await future)
    except Exception as error:
        s.say("got", error)
    return 0


@program("tasks.awaits_a_task")
def awaits_a_task(s):
    good = s.loop.create_task(nap(s, 1, 5))
    s.say(s.finish(await_result(s, good)))
    bad = s.loop.create_task(raises())
    s.say(s.finish(await_result(s, bad)))


@program("tasks.awaits_itself")
def awaits_itself(s):
    async def await_self():
        try:
            s.say("got", await task)
        except RuntimeError as error:
            s.say("got", error)
        return 1
    task = s.loop.create_task(await_self())
    s.turn(3)
    s.say("done", task.done())


@program("tasks.awaits_foreign_future")
def awaits_foreign_future(s):
    other = s.another()
    theirs = other.create_future()
    task = s.loop.create_task(await_result(s, theirs))
    s.turn(3)
    s.say("done", task.done())
    theirs.cancel()
    other.close()


@program("tasks.factory")
def factory(s):
    def make(loop, coroutine, **options):
        s.say("factory", loop is s.loop)
        return asyncio.Task(coroutine, loop=loop, **options)
    s.say("none", s.loop.get_task_factory() is None)
    s.loop.set_task_factory(make)
    s.say("none", s.loop.get_task_factory() is None)
    s.say(s.finish(answer(s, "runs", 1)))
    s.loop.set_task_factory(None)
    s.say(s.finish(answer(s, "runs", 2)))


@program("tasks.stopped_and_resumed")
def stopped_and_resumed(s):
    task = s.loop.create_task(nap(s, 5, 8))
    s.loop.call_soon(s.loop.stop)
    s.say(s.finish(task))
    s.say(s.finish(task))
