"""Where the system refuses io_uring: the row says who refuses and why, and everything else runs.

Usage: uring_refused_test.py LOOPSCOPE WORK_FOLDER
By a seccomp filter of our own, which needs no privilege, and by the limit of descriptors. By the
system's own switch only where LOOPSCOPE_CHANGE_SYSCTL=1 permits it: that is the whole machine's,
for some seconds, and takes root. Exit code 77: this machine or this build has no io_uring that
could be refused.
"""

import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rows.worlds import ENTER, SETUP, refuse
from runs import Failure, check, load_report, run

SCENARIO = "sched.soon.fifo"
SWITCH = Path("/proc/sys/kernel/io_uring_disabled")
NOBODY = 65534


def run_into(tool: Path, folder: Path, loops: str, before=None) -> subprocess.CompletedProcess:
    shutil.rmtree(folder, ignore_errors=True)
    return run(tool, "run", "--loop", loops, "--scenario", SCENARIO, "--out", str(folder),
               timeout=120, before=before)


def cell(folder: Path, loop: str) -> dict:
    return next(c for c in load_report(folder)["cells"] if c["loop"] == loop)


def refused(tool: Path, work: Path, name: str, before, words: tuple) -> None:
    folder = work / name.replace(" ", "-")
    done = run_into(tool, folder, "epoll,io_uring", before)
    check(done.returncode == 0, f"{name}: exit code {done.returncode}, expected 0\n{done.stderr}")
    check(cell(folder, "epoll")["outcome"] == "pass", f"{name}: epoll did not pass")
    told = cell(folder, "io_uring")
    check(told["outcome"] == "unsupported", f"{name}: {told['outcome']} ({told['reason']})")
    missing = [word for word in words if word not in told["reason"]]
    check(not missing, f"{name}: the reason lacks {missing}: {told['reason']}")
    alone = run_into(tool, folder, "io_uring", before)
    check(alone.returncode == 4, f"{name}: alone it is exit code {alone.returncode}, expected 4")
    print(f"{name}: {told['reason']}")


def filtered(tool: Path, work: Path, call: int, error: int, *words: str) -> None:
    name = f"{'setup' if call == SETUP else 'enter'} {errno.errorcode[error]}"
    refused(tool, work, name, refuse(call, error), words + (errno.errorcode[error], "seccomp"))


def nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def switched_off(tool: Path) -> None:
    """1 refuses whoever is not in a group and lacks CAP_SYS_ADMIN, 2 refuses all."""
    before = SWITCH.read_text(encoding="ascii")
    with tempfile.TemporaryDirectory() as folder:
        own = Path(shutil.copy(tool, folder))  # where nobody may run and write it
        os.chmod(folder, 0o777)
        words = ("io_uring_setup", "EPERM")
        try:
            SWITCH.write_text("1", encoding="ascii")
            refused(own, Path(folder) / "one", "sysctl 1 for nobody", nobody,
                    words + ("io_uring_disabled is 1",))
            check(run_into(own, Path(folder) / "root", "io_uring").returncode == 0,
                  "sysctl 1 for root: io_uring is to be had")
            SWITCH.write_text("2", encoding="ascii")
            refused(own, Path(folder) / "two", "sysctl 2 for root", None,
                    words + ("io_uring_disabled is 2",))
        finally:
            SWITCH.write_text(before, encoding="ascii")


def few_descriptors(tool: Path, work: Path) -> None:
    """At each limit the loop is made or says that there are too few: it neither hangs nor dies."""
    says_so = 0
    for limit in range(4, 24):
        done = run(tool, "cell", "--loop", "io_uring", "--scenario", SCENARIO, timeout=120,
                   before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        said = done.stdout + done.stderr
        check(0 <= done.returncode < 128 and done.returncode != 70,
              f"{limit} descriptors: exit code {done.returncode}\n{said}")
        if done.returncode == 0:
            check(says_so > 0, f"{limit} descriptors were enough, and no limit below was too low")
            print(f"{limit} descriptors are enough, {says_so} lower limits were named")
            return
        says_so += "EMFILE" in said
    raise Failure("23 descriptors are not enough")


def main(tool: Path, work: Path) -> int:
    folder = work / "as-it-is"
    done = run_into(tool, folder, "io_uring")
    if done.returncode != 0:
        print(f"not judged: io_uring is not to be had here\n{done.stdout}{done.stderr}")
        return 77
    filtered(tool, work, SETUP, errno.EPERM, "io_uring_setup")
    filtered(tool, work, SETUP, errno.ENOSYS, "io_uring_setup")
    filtered(tool, work, ENTER, errno.EPERM, "io_uring_enter")
    few_descriptors(tool, work)
    if os.environ.get("LOOPSCOPE_CHANGE_SYSCTL") == "1":
        switched_off(tool)
    else:
        print("not judged: the system's switch, which only LOOPSCOPE_CHANGE_SYSCTL=1 may change")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]) / "refused"))
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
