"""From rows to one merged report: builds what they run, makes them, holds their facts, merges."""

import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rows.reasons import CannotBeMade
from rows.table import Row, makers
from rows.work import ROOT, Work, build_root, calibrate


@dataclass
class Ran:
    """What became of a row. Its folder keeps it as ran.json, where it ran to its end."""
    row: Row
    journal: Path | None = None
    notrun: str = ""                                  # why there is no journal
    broken: list[str] = field(default_factory=list)   # expected facts that are otherwise
    took_s: float = 0
    scale: str = ""


def say(text: str) -> None:
    print(f"matrix: {text}", file=sys.stderr, flush=True)


def build(binary: str, out: Path, anew: bool) -> Path:
    """The executable that the table calls so. Raises CannotBeMade."""
    own = os.uname().machine
    preset = {own: "static", f"{own}-dynamic": "release"}.get(binary)
    program = build_root() / (preset or f"cross-{binary}") / "loopscope"
    if anew or not program.exists():
        log = out / f"build-{binary}.log"
        say(f"building {binary} (see {log})")
        command = (["bash", "-ec", f". '{ROOT}/ci/setup.sh'; setup_machine build; "
                    f"build_preset {preset} loopscope"] if preset
                   else [str(ROOT / "ci/cross"), binary])
        with open(log, "wb") as output:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                  check=False)
        if done.returncode != 0:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise CannotBeMade(f"{binary} was not built: {lines[-1] if lines else 'no reason'}")
    return program


