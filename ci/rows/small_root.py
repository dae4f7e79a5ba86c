"""A root with what scenarios look for and nothing else: a shell, programs, a file of hosts."""

import shutil
from pathlib import Path

from rows import packages

# What scenarios call, all of it busybox.
PROGRAMS = ("sh", "cat", "echo", "env", "kill", "readlink", "sleep", "tee", "true", "yes", "head",
            "tr", "printf", "ls", "id", "wc", "dd", "stty", "pwd", "grep", "sed", "seq", "test",
            "false")


def make(root: Path, architecture: str, program: Path | None = None) -> None:
    """Makes the folder for programs of an architecture; the program is there as /loopscope."""
    for folder in ("bin", "usr", "etc", "root", "tmp", "dev", "proc", "sys", "out"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "usr/bin").symlink_to("../bin")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="utf-8")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n", encoding="utf-8")
    suite = "sid" if architecture == "riscv64" else "bookworm"
    view = packages.View(suite, packages.debian_name(architecture))
    folder = view.unpacked("busybox-static", "./*bin/busybox")
    shutil.copy(next(folder.rglob("busybox")), root / "bin/busybox")
    for name in PROGRAMS:
        (root / "bin" / name).symlink_to("busybox")
    if program:
        shutil.copy(program, root / "loopscope")
