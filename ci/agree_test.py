"""The facts of this machine against other tools: python3, getconf, /proc, liburing, strace.

Usage: agree_test.py LOOPSCOPE WORK_FOLDER
A comparison whose tool is missing here is left out and named.
"""

import array
import ctypes
import errno
import fcntl
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runs import Failure, environment, run_checked

F_GETPIPE_SZ = 1032
MISSING = object()  # the tool cannot tell here


def tool_output(*command: str):
    if shutil.which(command[0]) is None:
        return MISSING
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else MISSING


def number_in(path: str):
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return MISSING


def errno_of(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        # One number has both names on Linux.
        return "EOPNOTSUPP" if error.errno == errno.ENOTSUP else errno.errorcode[error.errno]
    return "0"


def limit(which: int, hard: bool = False):
    value = resource.getrlimit(which)[1 if hard else 0]
    return "unlimited" if value == resource.RLIM_INFINITY else value


def glibc():
    text = tool_output("getconf", "GNU_LIBC_VERSION")
    return text if text else MISSING


def fd_setsize() -> int:
    """The first number that select.select refuses without asking the kernel."""
    low, high = 3, 1 << 20
    while low < high:
        middle = (low + high) // 2
        try:
            select.select([middle], [], [], 0)
            low = middle + 1
        except ValueError:
            high = middle
        except OSError:
            low = middle + 1
    return low


def epoll_takes_files() -> bool:
    with tempfile.TemporaryFile() as file, select.epoll() as epoll:
        return errno_of(lambda: epoll.register(file, select.EPOLLIN)) == "0"


def epoll_nests() -> bool:
    with select.epoll() as inner, select.epoll() as outer:
        read, write = os.pipe()
        inner.register(read, select.EPOLLIN)
        outer.register(inner, select.EPOLLIN)
        os.write(write, b"x")
        found = bool(outer.poll(0))
        os.close(read)
        os.close(write)
        return found


def exclusive_cannot_be_modified() -> bool:
    read, write = os.pipe()
    with select.epoll() as epoll:
        epoll.register(read, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        refused = errno_of(lambda: epoll.modify(read, select.EPOLLIN)) == "EINVAL"
    os.close(read)
    os.close(write)
    return refused


def pipe_capacity() -> int:
    read, write = os.pipe()
    os.set_blocking(write, False)
    total = 0
    try:
        while True:
            total += os.write(write, bytes(4096))
    except BlockingIOError:
        pass
    declared = fcntl.fcntl(write, F_GETPIPE_SZ)
    os.close(read)
    os.close(write)
    return total if total == declared else -1


def hup_on_fresh_fifo() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fifo")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        events = poll.poll(0)
        os.close(reader)
        return bool(events) and bool(events[0][1] & select.POLLHUP)


def writer_without_reader() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fifo")
        os.mkfifo(path)
        return errno_of(lambda: os.open(path, os.O_WRONLY | os.O_NONBLOCK))


def accepted_is_nonblocking() -> bool:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        with socket.create_connection(server.getsockname()):
            select.select([server], [], [], 5)
            number, _ = server._accept()  # accept() itself sets the mode of what it returns
            inherited = not os.get_blocking(number)
            os.close(number)
            return inherited


def largest_datagram(family: int, host: str):
    try:
        receiver = socket.socket(family, socket.SOCK_DGRAM)
        receiver.bind((host, 0))
    except OSError:
        return MISSING
    with receiver, socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        low, high = 1, 70_000
        while high - low > 1:
            middle = (low + high) // 2
            sent = errno_of(lambda: sender.sendto(bytes(middle), receiver.getsockname()))
            low, high = (middle, high) if sent == "0" else (low, middle)
        return low


def reuseport() -> bool:
    with socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        first.bind(("127.0.0.1", 0))
        first.listen()
        return errno_of(lambda: second.bind(first.getsockname())) == "0"


def most_descriptors() -> int:
    """The most descriptors that one message carries."""
    one, two = socket.socketpair()
    with one, two:
        most = 0
        for n in (100, 250, 251, 252, 253, 254, 255, 300):
            rights = array.array("i", [one.fileno()] * n)
            try:
                one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            except OSError:
                break
            _, numbers, _, _ = socket.recv_fds(two, 1, 400)
            for number in numbers:
                os.close(number)
            if len(numbers) != n:
                break
            most = n
        return most


def longest_path() -> int:
    with tempfile.TemporaryDirectory() as folder:
        here = os.getcwd()
        os.chdir(folder)
        try:
            for length in range(90, 130):
                with socket.socket(socket.AF_UNIX) as one:
                    try:
                        one.bind("p" * length)
                    except OSError:
                        return length - 1
        finally:
            os.chdir(here)
    return -1


def urgent_mask() -> list[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            served, _ = server.accept()
            with served:
                client.send(b"!", socket.MSG_OOB)
                poll = select.poll()
                poll.register(served, select.POLLIN | select.POLLPRI)
                mask = poll.poll(5000)[0][1]
                return [name for name, bit in (("IN", select.POLLIN), ("PRI", select.POLLPRI))
                        if mask & bit]


def nodelay_on_unix() -> str:
    one, two = socket.socketpair()
    with one, two:
        return errno_of(lambda: one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))


def ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
            return True
    except OSError:
        return False


def pidfd_is_readable_at_the_end() -> bool:
    child = subprocess.Popen(["true"])
    number = os.pidfd_open(child.pid)
    poll = select.poll()
    poll.register(number, select.POLLIN)
    ready = bool(poll.poll(5000))
    os.close(number)
    child.wait()
    return ready


def five_raised() -> bool:
    """Is one of five delivered, of a signal that is blocked?"""
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for _ in range(5):
        os.kill(os.getpid(), signal.SIGUSR1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    signal.signal(signal.SIGUSR1, before)
    return len(seen) == 1


def controlling_terminal() -> bool:
    return errno_of(lambda: os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))) == "0"


def eventfd_sums() -> bool:
    number = os.eventfd(0)
    os.eventfd_write(number, 2)
    os.eventfd_write(number, 2)
    total = os.eventfd_read(number)
    os.close(number)
    return total == 4


def announced_by_liburing():
    """The numbers of the operations that liburing's own probe finds, in struct io_uring_probe."""
    try:
        liburing = ctypes.CDLL("liburing.so.2")
    except OSError:
        return MISSING
    liburing.io_uring_get_probe.restype = ctypes.c_void_p
    probe = liburing.io_uring_get_probe()
    if not probe:
        return MISSING
    # last_op and ops_len, 16 octets of header, then op, resv, flags (16 bits), resv2 for each.
    length = ctypes.string_at(probe, 2)[1]
    rows = ctypes.string_at(probe + 16, length * 8)
    liburing.io_uring_free_probe(ctypes.c_void_p(probe))
    found = [op for op, _, flags, _ in struct.iter_unpack("BBHI", rows) if flags & 1]
    return len(found)


OTHERS: dict[str, Callable[[], object]] = {
    "limit.nofile.soft": lambda: limit(resource.RLIMIT_NOFILE),
    "limit.nofile.hard": lambda: limit(resource.RLIMIT_NOFILE, hard=True),
    "limit.nproc": lambda: limit(resource.RLIMIT_NPROC),
    "limit.stack": lambda: limit(resource.RLIMIT_STACK),
    "limit.memlock": lambda: limit(resource.RLIMIT_MEMLOCK),
    "limit.nofile.max": lambda: number_in("/proc/sys/fs/nr_open"),
    "listen.somaxconn": lambda: number_in("/proc/sys/net/core/somaxconn"),
    "epoll.max_user_watches": lambda: number_in("/proc/sys/fs/epoll/max_user_watches"),
    "pipe.max_size": lambda: number_in("/proc/sys/fs/pipe-max-size"),
    "env.libc": glibc,
    "env.cpu_count_effective": lambda: len(os.sched_getaffinity(0)),
    "clock.monotonic.resolution":
        lambda: round(time.get_clock_info("monotonic").resolution * 1e9),
    "select.fd_setsize": fd_setsize,
    "epoll.regular_file": epoll_takes_files,
    "epoll.nested": epoll_nests,
    "epoll.exclusive": exclusive_cannot_be_modified,
    "eventfd": eventfd_sums,
    "pipe.capacity": pipe_capacity,
    "poll.hup_on_fifo_never_opened": hup_on_fresh_fifo,
    "fifo.open_write_without_reader": writer_without_reader,
    "signal.rt_range": lambda: f"{int(signal.SIGRTMIN)}..{int(signal.SIGRTMAX)}",
    "signal.coalescing": five_raised,
    "pidfd.poll": pidfd_is_readable_at_the_end,
    "tty.devtty": controlling_terminal,
    "ipv6.available": ipv6,
    "ipv6.dualstack_default": lambda: socket.has_dualstack_ipv6() if ipv6() else MISSING,
    "accept.inherits_nonblock": accepted_is_nonblocking,
    "udp.max_datagram.v4": lambda: largest_datagram(socket.AF_INET, "127.0.0.1"),
    "udp.max_datagram.v6": lambda: largest_datagram(socket.AF_INET6, "::1"),
    "so.reuseport": reuseport,
    "tcp.oob_mask": urgent_mask,
    "tcp.nodelay_on_unix": nodelay_on_unix,
    "unix.path_max": lambda: longest_path() + 1,  # python ends each path with a NUL
    "unix.max_fds": most_descriptors,
}

# What the evidence says of a call, and what strace must show of it.
TRACED = {
    "epoll.create1": ("epoll_create1(EPOLL_CLOEXEC)", r"epoll_create1\(EPOLL_CLOEXEC\)\s+= \d+"),
    "fifo.open_write_without_reader": ("open(O_WRONLY|O_NONBLOCK)",
                                       r"O_WRONLY\|O_NONBLOCK\S*\)\s+= -1 (\w+)"),
    "connect.unix.backlog_full": ("connect(AF_UNIX listener with a queue of 0)",
                                  r"connect\(\d+, \{sa_family=AF_UNIX.*\)\s+= -1 (\w+)"),
    "eventfd.full_eagain": ("write(1) beyond the end", r"write\(\d+, .*, 8\)\s+= -1 (\w+)"),
    "tcp.nodelay_on_unix": ("setsockopt(AF_UNIX, TCP_NODELAY)",
                            r"setsockopt\(\d+, SOL_TCP, TCP_NODELAY.*\)\s+= -1 (\w+)"),
    "pidfd.open": ("pidfd_open", r"pidfd_open\(\d+, 0\)\s+= \d+"),
}


def compare(facts: dict) -> tuple[list[str], int]:
    wrong, agreed = [], 0
    rows = facts["uring.ops"]["table"]
    ours = sum(row["cells"]["announced"] == "yes" for row in rows)
    theirs = announced_by_liburing()
    if theirs is not MISSING and rows:
        agreed += ours == theirs
        if ours != theirs:
            wrong.append(f"uring.ops: {ours} are announced, liburing's probe says {theirs}")
    for ident, ask in OTHERS.items():
        ours = facts[ident]
        try:
            theirs = ask()
        except OSError as refused:
            theirs = MISSING if ours["value"] is None else f"refused: {refused}"
        if theirs is MISSING or ours["value"] is None:
            print(f"{ident}: not compared ({ours['reason']})")
        elif ours["value"] != theirs:
            wrong.append(f"{ident}: {ours['value']!r}, and the other tool says {theirs!r}")
        else:
            agreed += 1
    return wrong, agreed


def on_one_cpu(tool: Path) -> list[str]:
    """Affinity is asked for, and not only how many CPUs the machine has."""
    ident = "env.cpu_count_effective"
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})  # the child's as well
    try:
        done = run_checked(tool, "probe", "--fact", ident, "--format", "json")
    finally:
        os.sched_setaffinity(0, allowed)
    value = json.loads(done.stdout)["facts"][0]["value"]
    return [] if value == 1 else [f"{ident}: {value} with one CPU allowed"]


