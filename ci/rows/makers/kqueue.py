"""The row of the loop kqueue over libkqueue: ci/rows/kqueue builds a program that is linked with
it. Its epoll descriptor is libkqueue's own, which the proof of the backend would take for a
fallback: the row says --allow-fallback."""

from dataclasses import replace
from pathlib import Path

from rows.reasons import CannotBeMade
from rows.work import Work, build_root

LABEL = ""
KEYS = {}
JOBS = 4
SCRIPT = Path(__file__).resolve().parent.parent / "kqueue"


def run(work: Work) -> None:
    code = work.call([SCRIPT, "--build-only"], "build.log")
    if code != 0:
        raise CannotBeMade(f"exit code {code}: {work.last_words('build.log')}")
    built = replace(work, program=build_root() / "kqueue/loopscope")
    built.run_through([], JOBS)
