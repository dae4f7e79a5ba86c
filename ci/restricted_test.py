"""The probe in small worlds: it says what differs there, and only that.

Usage: restricted_test.py LOOPSCOPE WORK_FOLDER
Each row makes a world that lacks one thing, and one beside it that does not, and compares what the
probe says in both. Rows that need namespaces are left out where the system refuses them. Exit code
77: it refused all of them.
"""

import errno
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from rows.worlds import (RETURN_ALLOW, RETURN_ERRNO, SETUP, Step, everything_small, few_descriptors,
                         install_filter, network, network_without_ipv6, own_mounts, own_network,
                         refuse, terminals, without_proc, without_terminals,
                         without_writable_folder)
from runs import Failure, check, run

REFUSED = 99  # the exit code of a child whose world could not be made

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
         "sendfile.to_pipe", "splice", "unix.dgram", "unix.path_max", "uring.file",
         "uring.ops"} | KINDS,
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
