"""Rows under qemu-user: the executable of another architecture on this kernel, behind an emulator
of its system calls. It is registered with a binfmt_misc of the row's own, so that cells can start
the executable anew; nothing of this system changes. Kernels before 6.7 have one for all."""

from rows import packages
from rows.work import Work

LABEL = ""
KEYS = {"cpu": (str, True)}  # as qemu calls the architecture: qemu-CPU-static
JOBS = 4

# In a user namespace of its own, with a binfmt_misc of its own. The flag F opens the emulator at
# once; the row's executable alone is registered, by its whole header.
ENTER = r"""
set -e
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
python3 - "$1" "$2" <<'PYTHON'
import sys
emulator, program = sys.argv[1:]
head = open(program, "rb").read(20)
quoted = lambda text: "".join(f"\\x{byte:02x}" for byte in text)
mask = bytes([255] * 7 + [0] + [255] * 8 + [254 if head[5] == 1 else 255,
                                            255 if head[5] == 1 else 254, 255, 255])
open("/proc/sys/fs/binfmt_misc/register", "w").write(
    f":loopscope:M::{quoted(head)}:{quoted(mask)}:{emulator}:F")
PYTHON
shift
exec "$@"
"""


def run(work: Work) -> None:
    emulator = packages.install(f"qemu-{work.row.how['cpu']}-static", "qemu-user-static")
    work.run_through(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ENTER, "sh",
                      emulator], JOBS)