def traced(tool: Path, folder: Path) -> tuple[list[str], int]:
    if shutil.which("strace") is None:
        print("strace is not here: the evidence is not compared with it")
        return [], 0
    wrong = []
    for ident, (call, pattern) in TRACED.items():
        # A log for each process: in a common one a call that another process interrupts is torn
        # into two lines ("<unfinished ...>"), and no pattern finds it.
        logs = folder / f"{ident}.strace"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(parents=True)
        done = subprocess.run(
            ["strace", "-ff", "-o", logs / "of", tool, "probe", "--fact", ident,
             "--format", "json", "--deadline-ms", "10000"],
            env=environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"strace may not trace here: {done.stderr.strip()[:200]}")
            return [], 0
        evidence = [row for row in json.loads(done.stdout)["facts"][0]["evidence"]
                    if row["call"] == call]
        text = "".join(log.read_text(errors="replace") for log in sorted(logs.iterdir()))
        seen = re.findall(pattern, text)
        if not evidence or not seen:
            wrong.append(f"{ident}: evidence {evidence}, strace {seen}")
        elif isinstance(seen[0], str) and seen[0].startswith("E"):
            if evidence[-1]["errno_name"] not in seen:
                wrong.append(f"{ident}: {evidence[-1]['errno_name']}, strace says {seen}")
    return wrong, len(TRACED) - len(wrong)


def main(tool: Path, folder: Path) -> int:
    done = run_checked(tool, "probe", "--format", "json", "--deadline-ms", "10000")
    facts = {fact["id"]: fact for fact in json.loads(done.stdout)["facts"]}
    wrong, agreed = compare(facts)
    wrong_evidence, calls = traced(tool, folder)
    wrong += wrong_evidence + on_one_cpu(tool)
    if wrong:
        raise Failure("\n".join(wrong))
    print(f"{agreed} facts agree with other tools, {calls} calls with strace")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]) / "agree"))
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
