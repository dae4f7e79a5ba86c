"""The closing line of a test run counts cases and entries, and fails when something failed."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import tally

LOG = """1/3 Testing: loops_test
[doctest] test cases:  12 |  12 passed | 0 failed | 0 skipped
2/3 Testing: tidy_test
[doctest] test cases:   5 |   3 passed | 2 failed | 0 skipped
3/3 Testing: fetch
"""


def junit(*tests: tuple[str, str]) -> str:
    rows = "".join(f'<testcase name="{name}" status="{status}"/>' for name, status in tests)
    return f"<testsuite>{rows}</testsuite>"


class Tally(unittest.TestCase):
    def close(self, log: str, report: str) -> tuple[int, str]:
        """Exit code and last line for one build folder with these files."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "Testing" / "Temporary").mkdir(parents=True)
            (folder / "Testing" / "Temporary" / "LastTest.log").write_text(log)
            (folder / "junit.xml").write_text(report)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = tally.main([name])
            return code, said.getvalue().splitlines()[-1]

    def test_cases_of_doctest_count_one_by_one(self):
        report = junit(("loops_test", "run"), ("fetch", "run"))
        self.assertEqual(self.close(LOG, report), (0, "13 passed, 0 failed"))

    def test_a_failed_executable_counts_what_it_passed(self):
        report = junit(("loops_test", "run"), ("tidy_test", "fail"))
        self.assertEqual(self.close(LOG, report), (1, "15 passed, 2 failed"))

    def test_an_executable_that_dies_is_one_failure(self):
        self.assertEqual(self.close("", junit(("loops_test", "fail"))), (1, "0 passed, 1 failed"))

    def test_a_crash_after_every_case_passed_is_a_failure(self):
        report = junit(("loops_test", "fail"))
        self.assertEqual(self.close(LOG, report), (1, "12 passed, 1 failed"))

    def test_nothing_ran_is_not_green(self):
        self.assertEqual(self.close("", junit(("fetch", "notrun"))), (1, "0 passed, 0 failed"))


if __name__ == "__main__":
    unittest.main()
