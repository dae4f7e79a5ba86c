"""Rows with a kernel of their own: a machine that qemu emulates (TCG), whose first process is
ci/rows/guest/init.c. The kernel is a package that is downloaded and not installed."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from rows import guest_root, packages
from rows.guest_memory import handed_over
from rows.reasons import CannotBeMade
from rows.work import Work

LABEL = "tcg"
KEYS = {"suite": (str, True),        # Debian's suite that has the kernel
        "package": (str, True),      # a glob over names of packages; of several the newest
        "append": (str, False),      # more for the kernel's command line
        "qemu": (list, False),       # more for qemu
        "guest": (list, False),      # more lines of /row/commands, before loopscope runs
        "memory_mb": (int, False)}
JOBS = 8  # cells wait more than they compute
# The calibration starts processes, which an emulated processor does 5 to 8 times as slowly. What
# computes, TLS above all, took up to 30 times as long.
LEAST_SCALE = 20
# Pages cleared twice and guards against other tenants cost an emulated processor a third of its
# time, and change no promise.
QUICK = "quiet loglevel=3 panic=-1 mitigations=off init_on_alloc=0"

# Of each architecture: the emulator, its package, the machine, its console, and the compiler of the
# first process.
MACHINES = {
    "x86_64": ("qemu-system-x86_64", "qemu-system-x86", ["-M", "pc"], "ttyS0", "gcc"),
    "i686": ("qemu-system-i386", "qemu-system-x86", ["-M", "pc", "-cpu", "max"], "ttyS0",
             "i686-linux-gnu-gcc"),
    "aarch64": ("qemu-system-aarch64", "qemu-system-arm",
                ["-M", "virt", "-cpu", "max,pauth-impdef=on"], "ttyAMA0", "aarch64-linux-gnu-gcc"),
    "armhf": ("qemu-system-arm", "qemu-system-arm", ["-M", "virt", "-cpu", "cortex-a15"],
              "ttyAMA0", "arm-linux-gnueabihf-gcc"),
    "riscv64": ("qemu-system-riscv64", "qemu-system-misc", ["-M", "virt"], "ttyS0",
                "riscv64-linux-gnu-gcc"),
    "s390x": ("qemu-system-s390x", "qemu-system-misc", ["-M", "s390-ccw-virtio"],
              "ttysclp0", "s390x-linux-gnu-gcc"),
    "ppc64el": ("qemu-system-ppc64", "qemu-system-ppc",
                ["-M", "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,"
                 "cap-ccf-assist=off"], "hvc0", "powerpc64le-linux-gnu-gcc"),
}


def kernel(work: Work) -> Path:
    how = work.row.how
    folder = packages.View(how["suite"], packages.debian_name(work.row.binary)).unpacked(
        how["package"], "./boot/*", "./usr/lib/modules/*/vmlinu*")
    for pattern in ("boot/vmlinuz-*", "boot/vmlinux-*", "usr/lib/modules/*/vmlinu*"):
        if found := sorted(folder.glob(pattern)):
            return found[0]
    raise CannotBeMade(f"{how['package']} has no kernel in it")


def initial_files(work: Work, mark: bytes, machine: tuple) -> Path:
    """The archive that is the root of the machine."""
    root = work.file("guest")
    guest_root.make(work, root, machine[4], LEAST_SCALE, JOBS, "/tmp/out",
                    [f"mark {mark.hex()}"], ["hand /tmp/out/journal.ndjson"])
    archive = work.file("initrd.gz")
    packages.install("cpio", "cpio")
    done = subprocess.run(["sh", "-ec", 'cd "$1"; find . | cpio --quiet -o -H newc | gzip -1 >"$2"',
                           "sh", str(root), str(archive.resolve())], check=False)
    shutil.rmtree(root)
    if done.returncode != 0:
        raise CannotBeMade("the machine's files could not be packed")
    return archive


def run(work: Work) -> None:
    how = work.row.how
    machine = MACHINES[work.row.binary]
    emulator, package, model, console, _ = machine
    packages.install(emulator, package)
    image = kernel(work)
    mark = secrets.token_bytes(16)
    archive = initial_files(work, mark, machine)
    size = f"{how.get('memory_mb', 2048)}M"
    # Nobody else may read a machine's memory, nor find it left behind.
    memory = Path("/dev/shm") / f"loopscope-{os.getpid()}-{work.row.name}"
    try:
        work.call(
            [emulator, "-accel", "tcg", *model[:1], f"{model[1]},memory-backend=ram", *model[2:],
             "-m", size, "-object",
             f"memory-backend-file,id=ram,size={size},mem-path={memory},share=on",
             "-display", "none", "-nodefaults", "-no-reboot", "-kernel", str(image), "-initrd",
             str(archive), "-serial", f"file:{work.file('console.log')}", "-append",
             f"console={console} {QUICK} {how.get('append', '')}",
             *how.get("qemu", ())], "qemu.log")
        journal = handed_over(memory, mark)
    finally:
        memory.unlink(missing_ok=True)
        archive.unlink(missing_ok=True)
    guest_root.keep_scale(work, "console.log")
    if journal is None:
        raise CannotBeMade(f"the machine handed nothing over: {work.last_words('console.log')}")
    work.file("journal.ndjson").write_bytes(journal)