def journal_facts(journal: Path) -> dict[str, dict]:
    """By id; what the header says of the host is there as well, as "host.kernel"."""
    facts: dict[str, dict] = {}
    with open(journal, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith('{"fact"'):
                fact = json.loads(line)["fact"]
                facts[fact["id"]] = fact
            elif line.startswith('{"header"'):
                host = json.loads(line)["header"]["host"]
                facts.update({f"host.{key}": {"value": value} for key, value in host.items()})
            elif line.startswith('{"plan"'):
                break
    return facts


def fact_text(fact: dict | None) -> str:
    """As the conditions of expectations have it: "yes", "no EPERM", numbers as they are."""
    value = fact["value"] if fact else None
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "(none)"
    if value is not None and not isinstance(value, bool):
        return str(value)
    failed = [one["errno_name"] for one in (fact or {}).get("evidence", []) if one["errno"] != 0]
    text = "-" if value is None else "yes" if value else "no"
    return text if value or not failed else f"{text} {failed[0]}"


def broken_facts(row: Row, journal: Path) -> list[str]:
    """What the row was to answer and does not: then it is not the platform that it is called."""
    facts = journal_facts(journal)
    return [f"{ident} is \"{seen}\", expected \"{wanted}\""
            for ident, wanted in row.facts.items()
            if not fnmatch.fnmatchcase(seen := fact_text(facts.get(ident)), wanted)]


def limit_of(row: Row) -> float:
    """When a row is given up: a multiple of what it costs, for slow and loaded machines."""
    return 600 + 5 * row.seconds


def is_whole(journal: Path) -> bool:
    """Did its run come to its end?"""
    with open(journal, "rb") as file:
        file.seek(max(0, journal.stat().st_size - 65536))
        last = file.read().splitlines()[-1:]
    try:
        footer = json.loads(last[0])["footer"]
    except (IndexError, KeyError, TypeError, ValueError):
        return False
    return not footer["interrupted"] and footer["reported"] == footer["planned"]


class Matrix:
    """anew: build the executables; go_on: take over the rows that an earlier run into the same
    folder has brought to their end, with the same executable."""

    def __init__(self, rows: list[Row], out: Path, program: Path | None, anew: bool = True,
                 go_on: bool = False) -> None:
        self.rows, self.out, self.program, self.anew = rows, out, program, anew
        self.go_on = go_on
        self.programs: dict[str, Path | str] = {}
        self.unscaled_ns = 0
        self.lock = threading.Lock()
        self.done = 0

    def prepare(self) -> Path:
        """Builds for every architecture that is wanted; returns the executable for this machine."""
        self.out.mkdir(parents=True, exist_ok=True)
        own = os.uname().machine
        native = self.program or build(own, self.out, self.anew)
        self.programs[own] = native
        for binary in sorted({row.binary for row in self.rows} - {own}):
            try:
                self.programs[binary] = build(binary, self.out, self.anew)
            except CannotBeMade as reason:
                self.programs[binary] = str(reason)
        self.unscaled_ns = calibrate(native, self.out / "calibration")
        return native

    def _identity(self, row: Row) -> dict:
        """What a row has to be the same in, to be taken over by a later run."""
        program = self.programs[row.binary]
        digest = None
        if isinstance(program, Path):
            with open(program, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"maker": row.maker, "how": row.how, "arguments": list(row.arguments),
                "jobs": row.jobs, "program": digest}

    def _taken_over(self, row: Row) -> Ran | None:
        """What an earlier run has left of the row, where that is whole."""
        folder = self.out / row.name
        journal = folder / "journal.ndjson"
        try:
            known = json.loads((folder / "ran.json").read_text(encoding="utf-8"))
            if known["identity"] != self._identity(row) or not is_whole(journal):
                return None
            return Ran(row, journal, broken=broken_facts(row, journal), took_s=known["took_s"],
                       scale=known["factor"])
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def make(self, row: Row) -> Ran:
        began = time.monotonic()
        if self.go_on and (before := self._taken_over(row)):
            self._tell(before, "from an earlier run, ")
            return before
        ran = Ran(row)
        folder = self.out / row.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        program = self.programs[row.binary]
        try:
            if isinstance(program, str):
                raise CannotBeMade(program)
            work = Work(row, program, folder, self.unscaled_ns, limit_of(row))
            makers()[row.maker].run(work)
        except CannotBeMade as reason:
            ran.notrun = str(reason)
        except Exception as error:  # of one row: the others go on, and its column says it
            ran.notrun = f"a bug of its maker: {type(error).__name__}: {error}"
        journal = folder / "journal.ndjson"
        if journal.exists():
            ran.journal = journal
            ran.broken = broken_facts(row, journal)
        elif not ran.notrun:
            ran.notrun = "it left no journal"
        if (folder / "scale").exists():
            ran.scale = (folder / "scale").read_text(encoding="utf-8").strip()
        ran.took_s = time.monotonic() - began
        if ran.journal and not ran.notrun:
            (folder / "ran.json").write_text(json.dumps(
                {"identity": self._identity(row), "took_s": ran.took_s, "factor": ran.scale}),
                encoding="utf-8")
        self._tell(ran)
        return ran

    def _tell(self, ran: Ran, whence: str = "") -> None:
        with self.lock:
            self.done += 1
            what = f"notrun: {ran.notrun}" if ran.journal is None else (
                f"factor {ran.scale or '?'}" + (f"; {ran.notrun}" if ran.notrun else ""))
            say(f"[{self.done}/{len(self.rows)}] {ran.row.label}: {whence}{ran.took_s:.0f} s, "
                f"{what}")
            for fact in ran.broken:
                say(f"  not what it is called: {fact}")

    def run(self, jobs: int) -> list[Ran]:
        """Those that take longest first, so that none is waited for at the end."""
        order = sorted(self.rows, key=lambda row: -row.seconds)
        with ThreadPoolExecutor(jobs) as pool:
            ran = list(pool.map(self.make, order))
        return sorted(ran, key=lambda one: self.rows.index(one.row))


def beside(rows: list[Row]) -> list[str]:
    """Which row stands beside which on the page: the first one, where it names no other."""
    labels = {row.name: row.label for row in rows}
    return [word for pair in [rows[0].label, *(f"{row.label}:{labels[row.beside]}" for row in rows
                                               if row.beside in labels)]
            for word in ("--beside", pair)]


def merge(native: Path, ran: list[Ran], out: Path) -> int:
    """One document and one page of all rows; the exit code is the report's verdict."""
    document, page = out / "matrix.ndjson", out / "matrix.html"
    legs = [f"{one.row.label}={one.journal}" for one in ran if one.journal]
    notrun = [word for one in ran if one.journal is None
              for word in ("--notrun", f"{one.row.label}={one.notrun}")]
    if not legs:
        say("no row ran")
        return 2
    labels = ",".join(one.row.label for one in ran if one.journal)
    merged = subprocess.run([native, "merge", *legs, "--expect-legs", labels, *notrun, "-o",
                             document], check=False)
    if merged.returncode not in (0, 2):
        return merged.returncode
    shown = subprocess.run([native, "report", document, "--format", "html", "-o", page,
                            *beside([one.row for one in ran if one.journal])],
                           check=False, stdout=subprocess.DEVNULL)
    say(f"{document}\n        {page}")
    return shown.returncode


def summary(ran: list[Ran]) -> list[dict]:
    return [{"row": one.row.name, "label": one.row.label, "what": one.row.what,
             "class": one.row.kind, "tier": one.row.tier, "took_s": round(one.took_s, 1),
             "factor": float(one.scale) if one.scale else None, "notrun": one.notrun or None,
             "broken_facts": one.broken} for one in ran]
