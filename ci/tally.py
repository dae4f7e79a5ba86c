"""Closes a test run: one line per build folder and `N passed, M failed` over all of them.

A CTest entry that is a doctest executable counts with its test cases, any other entry as one.
Exit code 1 when something failed or nothing ran.
"""

import re
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

CASES = re.compile(r"\[doctest\] test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")
STARTED = re.compile(r"^\d+/\d+ Testing: (\S+)$", re.MULTILINE)


def cases_by_test(log: str) -> dict[str, tuple[int, int]]:
    """Passed and failed doctest cases of each CTest entry that printed doctest's summary."""
    found = {}
    pieces = STARTED.split(log)
    for name, output in zip(pieces[1::2], pieces[2::2]):
        totals = [(int(m[2]), int(m[3])) for m in CASES.finditer(output)]
        if totals:
            found[name] = (sum(t[0] for t in totals), sum(t[1] for t in totals))
    return found


def tally(folder: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped of one build folder."""
    log_path = folder / "Testing" / "Temporary" / "LastTest.log"
    log = log_path.read_text(encoding="utf-8", errors="replace") if log_path.exists() else ""
    cases = cases_by_test(log)
    passed = failed = skipped = 0
    for test in xml.parse(folder / "junit.xml").getroot().iter("testcase"):
        status = test.get("status")
        good, bad = cases.get(test.get("name"), (0, 0))
        if status == "run":
            passed += max(good, 1)
        elif status in ("notrun", "disabled"):
            skipped += 1
            print(f"  skipped: {test.get('name')}")
        else:
            passed += good
            failed += max(bad, 1)
            print(f"  failed: {test.get('name')}")
    return passed, failed, skipped


def main(folders: list[str]) -> int:
    passed = failed = 0
    for folder in map(Path, folders):
        good, bad, skipped = tally(folder)
        note = f", {skipped} skipped" if skipped else ""
        print(f"{folder.name}: {good} passed, {bad} failed{note}")
        passed += good
        failed += bad
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
