"""The probe in small worlds: it says what differs there, and only that.

Usage: restricted_test.py LOOPSCOPE WORK_FOLDER
Each row makes a world that lacks one thing, and one beside it that does not, and compares what the
probe says in both. Rows that need namespaces are left out where the system refuses them. Exit code
77: it refused all of them.
"""

import ctypes
import errno
import fcntl
import json
import os
import resource
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from runs import Failure, check, run
from uring_refused_test import RETURN_ALLOW, RETURN_ERRNO, SETUP, install_filter, refuse

NEWNS, NEWUSER, NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_RDONLY, MS_BIND, MS_REC, MS_PRIVATE = 1, 0x1000, 0x4000, 0x40000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
REFUSED = 99  # the exit code of a child whose world could not be made
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


EVENTFD2 = {"x86_64": 290, "aarch64": 19, "riscv64": 19}


def only_semaphores() -> None:
    """eventfd is refused without EFD_SEMAPHORE, and allowed with it: no kernel does that."""
    load_flags = (0x20, 0, 0, 24)  # the low half of the second argument
    jump_if_set, jump_if_equal, answer_with = 0x45, 0x15, 0x06
    install_filter((0x20, 0, 0, 0), (jump_if_equal, 0, 3, EVENTFD2[os.uname().machine]),
                   load_flags, (jump_if_set, 1, 0, 1),
                   (answer_with, 0, 0, RETURN_ERRNO | errno.EPERM),
                   (answer_with, 0, 0, RETURN_ALLOW))


def contradiction(tool: Path) -> list[str]:
    """Two answers that cannot both be right: named in text and JSON, and exit code 2."""
    print("where answers contradict each other")
    if sys.byteorder != "little" or os.uname().machine not in EVENTFD2:
        print("    not judged: the filter is written for other machines")
        return []
    wrong = []
    for kind in ("text", "json"):
        done = run(tool, "probe", "--fact", "eventfd,eventfd.semaphore", "--format", kind,
                   timeout=120, before=in_world(only_semaphores))
        if done.returncode != 2:
            wrong.append(f"{kind}: exit code {done.returncode}, expected 2")
        if "LS018" not in done.stderr or "eventfd.semaphore" not in done.stderr:
            wrong.append(f"{kind}: standard error does not name it: {done.stderr}")
        if kind == "text" and "cannot both be right" not in done.stdout:
            wrong.append(f"the text does not name it: {done.stdout}")
        if kind == "json":
            found = json.loads(done.stdout)["checks"]["implications"]["violations"]
            if [(row["if"], row["then"]) for row in found] != [("eventfd.semaphore", "eventfd")]:
                wrong.append(f"the JSON names {found}")
    return wrong


@dataclass
class Row:
    """A world that lacks one thing; the one beside it; the facts that differ (ids and globs).

    A fact that has no answer beside either need not differ.
    """
    lacks: str
    small: Step
    beside: Step | None
    differ: set[str]
    may_differ: set[str] = field(default_factory=set)  # on some machines


def in_world(step: Step | None) -> Step:
    def enter() -> None:
        try:
            if step is not None:
                step()
        except OSError as refusal:
            os.write(2, f"{refusal}\n".encode())
            os._exit(REFUSED)
    return enter


def probe(tool: Path, world: Step | None) -> dict | None:
    """The facts of a world by id; None where it cannot be made."""
    # A generous deadline: a loaded machine is slow, and this test judges the answers.
    done = run(tool, "probe", "--format", "json", "--deadline-ms", "10000", timeout=120,
               before=in_world(world))
    if done.returncode == REFUSED:
        print(f"    refused: {done.stderr.strip()}")
        return None
    check(done.returncode == 0, f"exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr}")
    return {fact["id"]: fact for fact in json.loads(done.stdout)["facts"]}


def answer(fact: dict) -> tuple:
    """What a fact says, without what differs each time: a measured number is there or is not."""
    measured = fact["samples"] is not None or fact["unit"] == "ns"
    curve = fact["curve"] or {"points": []}
    points = [(point["x"], point["value"] is None and point["reason"] != "timeout")
              for point in curve["points"]]
    return ("a number" if measured and fact["value"] is not None else fact["value"],
            fact["reason"], json.dumps(fact["table"]), points)


def named(patterns: set[str], ident: str) -> bool:
    return any(fnmatch(ident, pattern) for pattern in patterns)


def judge(row: Row, small: dict, beside: dict) -> list[str]:
    check(small.keys() == beside.keys(), "another list of facts")
    wrong = []
    for ident in beside:
        for world, facts in (("here", small), ("beside", beside)):
            if facts[ident]["reason"] in ("crashed", "timeout"):
                wrong.append(f"{ident}: {facts[ident]['reason']} {world}: {facts[ident]['note']}")
    differ = {ident for ident in beside if answer(small[ident]) != answer(beside[ident])}
    for ident in sorted(differ):
        if not named(row.differ | row.may_differ, ident):
            wrong.append(f"{ident} differs: {str(answer(beside[ident]))[:200]} became "
                         f"{str(answer(small[ident]))[:200]}")
    for pattern in sorted(row.differ):
        had = [ident for ident in beside
               if fnmatch(ident, pattern) and beside[ident]["value"] is not None]
        if had and not differ.intersection(had):
            wrong.append(f"{pattern} does not differ")
    print(f"    {len(differ)} facts differ: {' '.join(sorted(differ))}")
    return wrong


