"""ci/matrix: its table, rows that cannot be made, and what a fault planted in one row looks like.

Usage: matrix_rows_test.py LOOPSCOPE WORK_FOLDER
The rows here are small: few scenarios, on this kernel. Exit code 77: this system refuses the
namespaces and filters that they are made of.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

from rows.guest_memory import HEAD, PAGE, handed_over
from rows.reasons import BadTable
from rows.table import load
from runs import Failure, check, environment, run_checked

CI = Path(__file__).resolve().parent
GOOD = '''[[row]]
name = "{name}"
class = "restriction"
maker = "host"
tier = "push"
what = "a test"
seconds = 5
arguments = ["--scenario", "sched.soon.,tty.", "--loop", "select,poll"]
{more}
'''


def table(folder: Path, *rows: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "matrix.toml"
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def row(name: str, more: str = "") -> str:
    return GOOD.format(name=name, more=more)


def matrix(tool: Path, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, CI / "matrix", "--table", path, "--program", tool,
                           "--out", path.parent / "out", *arguments], env=environment(), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False)


def own_table() -> None:
    """The rows of the project: readable, of every tier, and called by what they are."""
    rows = load(CI / "matrix.toml")
    check({row.tier for row in rows} <= {"push", "nightly", "manual"}, "a tier is unknown")
    check(all(row.label.startswith(row.kind) for row in rows), "a label hides its class")
    emulated = [row.label for row in rows if row.maker == "vm" and "+tcg." not in row.label]
    check(not emulated, f"rows of an emulated machine do not say so: {emulated}")
    check(len({row.label for row in rows}) == len(rows), "two rows have one label")


def bad_tables(tool: Path, work: Path) -> None:
    """One line that names the row and the key, and exit code 2."""
    good = row("a")
    for what, text, said in (
            ("no TOML", "[[row]\n", "matrix.toml: "),
            ("no rows", "", "no [[row]]"),
            ("another table", good + "[defaults]\n", "'defaults'"),
            ("a key is missing", good.replace('what = "a test"\n', ""),
             "row 1 (a): what is missing"),
            ("a wrong type", good.replace("seconds = 5", 'seconds = "5"'),
             "row 1 (a): seconds must be a whole number"),
            ("an unknown class", good.replace("restriction", "galaxy"), "class is 'galaxy'"),
            ("an unknown tier", good.replace('"push"', '"daily"'), "tier is 'daily'"),
            ("an unknown maker", good.replace('"host"', '"magic"'), "maker is 'magic'"),
            ("a key nobody knows", row("a", "wolrd = \"x\""), "knows no key 'wolrd'"),
            ("a name that is none", row("A b"), "a name has small letters"),
            ("the same name twice", good + good, "row 2: there is a row a before it"),
            ("a fact that is no text", row("a", "facts = { x = 4 }"), "facts.x must be a text"),
            ("a row to compare with that is not there", row("a", 'beside = "b"'),
             "row 1 (a): beside is 'b'"),
            ("what a maker needs", row("a").replace('"host"', '"vm"'), "suite is missing")):
        done = matrix(tool, table(work / "bad", text))
        lines = done.stderr.strip().splitlines()
        check(done.returncode == 2, f"{what}: exit code {done.returncode}, expected 2")
        check(len(lines) == 1 and said in lines[0], f"{what}: said {done.stderr!r}, not {said!r}")
        try:
            load(work / "bad/matrix.toml")
        except BadTable:
            continue
        raise Failure(f"{what}: load() takes it")
    check(matrix(tool, table(work / "bad", good), "--row", "nobody").returncode == 64,
          "a glob that matches nothing is no wrong usage")
    check(matrix(tool, table(work / "bad", good), "--tier", "daily").returncode == 64,
          "an unknown tier is no wrong usage")
    print("bad tables: one line each")


def memory_of_guests(work: Path) -> None:
    """Pages in any order among others, with a stray mark; a page that is missing is noticed."""
    mark = bytes(range(1, 17))
    pages = [mark + HEAD.pack(i, 3, 5) + f"part{i}".encode().ljust(PAGE - 28, b"\0")
             for i in range(3)]
    stray = b"x" * 100 + mark + b"x" * (PAGE - 116)
    path = work / "memory"
    for order, whole in (([stray, pages[2], pages[0], stray, pages[1], pages[0]], True),
                         ([stray, pages[2], pages[0]], False), ([stray], False)):
        path.write_bytes(b"".join(order))
        got = handed_over(path, mark)
        check(got == (b"part0part1part2" if whole else None), f"read {got!r}")
    print("memory of guests: read")


def notrun(tool: Path, work: Path) -> None:
    """A row that cannot be made is a column with its reason, in the document and on the page."""
    path = table(work / "notrun", row("there"),
                 row("absent", 'command = ["/nonexistent/world"]'),
                 row("refused", 'command = ["sh", "-c", "echo this world is closed; exit 3"]'))
    done = matrix(tool, path)
    check(done.returncode == 2, f"exit code {done.returncode}, expected 2\n{done.stderr}")
    out = path.parent / "out"
    first = json.loads((out / "matrix.ndjson").read_text(encoding="utf-8").split("\n", 1)[0])
    reasons = first["merged"]["reasons"]
    check("/nonexistent/world" in reasons.get("restriction.absent", ""), f"reasons: {reasons}")
    check("this world is closed" in reasons.get("restriction.refused", ""), f"reasons: {reasons}")
    report = json.loads(run_checked(tool, "report", str(out / "matrix.ndjson"), "--format", "json",
                                    code=2).stdout)
    cells = {cell["platform"]: cell for cell in report["cells"] if cell["outcome"] == "notrun"}
    check("this world is closed" in cells["restriction.refused"]["reason"], f"cells: {cells}")
    page = (out / "matrix.html").read_text(encoding="utf-8")
    check("this world is closed" in page, "the page does not tell the reason")
    print("rows that cannot be made: notrun, with their reasons")


def fault(tool: Path, work: Path) -> None:
    """Two faults in rows that are declared alike: another errno, a missing device."""
    sound = [row("filter", 'world = "io_uring-eperm"\nfacts = { "uring.setup" = "no EPERM" }'),
             row("terminals", 'world = "terminals"\nfacts = { "tty.ptmx" = "yes" }')]
    planted = [sound[0].replace('world = "io_uring-eperm"', 'world = "io_uring-enosys"'),
               sound[1].replace('world = "terminals"', 'world = "no-terminals"')]
    before, after = table(work / "sound", *sound), table(work / "planted", *planted)
    done = matrix(tool, before)
    check(done.returncode == 0, f"sound rows: exit code {done.returncode}\n{done.stderr}")
    done = matrix(tool, after)
    check(done.returncode == 1, f"planted faults: exit code {done.returncode}, expected 1")
    for said in ('uring.setup is "no ENOSYS", expected "no EPERM"',
                 'tty.ptmx is "no ENOENT", expected "yes"'):
        check(said in done.stderr, f"the matrix does not say: {said}\n{done.stderr}")
    # Lists of what a thread of the kernel does in time: a loaded machine leaves some out.
    loaded = ("uring.ops", "uring.setup_flags")
    for name, facts, cells in (("filter", ("uring.*", "*.io_uring", "*.io_uring_*"), ()),
                               ("terminals", ("tty.*", "uring.cancel_read_pty", "poll.kind_matrix",
                                              "uring.*_kinds"), ("tty.*",))):
        old, new = before.parent / "out" / name, after.parent / "out" / name
        changed = json.loads(run_checked(tool, "diff", str(old), str(new), "--format",
                                         "json").stdout)
        allowed = facts + loaded
        stray = [one["what"] for one in changed["host"]
                 if not any(fnmatch(one["what"], glob) for glob in allowed)]
        stray += [one["scenario"] for one in changed["cells"]
                  if not any(fnmatch(one["scenario"], glob) for glob in cells)]
        check(not stray, f"{name}: changed as well: {stray}")
        told = changed["host"] if not cells else changed["cells"]
        check(told, f"{name}: the diff does not show the fault")
        print(f"fault in {name}: {len(changed['host'])} facts and {len(changed['cells'])} cells "
              "differ, no other")


def interrupted(tool: Path, work: Path) -> None:
    """What runs is ended with it, and the exit code says so."""
    told = work / "interrupted/pid"
    command = f"command = ['sh', '-c', 'echo $$ >{told}; exec sleep 600']"
    path = table(told.parent, row("long", command))
    matrix_run = subprocess.Popen([sys.executable, CI / "matrix", "--table", path, "--program",
                                   tool, "--out", told.parent / "out"], env=environment(),
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not (told.exists() and told.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.1)
    matrix_run.terminate()
    said = matrix_run.communicate(timeout=300)[1]
    check(matrix_run.returncode == 143, f"exit code {matrix_run.returncode}, expected 143\n{said}")
    check("notrun: interrupted" in said, f"it does not say that the row was interrupted: {said}")
    group = int(told.read_text())
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        print("interrupted: 143, and nothing is left")
        return
    raise Failure("what the row had started runs on")


def gone_on(tool: Path, work: Path) -> None:
    """Rows that are whole are taken over; one that was cut, or is another one now, runs again."""
    path = table(work / "gone_on", row("kept"), row("cut"), row("changed"))
    check(matrix(tool, path).returncode == 0, "three rows are not green")
    out = path.parent / "out"
    journals = {name: out / name / "journal.ndjson" for name in ("kept", "cut", "changed")}
    lines = journals["cut"].read_text(encoding="utf-8").splitlines(keepends=True)
    journals["cut"].write_text("".join(lines[:-2]), encoding="utf-8")
    before = {name: journal.read_bytes() for name, journal in journals.items()}
    path = table(work / "gone_on", row("kept"), row("cut"), row("changed", "jobs = 1"))
    done = matrix(tool, path, "--continue")
    check(done.returncode == 0, f"exit code {done.returncode}\n{done.stderr}")
    for name, journal in journals.items():
        taken_over = journal.read_bytes() == before[name]
        check(taken_over == (name == "kept"), f"{name}: taken over: {taken_over}")
    check("restriction.kept: from an earlier run" in done.stderr, done.stderr)
    check(matrix(tool, path).returncode == 0 and
          journals["kept"].read_bytes() != before["kept"], "without --continue all run again")
    print("gone on: what was whole is taken over")


def main(tool: Path, work: Path) -> int:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    own_table()
    bad_tables(tool, work)
    memory_of_guests(work)
    notrun(tool, work)
    interrupted(tool, work)
    gone_on(tool, work)
    refused = subprocess.run([sys.executable, CI / "rows/worlds.py", "no-terminals", "--", "true"],
                             check=False, capture_output=True, text=True)
    if refused.returncode != 0:
        print(f"not judged: the planted faults; {refused.stderr.strip()}")
        return 77
    fault(tool, work)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve() / "matrix_rows"))
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
