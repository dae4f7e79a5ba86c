"""Small worlds on this kernel: each function changes the process that calls it, for good.

Usage: worlds.py WORLD -- COMMAND...  enters one of WORLDS and becomes the command. Exit code 99:
the system refuses it, with the reason.
"""

import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SETUP, ENTER = 425, 426  # io_uring: the same on every architecture
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RETURN_ERRNO, RETURN_ALLOW = 0x00050000, 0x7FFF0000
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NOBODY = 65534
NEWNS, NEWUSER, NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_RDONLY, MS_BIND, MS_REC, MS_PRIVATE = 1, 0x1000, 0x4000, 0x40000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
LIBC = ctypes.CDLL(None, use_errno=True)

Step = Callable[[], None]


def succeed(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def unshare(flags: int) -> None:
    user, group = os.geteuid(), os.getegid()
    succeed(LIBC.unshare(flags | (NEWUSER if user != 0 else 0)), "unshare")
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    succeed(LIBC.mount(source.encode(), target.encode(), kind and kind.encode(), flags,
                       options.encode()), f"mount {target}")


def own_mounts() -> None:
    unshare(NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def own_network(loopback: bool) -> None:
    unshare(NEWNET)
    if not loopback:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def network() -> None:
    own_network(loopback=True)


def network_without_ipv6() -> None:
    network()
    for which in ("all", "lo"):
        Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")


def devices(names: tuple[str, ...], pts: bool) -> None:
    """A /dev with these devices and nothing else, among mounts of our own."""
    mount("none", "/mnt", "tmpfs", 0)
    for name in names:
        Path("/mnt", name).touch()
        mount(f"/dev/{name}", f"/mnt/{name}", None, MS_BIND)
    if pts:
        Path("/mnt/pts").mkdir()
        mount("none", "/mnt/pts", "devpts", 0, "newinstance,ptmxmode=0666")
        Path("/mnt/ptmx").symlink_to("pts/ptmx")
    mount("/mnt", "/dev", None, MS_BIND | MS_REC)


DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def terminals() -> None:
    own_mounts()
    devices(DEVICES, pts=True)


def without_terminals() -> None:
    own_mounts()
    devices(DEVICES, pts=False)


def without_writable_folder() -> None:
    own_mounts()
    mount("none", tempfile.gettempdir(), "tmpfs", MS_RDONLY)
    os.chdir(tempfile.gettempdir())  # the working folder is where it would go next


def without_proc() -> None:
    own_mounts()
    mount("none", "/proc", "tmpfs", 0)


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def everything_small() -> None:
    few_descriptors()
    unshare(NEWNS | NEWNET)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    devices(("null",), pts=False)
    mount("none", "/proc", "tmpfs", 0)
    refuse(SETUP, errno.EPERM)()


class Program(ctypes.Structure):
    """struct sock_fprog of <linux/filter.h>."""
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def install_filter(*rows: tuple[int, int, int, int]) -> None:
    """Every system call of this process goes through these rows of BPF from now on."""
    code = b"".join(struct.pack("HBBI", *row) for row in rows)
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(code) // 8, code)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.prctl(
            PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        os._exit(99)


def refuse(call: int, error: int):
    """A function for the child: from then on the call fails with that error."""
    def install() -> None:
        install_filter((LOAD_NUMBER, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, call),
                       (RETURN, 0, 0, RETURN_ERRNO | error), (RETURN, 0, 0, RETURN_ALLOW))

    return install


def unprivileged() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def without_new_privileges() -> None:
    unprivileged()
    succeed(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def unprivileged_without_locked_memory() -> None:
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
    unprivileged()


def loopback_down() -> None:
    own_network(loopback=False)


def children_ignored() -> None:
    """As a shell's `trap '' CHLD`: what is ignored stays so in the program that follows."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def slow_timers() -> None:
    """50 ms of timer slack: the kernel may end each wait that much later."""
    Path("/proc/self/timerslack_ns").write_text("50000000", encoding="ascii")


WORLDS: dict[str, Step] = {
    "unprivileged": unprivileged, "no-new-privileges": without_new_privileges,
    "no-ipv6": network_without_ipv6, "loopback-down": loopback_down,
    "terminals": terminals, "no-terminals": without_terminals, "no-proc": without_proc,
    "no-writable-folder": without_writable_folder, "few-descriptors": few_descriptors,
    "no-locked-memory": unprivileged_without_locked_memory,
    "io_uring-eperm": refuse(SETUP, errno.EPERM), "io_uring-enosys": refuse(SETUP, errno.ENOSYS),
    "children-ignored": children_ignored, "slow-timers": slow_timers,
}


def become(command: list[str]) -> None:
    """The user of a world may not be able to reach the program: the error names it."""
    try:
        os.execvp(command[0], command)
    except OSError as error:
        error.filename = command[0]
        raise


def main(name: str, command: list[str]) -> None:
    try:
        WORLDS[name]()
        become(command)
    except OSError as error:
        print(f"{name} cannot be made: {error}", file=sys.stderr)
        sys.exit(99)


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[2] != "--" or sys.argv[1] not in WORLDS:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[3:])