# Tables over kinds of descriptors: a kind that cannot be made shows there.
KINDS = {"poll.kind_matrix", "uring.poll_kinds", "uring.rw_kinds"}

ROWS = [
    Row("IPv6", network_without_ipv6, network,
        {"env.ipv6_lo", "env.sysctls", "ipv6.available", "udp.max_datagram.v6"}),
    Row("a loopback that is up", lambda: own_network(loopback=False), network,
        {"accept.error_on_reset", "connect.refused.*", "env.ipv4_lo", "env.ipv6_lo",
         "env.multicast", "epoll.empty_mask_reports", "ipv6.available", "net.tcp_blackhole",
         "select.connect_failure_set", "so.reuseaddr_semantics", "tcp.msg_zerocopy",
         "tcp.oob_mask", "tcp.quickack", "tcp.rst_on_close_unread", "tcp.self_connect",
         "udp.disconnect", "udp.errqueue_sticky", "udp.gro", "udp.gso", "udp.max_datagram.*",
         "udp.pktinfo", "udp.recvmmsg", "udp.sendmmsg", "uring.listener_ghost",
         "uring.op.send_zc", "uring.op.sendmsg_zc", "uring.op.uring_cmd", "uring.ops",
         "uring.sigpipe_per_op"} | KINDS),
    Row("/dev/ptmx", without_terminals, terminals,
        {"tty.openpty", "tty.ptmx", "tty.pty_buffer", "tty.pty_canonical_line",
         "tty.pty_eof_errno", "tty.reopen_possible", "uring.cancel_read_pty",
         "uring.nonblock_eagain"} | KINDS),
    Row("/proc", without_proc, own_mounts,
        {"clock.namespace_offset", "env.capabilities", "env.cgroup", "env.namespaces",
         "env.sysctls", "env.user_ns", "epoll.max_user_watches", "epoll.wakeup_cap",
         "limit.nofile.max", "limit.threads", "net.ephemeral_range", "pipe.max_size",
         "pipe.user_limits*", "uring.sysctl"} | KINDS,
        # What is recognised by files of /proc alone, and limits that stand there.
        {"env.container", "env.layers", "env.kernel_flavour", "env.cpu_count_effective",
         "env.cgroup.*", "stdio.*.shared",
         "uring.setup", "uring.seccomp_suspected"}),
    Row("more than 64 descriptors", few_descriptors, None,
        {"cost.epoll", "cost.io_uring", "cost.poll", "cost.select", "limit.nofile.hard",
         "limit.nofile.raisable", "limit.nofile.soft", "select.fd_above_setsize", "unix.max_fds"}),
    Row("io_uring, by a filter", refuse(SETUP, errno.EPERM), None,
        {"cost.io_uring", "env.no_new_privs", "env.seccomp_mode",
         "fs.async.readiness_of_regular", "poll.kind_matrix", "uring.*", "wait.late.io_uring",
         "wait.late.io_uring_timeout", "wake.io_uring_eventfd", "wake.io_uring_msg_ring"}),
    Row("a folder that can be written", without_writable_folder, own_mounts,
        {"aio.linux_native", "aio.posix", "copy_file_range", "epoll.regular_file",
         "env.tmpdir_unix_bind", "fifo.*", "poll.hup_on_fifo_never_opened",
         "fs.async.readiness_of_regular", "inotify", "posix_spawn.chdir", "sendfile.signature",
         "sendfile.to_pipe", "splice", "unix.path_max", "uring.file", "uring.ops"} | KINDS,
        {"fanotify"}),
]


def main(tool: Path) -> int:
    root = set(os.listdir("/"))
    beside: dict[str, dict | None] = {}
    wrong, judged = contradiction(tool), 0
    for row in ROWS:
        print(f"without {row.lacks}")
        if row.small is without_writable_folder and tool.is_relative_to(tempfile.gettempdir()):
            print("    not judged: loopscope itself is there")
            continue
        name = str(id(row.beside)) if row.beside else ""
        if name not in beside:
            beside[name] = probe(tool, row.beside)
        small = probe(tool, row.small)
        if small is None or beside[name] is None:
            continue
        judged += 1
        wrong += [f"without {row.lacks}: {text}" for text in judge(row, small, beside[name])]
    print("without nearly everything")
    if (facts := probe(tool, everything_small)) is not None:
        judged += 1
        wrong += [f"{ident}: {fact['reason']}: {fact['note']}" for ident, fact in facts.items()
                  if fact["reason"] in ("crashed", "timeout")]
    if left := set(os.listdir("/")) - root:
        wrong.append(f"left behind in /: {' '.join(sorted(left))}")
    if wrong:
        raise Failure("\n".join(wrong))
    return 0 if judged > 0 else 77


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]).resolve()))
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
