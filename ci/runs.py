"""What the tests of whole runs share: starting loopscope, reading its journal and its report."""

import json
import os
import subprocess
from pathlib import Path

# Outcomes that no own loop may show in a finished run, whatever an expectation says.
RED = {"fail", "leak", "hang", "crash", "broken", "notrun"}


class Failure(Exception):
    """A test of a run failed; the text says what was expected and what was seen."""


def check(holds: bool, text: str) -> None:
    if not holds:
        raise Failure(text)


def environment() -> dict[str, str]:
    """The caller's environment without loopscope's own variables: they would change the run."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOOPSCOPE_")}


def run(tool: Path, *arguments: str, timeout: float = 900,
        before=None) -> subprocess.CompletedProcess[str]:
    """`before` is called in the new process, before it becomes loopscope."""
    return subprocess.run([tool, *arguments], env=environment(), timeout=timeout, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=before,
                          check=False)


def run_checked(tool: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs loopscope and insists on its exit code."""
    done = run(tool, *arguments)
    check(done.returncode == code,
          f"loopscope {' '.join(arguments)}: exit code {done.returncode}, expected {code}\n"
          f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
    return done


def load_report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def journal_lines(path: Path) -> list[dict]:
    """Every complete line of a journal; a cut last line is left out, as loopscope does."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines if line.strip()]


def key(cell: dict) -> tuple[str, str, int]:
    return cell["loop"], cell["scenario"], cell.get("repeat", 0)


def timing_scenarios(report: dict) -> set[str]:
    return {row["id"] for row in report["catalogue"]["scenarios"] if row.get("timing")}


def happens_sometimes(cell: dict) -> bool:
    """Its expectation allows two outcomes: it passed as expected although it need not."""
    expectation = cell.get("expectation")
    return (expectation is not None and cell.get("standing") == "as_expected"
            and cell["outcome"] != expectation["outcome"])


def different_outcomes(first: dict, second: dict) -> list[str]:
    """Cells whose outcome differs between two reports, but for those that judge timing and those
    whose expectation says that either outcome is theirs."""
    timing = timing_scenarios(first)
    either = {key(cell) for report in (first, second) for cell in report["cells"]
              if happens_sometimes(cell)}
    seen = [{key(cell): cell["outcome"] for cell in report["cells"]
             if cell["scenario"] not in timing and key(cell) not in either}
            for report in (first, second)]
    return [f"{' '.join(map(str, name))}: {seen[0].get(name, 'no such cell')}, then "
            f"{seen[1].get(name, 'no such cell')}"
            for name in sorted(seen[0].keys() | seen[1].keys())
            if seen[0].get(name) != seen[1].get(name)]
