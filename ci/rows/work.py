"""What a maker is given to make a row with, and what all of them share."""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from rows.reasons import CannotBeMade
from rows.table import Row

ROOT = Path(__file__).resolve().parent.parent.parent  # of the repository

# What a row's factor of time is measured by: the same few cells here and there, one after another.
CALIBRATION = ("run", "--loop", "select", "--scenario", "sched.soon.", "--jobs", "1", "--repeat",
               "4")

_running: set[subprocess.Popen] = set()
_interrupted_by = 0


def build_root() -> Path:
    """Where builds go, as ci/setup.sh chooses it for a repository that can be written."""
    return Path(os.environ.get("LOOPSCOPE_BUILD_DIR") or ROOT / "build")


def interrupt(number: int, _frame=None) -> None:
    """For SIGINT and SIGTERM: ends what runs now; nothing else is started."""
    global _interrupted_by
    _interrupted_by = number
    for child in list(_running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def interrupted_by() -> int:
    return _interrupted_by


@dataclass
class Work:
    """One row's share of a run of the matrix."""
    row: Row
    program: Path       # the static executable for this row
    out: Path           # where its journal.ndjson and its logs go
    unscaled_ns: int    # what the calibration takes on this host
    limit_s: float      # when the row is given up

    def arguments(self, scale: str, out: str, jobs: int) -> list[str]:
        """What loopscope gets to run everything that applies."""
        return ["run", "--jobs", str(self.row.jobs or jobs), "--limit-scale", scale, "--out", out,
                *self.row.arguments]

    def scale(self, took_ns: float) -> str:
        """How much longer a cell's limit is where the calibration took so long; never shorter."""
        return f"{max(1.0, took_ns / self.unscaled_ns):.2f}"

    def file(self, name: str) -> Path:
        self.out.mkdir(parents=True, exist_ok=True)
        return self.out / name

    def call(self, command: list, log: str, **more) -> int:
        """Runs a command with its output in a log. Raises CannotBeMade when it takes too long;
        then it is killed with all that it started in its session."""
        if _interrupted_by:
            raise CannotBeMade("interrupted")
        with open(self.file(log), "wb") as output:
            child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                     stdout=output, stderr=subprocess.STDOUT,
                                     start_new_session=True, **more)
            _running.add(child)
            try:
                if _interrupted_by:  # Before it could be found among those that run.
                    os.killpg(child.pid, signal.SIGKILL)
                code = child.wait(self.limit_s)
                if _interrupted_by:
                    raise CannotBeMade("interrupted")
                return code
            except subprocess.TimeoutExpired:
                raise CannotBeMade(f"given up after {self.limit_s:.0f} s") from None
            finally:
                _running.discard(child)
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()

    def last_words(self, log: str) -> str:
        lines = self.file(log).read_text(encoding="utf-8", errors="replace").splitlines()
        words = [line.strip() for line in lines if line.strip()]
        return words[-1][:300] if words else "it said nothing"

    def run_through(self, enter: list[str], jobs: int, own: bool = True) -> None:
        """Calibrates and runs behind a command that enters the row's world; `own`: the world sees
        the files of this system under their own names."""
        folder = str(self.out) if own else "/out"
        program = str(self.program) if own else "/loopscope"
        began = time.monotonic_ns()
        code = self.call([*enter, program, *CALIBRATION, "--out", f"{folder}/calibration"],
                         "calibration.log")
        if not (self.out / "calibration/report.json").exists():
            raise CannotBeMade(f"exit code {code}: {self.last_words('calibration.log')}")
        scale = self.scale(time.monotonic_ns() - began)
        self.file("scale").write_text(scale + "\n", encoding="utf-8")
        self.call([*enter, program, *self.arguments(scale, folder, jobs)], "run.log")


def calibrate(program: Path, out: Path) -> int:
    """What the calibration takes on this host, in nanoseconds: the best of three."""
    took = []
    for _ in range(3):
        began = time.monotonic_ns()
        done = subprocess.run([str(program), *CALIBRATION, "--out", str(out)], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        took.append(time.monotonic_ns() - began)
        if done.returncode not in (0, 1, 2, 3):
            raise CannotBeMade(f"the calibration ended with {done.returncode}: "
                               f"{done.stderr[-300:]}")
    return min(took)
