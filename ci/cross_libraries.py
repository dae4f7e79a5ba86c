#!/usr/bin/env python3
"""Static libraries of another architecture, out of Debian's packages, which are not installed.

  ci/cross_libraries.py aarch64

Prints the folder with what libuv, liburing and OpenSSL need to be linked for it; nothing, and the
reason on standard error, where Debian 12 has no such architecture (riscv64).
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rows import packages  # noqa: E402
from rows.reasons import CannotBeMade  # noqa: E402

SUITE = "bookworm"  # the libraries are to be linked with the libc of the cross compilers
PACKAGES = ("libuv1-dev", "liburing-dev", "libssl-dev")
PARTS = ("./usr/include/*", "./usr/lib/*.a", "./usr/lib/*.pc")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 64
    view = packages.View(SUITE, packages.debian_name(arguments[0]))
    folder = packages.cache() / "cross" / arguments[0]
    try:
        for package in PACKAGES:
            shutil.copytree(view.unpacked(package, *PARTS), folder, dirs_exist_ok=True,
                            symlinks=True)
    except CannotBeMade as reason:
        print(f"loopscope: {arguments[0]} without libuv, io_uring and TLS: {reason}",
              file=sys.stderr)
        return 0
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
