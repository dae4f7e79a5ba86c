#!/usr/bin/env python3
"""Writes the journals that the tests of the reports read.

  make_journal.py golden    every outcome once, with its evidence; stored as golden.ndjson
  make_journal.py hostile   the same with markup, quotes and control characters in every string;
                            stored as hostile.ndjson
  make_journal.py check     fails where a stored one is not what this writes; capabilities and the
                            low-level API come from the sources, and both follow them
  make_journal.py big [N]   N scenarios (150) on four loops and one that is absent
  make_journal.py leg OS-ARCH [N]      N scenarios (60) on the loops of that platform
  make_journal.py crowded OS-ARCH [N]  the same on twelve loops, all of which ran

The numbers and names are plausible and made up: they test documents, not loops.
"""
import json
import pathlib
import random
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# group | topic | ids, "+" marks severity common, "~" edge
TOPICS = """
A1 | Lifecycle |
    life.run.pre_stopped life.stop.batch_finishes life.stop.from_thread_unsafe+
    life.close.idempotent life.close.running_rejected life.closed.rejects_work
    life.reopen.thousand+ life.run_until_complete.stopped_early+ life.run_until_complete.nested
    life.run.second_loop_same_thread+ life.restart.after_stop life.between_runs.signal_kept~
    life.baseexception.escapes+ life.empty.blocks_not_spins life.init.partial_failure+
    life.finalise.without_close~
A2 | Scheduling |
    sched.soon.fifo sched.soon.next_iteration sched.soon.cancel_pending
    sched.soon.cancel_self_while_running~ sched.soon.non_callable~ sched.soon.exception_isolated
    sched.soon.context~ sched.order.io_vs_ready~ sched.run_once.progress~ sched.nested_data~
A3 | Timers and clock |
    timer.never_early timer.rounding_up timer.order.by_deadline timer.order.equal_deadline~
    timer.zero_and_negative timer.huge timer.nan+ timer.cancel.storm+ timer.cancel.in_batch
    timer.reschedule_in_callback timer.handle.when~ timer.update_after_slow_callback+
    timer.monotonic timer.suspend~ timer.patched_clock~ timer.resolution.reported+
    timer.interaction_signal_eintr timer.many_distinct+
A4 | Threads and wake-up |
    wake.threadsafe.parked wake.threadsafe.flood_while_blocked wake.threadsafe.lost_wakeup_race
    wake.threadsafe.order_per_thread wake.threadsafe.same_thread+ wake.threadsafe.before_run+
    wake.threadsafe.close_race wake.signal_safe+ wake.channel_eof wake.channel_error~
    wake.internal_fds_hidden+ wake.cancel_from_thread~ wake.thread_signal
A5 | Readers and writers |
    rw.level_triggered rw.replace_callback rw.reader_and_writer_independent rw.remove.returns+
    rw.remove.in_batch rw.fd_reuse.in_batch rw.fd_reuse.across_loops rw.closed_without_remove+
    rw.stale_dup.unremovable rw.dup_both_registered~ rw.same_fd_two_loops~ rw.bad_fd
    rw.object_types~ rw.transport_fd_guard+ rw.regular_file rw.devnull_devzero~
    rw.preserve_blocking_mode~ rw.hup_delivered_as_read rw.spurious_tolerated rw.nested_poller~
    rw.writer.immediate rw.pipe.write_granularity~ rw.oob~ rw.unconnected_socket~
    rw.reentrant_finaliser~ rw.many_change_per_iteration+ rw.error_unregisters_not~
A6 | sock_* operations |
    sock.nonblocking_required+ sock.recv.basic sock.recv.cancel_then_retry
    sock.recv.two_waiters~ sock.recv_into.partial+ sock.sendall.large sock.sendall.cancel+
    sock.sendall.peer_gone sock.connect.refused sock.connect.immediate~ sock.connect.cancel
    sock.connect.unix_backlog_full sock.connect.family_resolution+ sock.connect.dgram~
    sock.connect.android_errno0~ sock.accept.basic sock.accept.cancel+
    sock.accept.not_listening~ sock.close_while_pending sock.sendto_recvfrom+
    sock.ssl_socket_rejected~ sock.address_validation~
A11 | UDP |
    udp.roundtrip.v4_v6 udp.zero_length udp.refused_survives udp.refused_unconnected~
    udp.connected.errqueue_no_spin+ udp.oversize udp.truncation~ udp.order_and_sender
    udp.sendto.wrong_peer~ udp.send.buffering+ udp.close.flush+ udp.close.no_callbacks_after
    udp.broadcast~ udp.reuse_address_removed~ udp.reuse_port~ udp.existing_socket~
    udp.flood_fairness udp.mmsg~ udp.disconnect~ udp.pause_reading~
A12 | Pipes and FIFOs |
    pipe.read.basic_eof pipe.read.data_with_hup pipe.read.error+ pipe.write.peer_closed_detected
    pipe.write.inbound_not_close pipe.write.partial_and_page+ pipe.write.abandon_on_close+
    pipe.sigpipe pipe.fifo.reader_before_writer+ pipe.fifo.writer_returns~
    pipe.regular_file_refused+ pipe.blocking_flag+ pipe.stdin_is_file_or_null+
    pipe.duplex_same_fd~ pipe.pause_then_close~ pipe.capacity_user_limit~
A13 | TTY and PTY |
    tty.pty.data_before_eof tty.pty.eio_is_eof+ tty.pty.partial_packets+ tty.pty.write+
    tty.pty.bidirectional+ tty.pty.hup_mask_zero+ tty.background_sigttin~ tty.modes_restored~
    tty.resize_event~ tty.vmin_solaris~
A14 | Signals |
    sig.delivered_parked sig.args_context~ sig.remove_restores+ sig.uncatchable_refused+
    sig.coroutine_refused~ sig.main_thread_only+ sig.coalesce_not_lost sig.flood_other_signal
    sig.errno_preserved+ sig.multi_loop+ sig.owner_handover~ sig.one_shot~ sig.mask_inherited+
    sig.sigchld_not_taken+ sig.interrupt_ctrl_c sig.pending_on_close~ sig.siginfo_loss~
    sig.fork_in_thread~
A20 | Error handling |
    err.handler.custom err.handler.raises err.protocol.data_received_raises
    err.protocol.made_lost_raise+ err.os_errors_quiet~ err.future_never_retrieved~
    err.selector_failure+ err.eintr_everywhere err.errno_mapping+
A21 | Debug mode |
    dbg.thread_check+ dbg.slow_callback~ dbg.resource_warnings~ dbg.no_behaviour_change+
    dbg.no_argument_leak~
A22 | Loops per thread, policies |
    policy.thread_local_running policy.loop_in_worker policy.two_loops_interplay+
    policy.move_between_threads~ policy.new_after_fork+
A23 | Limits and scale |
    limit.select.fd_setsize_value limit.select.fd_above_1024_others limit.maxevents+
    limit.nofile.raise_soft~ limit.emfile.everywhere limit.10k_idle_connections+
    limit.epoll_watches~ limit.memlock_uring~ limit.cq_overflow limit.port_exhaustion~
    limit.backlog_somaxconn~
A25 | Fairness and starvation |
    fair.ready_vs_io fair.many_ready_fds fair.fast_reader fair.fast_writer+ fair.accept_storm+
    fair.threadsafe_storm+ fair.signal_storm~ fair.priority_inversion~
A26 | Reentrancy |
    reent.close_in_callbacks reent.use_in_connection_lost reent.remove_other_transport
    reent.buffer_provider~ reent.destructor_reenters~ reent.exception_handler_stops~
    reent.timer_modifies_heap
A27 | Resource leaks |
    leak.fds_10k_connections leak.reference_cycles~ leak.failed_handshake_or_adopt+
    leak.timer_closure+ leak.threads+ leak.double_close
A28 | Shutdown with work pending |
    shut.pending_everything shut.writes_flushed_or_reported+ shut.destructors_after_close+
    shut.at_exit~ shut.serve_forever_cancel+"""

CAPS = {"life": ["call_soon"], "sched": ["call_soon"], "timer": ["call_later"],
        "wake": ["call_soon_threadsafe"], "rw": ["add_reader"], "sock": ["sock_stream"],
        "udp": ["create_datagram_endpoint"], "pipe": ["pipes"], "tty": ["pipes"],
        "sig": ["signals"], "err": ["exception_handler"], "dbg": ["debug_mode"],
        "policy": ["call_soon"], "limit": ["add_reader"], "fair": ["add_reader"],
        "reent": ["add_reader"], "leak": ["call_soon"], "shut": ["call_soon"]}
API = {"life": ["run_forever", "stop", "close"], "sched": ["call_soon", "Handle.cancel"],
       "timer": ["call_later", "call_at", "time"], "wake": ["call_soon_threadsafe"],
       "rw": ["add_reader", "remove_reader", "add_writer"],
       "sock": ["sock_recv", "sock_sendall", "sock_connect", "sock_accept"],
       "udp": ["create_datagram_endpoint", "DatagramProtocol.datagram_received"],
       "pipe": ["connect_read_pipe", "connect_write_pipe"], "tty": ["connect_read_pipe"],
       "sig": ["add_signal_handler", "remove_signal_handler"],
       "err": ["set_exception_handler", "call_exception_handler"], "dbg": ["set_debug"],
       "policy": ["get_running_loop", "set_event_loop"], "fair": ["call_soon"],
       "reent": ["add_reader", "close"], "limit": ["add_reader"], "leak": ["close"],
       "shut": ["close", "stop"]}
WORDS = {"fifo": "callbacks run in call order, each exactly once"}
PROOF = {"select": ("pselect6", None), "poll": ("ppoll", None),
         "epoll": ("epoll_pwait2", "anon_inode:[eventpoll]"),
         "libuv": ("epoll_wait", "anon_inode:[eventpoll]"),
         "kqueue": ("kevent", None), "wsapoll": ("WSAPoll", None),
         "iocp": ("GetQueuedCompletionStatusEx", None)}
# Loops and the systems that have them; every other system says why not.
HOMES = {"select": "Linux macOS FreeBSD Windows", "poll": "Linux macOS FreeBSD",
         "epoll": "Linux", "io_uring": "Linux", "kqueue": "macOS FreeBSD",
         "wsapoll": "Windows", "iocp": "Windows", "libuv": "Linux macOS FreeBSD Windows"}
CROWD = ["select", "poll", "epoll", "io_uring", "kqueue", "wsapoll", "iocp", "libuv", "asio",
         "libevent", "asyncio", "uvloop"]
SYSTEMS = {"linux": ("Linux", "6.18.44"), "macos": ("macOS", "24.6.0"),
           "freebsd": ("FreeBSD", "14.3"), "windows": ("Windows", "10.0.26100")}


def cpp_lists(path, pattern):
    text = (ROOT / path).read_text()
    return re.findall(pattern, text, re.S)


def capabilities():
    found = cpp_lists("loops/capability.cpp", r'\{Cap::(\w+),\s*"(\w+)",\s*"([^"]*)",\s*'
                      r'(?:LOOPSCOPE_DOCS )?"([^"]*)"')
    return [{"id": i, "title": title, "anchor": anchor} for _, i, title, anchor in found]


def api_index():
    lists = dict(cpp_lists("loops/api_index.cpp", r"constexpr Entries (k\w+)\[\] = \{(.*?)\};"))
    titles = cpp_lists("loops/api_index.cpp", r'\{"([^"]+)", (k\w+)\}')
    return [{"title": t, "entries": re.findall(r'"([^"]+)"', lists[k])} for t, k in titles]


def scenarios():
    rows, group, topic = [], "", ""
    for line in TOPICS.strip().splitlines():
        if "|" in line:
            group, topic = (part.strip() for part in line.split("|")[:2])
            continue
        for word in line.split():
            severity = {"+": "common", "~": "edge"}.get(word[-1], "core")
            ident = word.rstrip("+~")
            area = ident.split(".")[0]
            aspect = ident.split(".", 1)[1].replace("_", " ").replace(".", ", ")
            rows.append({
                "id": ident, "group": group, "topic": topic,
                "promise": f"{topic}: {aspect}; each part of it happens once, in order, and "
                           "leaves nothing behind.",
                "source": f"docs.python.org/3/library/asyncio-eventloop.html#{API[area][0]}",
                "level": {"edge": "info", "common": "should"}.get(severity, "must"),
                "authority": "man_page" if area in ("rw", "udp", "pipe", "tty") else "asyncio_doc",
                "severity": severity, "needs": CAPS[area], "api": API[area],
                "facts": ["pidfd.open"] if ident == "sig.fork_in_thread" else [],
                "timing": area == "timer", "exclusive": area == "limit", "limit_ms": 10000,
                "kills": ["faulty.lifo_soon"] if area == "sched" else [],
                "file": f"harness/scenarios/{topic.split()[0].lower()}/{area}.cpp"})
    return rows


def loops():
    every = [row["id"] for row in capabilities()]
    ours = [c for c in every if c not in ("start_tls", "subprocess", "getaddrinfo", "create_server",
                                          "create_connection", "run_in_executor", "unix_sockets",
                                          "sock_sendfile")]
    uv_emulated = ["futures", "debug_mode", "exception_handler", "sock_datagram", "sock_stream"]
    uv = [c for c in ours if c not in uv_emulated]

    def row(name, family, mechanism, version="", native=ours, emulated=(), absent="", step=0):
        return {"name": name, "family": family, "mechanism": mechanism, "version": version,
                "native": list(native), "emulated": list(emulated), "absent_because": absent,
                "clock_resolution_ns": step}

    return [row("select", "selector", "pselect6 + eventfd"),
            row("poll", "selector", "ppoll + eventfd"),
            row("epoll", "selector", "epoll_pwait2 + eventfd"),
            row("kqueue", "selector", "kevent", native=(), absent="needs macOS or a BSD"),
            row("libuv", "reference", "uv_loop_t over epoll", "1.44.2", uv, uv_emulated,
                step=1000000)]


def facts():
    def fact(ident, value, group, reason="none", unit="", evidence=(), table=None, samples=None,
             note="", question="", why=""):
        row = {"id": ident, "question": question or f"What does this system say of {ident}?",
               "source": f"man 2 {ident.split('.')[0]}", "mechanism": ident.split(".")[0],
               "group": group, "why": why, "value": value, "unit": unit, "reason": reason,
               "method": "tried", "note": note, "samples": samples, "took_ns": 91000,
               "evidence": [dict(zip(("call", "result", "errno", "errno_name"), e))
                            for e in evidence]}
        if table:
            row["table"] = table
        return {"fact": row}

    kinds = [("regular file", "rw", "rw", "EPERM", "rw"), ("directory", "rw", "rw", "EPERM", "rw"),
             ("/dev/null", "rw", "rw", "EPERM", "rw"), ("pipe read end", "-", "-", "-", "-"),
             ("pty master", "w", "w", "w", "w"), ("tcp socket", "w hup", "w hup", "w hup", "w hup"),
             ("udp socket", "w", "w", "w", "w"), ("eventfd", "w", "w", "w", "w"),
             ("timerfd", "-", "-", "-", "-"), ("pidfd", "-", "-", "-", "-")]
    matrix = [{"name": k[0], "cells": dict(zip(("select", "poll", "epoll", "io_uring"), k[1:]))}
              for k in kinds]
    lateness = {"n": 200, "min": 52100, "p50": 61200, "p90": 88000, "p99": 151000, "max": 402000}
    return [
        fact("clock.monotonic.resolution", 1, "B1", unit="ns",
             evidence=[("clock_getres(CLOCK_MONOTONIC)", "1 ns", 0, "")],
             question="How fine is the monotonic clock?",
             why="It bounds every check of not early."),
        fact("wait.ns.epoll_pwait2", True, "B1",
             evidence=[("epoll_pwait2(300 us)", "373 us", 0, "")]),
        fact("wait.poll.granularity", 61200, "B1", unit="ns", samples=lateness,
             question="How late is a wait of 1 ms?"),
        fact("poll.kind_matrix", None, "B2", table=matrix,
             question="What does each mechanism say of each kind of descriptor?"),
        fact("select.fd_setsize", 1024, "B2", unit="count"),
        fact("epoll.exclusive", True, "B2"),
        fact("eventfd", True, "B3", evidence=[("eventfd2(0, EFD_CLOEXEC)", "7", 0, "")]),
        fact("pipe.capacity", 65536, "B3", unit="bytes"),
        fact("signalfd", True, "B3"),
        fact("pidfd.open", False, "B3", reason="not_implemented",
             evidence=[("pidfd_open(4711, 0)", "-1", 38, "ENOSYS")],
             question="Can a process be watched by a descriptor?",
             why="Without it a child is awaited by SIGCHLD or a thread."),
        fact("tty.openpty", True, "B4"), fact("so.reuseport", True, "B5"),
        fact("uring.setup", None, "B7", reason="denied",
             evidence=[("io_uring_setup(8)", "-1", 1, "EPERM")], note="seccomp mode is 2"),
        fact("limit.nofile.soft", 20000, "B8", unit="count"),
        fact("env.container", "docker", "B8"),
        fact("env.kernel_flavour", ["linux", "kvm"], "B8")]


def header(seed):
    return {"header": {
        "schema": "loopscope.journal/1", "run_id": f"{seed:016x}",
        "started_utc": "2026-11-21T11:00:00Z",
        "loopscope": {"version": "0.1.0", "commit": "0a40332", "compiler": "g++ 12.2.0",
                      "build_type": "Release"},
        "host": {"os": "Linux", "kernel": "6.18.44", "arch": "x86_64", "libc": "glibc 2.36",
                 "cpus": 2, "hypervisor": "kvm", "container": "docker", "layers": ["gvisor"],
                 "euid": 0, "nofile_soft": 20000, "nofile_hard": 20000, "clock": "tsc"},
        "slack_ms": 250, "jobs": 2, "repeat": 1, "limit_scale": 1.0, "argv": ["run"],
        "selection": {"loops": ["*"], "scenarios": ["*"]},
        "environment_options": {"LOOPSCOPE_JOBS": "2"}}}


def plan_row(loop, row):
    cell = {"loop": loop["name"], "scenario": row["id"], "repeat": 0, "seed": 1,
            "decision": "run", "reason": "", "missing_cap": "", "missing_fact": ""}
    missing = [c for c in row["needs"] if c not in loop["native"] + loop["emulated"]]
    if loop["absent_because"]:
        cell.update(decision="unsupported", reason="absent: " + loop["absent_because"],
                    missing_cap=row["needs"][0])
    elif missing:
        cell.update(decision="unsupported", reason=f"{loop['name']} does not offer {missing[0]}",
                    missing_cap=missing[0])
    elif row["facts"]:
        cell.update(decision="skip", reason="pidfd.open is false: ENOSYS",
                    missing_fact=row["facts"][0])
    return cell


def passed(loop, row, chance):
    call, kind = PROOF.get(loop["name"], ("poll", None))
    waits = chance.randint(2, 40)
    proof = [{"how": "wait calls", "value": f"{call} x {waits}"}]
    if kind:
        proof.insert(0, {"how": "/proc/self/fd/5", "value": kind})
    start = chance.randint(40000, 90000)
    events = ["outer", "sibling", "nested"] if "soon" in row["id"] else ["ready", "done"]
    trace = []
    for event in events:
        trace.append({"t_ns": start, "what": event})
        start += chance.randint(4000, 900000)
    return {"loop": loop["name"], "scenario": row["id"], "repeat": 0, "seed": 1, "outcome": "pass",
            "reason": "", "level": row["level"], "authority": row["authority"], "what": "",
            "expected": "", "observed": "", "where": "", "variant": "",
            "backend": {"requested": loop["name"], "effective": loop["name"], "proved": True,
                        "proof": proof},
            "trace": trace, "trace_dropped": 0, "notes": {},
            "counters": {"waits": {call: waits}, "cpu_ns": chance.randint(900000, 4000000),
                         "max_rss_bytes": 5242880},
            "leaks": [], "end": {"exit_code": 0, "signal": None, "killed_at_limit": False},
            "stderr": "", "stdout": "", "dossier": None, "control": None,
            "took_ns": chance.randint(1800000, 42000000), "limit_ms": 10000,
            "pid": chance.randint(4000, 9000), "standing": "as_expected", "expectation": None,
            "rerun": f"loopscope cell --loop {loop['name']} --scenario {row['id']} --seed 1"}


def spoil(cell, outcome):
    """Turns a pass into another outcome, with the evidence that it leaves."""
    area = cell["scenario"].split(".")[0]
    cell.update(outcome=outcome, standing="unexpected", where=f"{area}.cpp:41")
    if outcome == "fail":
        cell.update(what="the callbacks run in call order", reason="the trace differs at event 2",
                    expected="outer, sibling, nested", observed="outer, nested, sibling")
    elif outcome == "diverges":
        cell.update(what="equal deadlines", variant="newest_first", standing="as_expected",
                    expected="in the order of call_at", observed="newest first",
                    reason="a legal order, but not the primary one")
    elif outcome == "hang":
        cell.update(reason="killed at its limit of 10 s", observed="still in epoll_wait",
                    expected="run_forever returns", took_ns=10004000000,
                    end={"exit_code": None, "signal": 9, "killed_at_limit": True},
                    dossier={"threads": [{"tid": 4711, "name": "loopscope", "state": "S",
                                          "wchan": "ep_poll",
                                          "stack": ["epoll_wait+0x57", "uv__io_poll+0x1d2",
                                                    "uv_run+0x108"]}],
                             "descriptors": ["0 -> /dev/null", "5 -> anon_inode:[eventpoll]",
                                             "6 -> anon_inode:[eventfd]"],
                             "last_events": ["0.081 ms ready", "0.090 ms stop called"]})
    elif outcome == "crash":
        cell.update(reason="signal 11 (SIGSEGV) after its last event",
                    observed="the process died by signal 11", expected="exit code 0",
                    stderr="AddressSanitizer: heap-use-after-free in Handle::run\n"
                           "    #0 0x55d in loopscope::Handle::run() loops/handle.cpp:61\n",
                    end={"exit_code": None, "signal": 11, "killed_at_limit": False})
    elif outcome == "leak":
        cell.update(reason="one descriptor was left open", expected="nothing is left behind",
                    observed="one descriptor more than before",
                    leaks=[{"kind": "descriptor", "what": "7 -> pipe:[123456]",
                            "before": "absent", "after": "present"}])
    elif outcome == "inconclusive":
        cell.update(reason="the control wait was 412 ms late, more than the slack of 250 ms",
                    what="the timer is not late", expected="at most 250 ms late",
                    observed="438 ms late", control={"worst_late_ns": 412000000, "waits": 20},
                    notes={"lateness": {"value": 438000000, "unit": "ns"}})
    elif outcome == "broken":
        cell.update(reason=f"fallback: {cell['loop']} was asked for, poll was found",
                    expected=f"the waits go through {cell['loop']}", observed="ppoll x 14")
        cell["backend"].update(effective="poll", proved=False, proof=[
            {"how": "/proc/self/fd/5", "value": "anon_inode:[eventfd]"},
            {"how": "wait calls", "value": "ppoll x 14"}])
    elif outcome == "deaf":
        cell.update(outcome="fail", what="a datagram arrives", expected="received: ping",
                    observed="WSAPoll: POLLNVAL for a datagram socket; nothing was received",
                    reason="WSAPoll does not report datagram sockets as readable")
    elif outcome == "known":
        cell.update(outcome="fail", standing="as_expected", what="the timer is not early",
                    expected="not before 10.000 ms", observed="9.214 ms",
                    reason="0.786 ms early",
                    expectation={"outcome": "fail", "why": "libuv counts whole milliseconds",
                                 "source": "github.com/libuv/libuv/issues/385"})
    return cell


def footer(cells, plan, verdict, code):
    counts = {}
    for row in plan:
        if row["decision"] != "run":
            counts[row["decision"]] = counts.get(row["decision"], 0) + 1
    for cell in cells:
        counts[cell["outcome"]] = counts.get(cell["outcome"], 0) + 1
    return {"footer": {"planned": len(plan), "reported": len(plan), "by_outcome": counts,
                       "verdict": verdict, "exit_code": code, "interrupted": False,
                       "ended_utc": "2026-11-21T11:00:19Z", "took_ns": 19200000000}}


GOLDEN = {("sched.soon.fifo", "poll"): "fail", ("timer.order.equal_deadline", "libuv"): "diverges",
          ("life.stop.batch_finishes", "libuv"): "hang",
          ("sched.soon.cancel_pending", "epoll"): "crash",
          ("rw.level_triggered", "select"): "leak", ("timer.never_early", "libuv"): "known",
          ("timer.rounding_up", "select"): "inconclusive",
          ("rw.bad_fd", "epoll"): "broken"}
GOLDEN_IDS = ["life.run.pre_stopped", "life.stop.batch_finishes", "sched.soon.fifo",
              "sched.soon.cancel_pending", "timer.never_early", "timer.rounding_up",
              "timer.order.equal_deadline", "rw.level_triggered", "rw.bad_fd", "rw.regular_file",
              "udp.roundtrip.v4_v6", "pipe.regular_file_refused", "sig.delivered_parked",
              "sig.fork_in_thread"]


def journal(rows, spoiled, seed, columns=None, host=None, measured=None):
    chance = random.Random(seed)
    columns = columns or loops()
    plan = [plan_row(loop, row) for row in rows for loop in columns]
    first = header(seed)
    first["header"]["host"].update(host or {})
    yield first
    yield {"catalogue": {"loops": columns, "scenarios": rows, "capabilities": capabilities(),
                         "api": api_index()}}
    yield from measured or facts()
    yield {"plan": {"cells": plan}}
    by_name = {loop["name"]: loop for loop in columns}
    by_id = {row["id"]: row for row in rows}
    cells = []
    for planned in plan:
        if planned["decision"] != "run":
            continue
        cell = passed(by_name[planned["loop"]], by_id[planned["scenario"]], chance)
        how = spoiled(planned["scenario"], planned["loop"], chance)
        cells.append(spoil(cell, how) if how else cell)
        yield {"cell": cells[-1]}
    red = any(c["outcome"] in ("fail", "hang", "crash", "leak") and
              c["standing"] == "unexpected" for c in cells)
    yield footer(cells, plan, "red" if red else "green", 1 if red else 0)


def golden():
    rows = [row for row in scenarios() if row["id"] in GOLDEN_IDS]
    yield from journal(rows, lambda scenario, loop, _: GOLDEN.get((scenario, loop)), 1)


def hostile():
    """Strings that would leave their element, their attribute or their line."""
    poison = ("<script>alert('x')</script>\"&|`\n\u001b[31m\u2028 ]]> --> ümläut"
              "\u0000\u009b31m\u202e\uffff\r\n::error::x%0A\n# not ok 1\n")
    keep = {"schema", "started_utc", "outcome", "decision", "level", "authority", "severity",
            "standing", "family", "unit", "method", "verdict", "run_id", "absent_because"}
    names = {"id", "name", "loop", "scenario", "needs", "native", "emulated", "missing_cap",
             "missing_fact", "facts", "api", "entries"}

    def bad(value, key):
        if isinstance(value, dict):
            return {k: bad(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [bad(v, key) for v in value]
        if not isinstance(value, str) or key in keep:
            return value
        # Names join lines with each other, so each gets the same ending.
        return value + "<b>\"'&" if key in names else value + poison

    for line in golden():
        if "fact" in line:  # the words of a fact's reason are an enumeration
            yield {"fact": {**bad(line["fact"], ""), "reason": line["fact"]["reason"]}}
        else:
            yield bad(line, "")


def big(count):
    def spoiled(scenario, loop, chance):
        area = scenario.split(".")[0]
        if loop == "libuv" and area in ("rw", "pipe", "timer") and chance.random() < 0.3:
            return chance.choice(["diverges", "diverges", "known"])
        if chance.random() < 0.02:
            return chance.choice(["fail", "leak", "inconclusive", "crash", "hang", "diverges"])
        return "broken" if chance.random() < 0.002 else None

    rows = scenarios()
    while len(rows) < count:
        rows += [dict(row, id=f"{row['id']}.again{len(rows)}") for row in rows[:count - len(rows)]]
    rows = sorted(random.Random(7).sample(rows, count), key=rows.index)
    yield from journal(rows, spoiled, 42)


def platform_loops(system):
    """What loops() has, as another system would have it."""
    ours = loops()[0]
    columns = []
    for name, homes in HOMES.items():
        row = next((r for r in loops() if r["name"] == name), dict(ours, name=name))
        here = system in homes.split()
        columns.append(dict(row, family="reference" if name == "libuv" else "selector",
                            mechanism=PROOF.get(name, ("io_uring_enter", None))[0],
                            native=(row["native"] or ours["native"]) if here else [],
                            emulated=row["emulated"] if here else [],
                            absent_because="" if here else "needs " + homes.replace(" ", ", ")))
    return columns


def platform_facts(system, chance):
    """The facts, with what differs between systems; times differ on every machine."""
    linux = system == "Linux"
    for line in facts():
        fact = line["fact"]
        if fact["mechanism"] in ("uring", "pidfd", "signalfd", "eventfd", "epoll") and not linux:
            fact.update(value=None, reason="not_applicable", evidence=[], note="")
        if fact["samples"]:
            much = chance.uniform(0.5, 3)
            fact["samples"] = {k: v if k == "n" else int(v * much)
                               for k, v in fact["samples"].items()}
        if system == "Windows" and fact["id"] == "select.fd_setsize":
            fact["value"] = 64
        yield line
    points = [{"x": x, "value": int(chance.uniform(300, 500) * (x if not linux else 1 + x / 64)),
               "reason": "none", "note": "", "samples": None} for x in (1, 4, 16, 64, 256, 1024)]
    yield {"fact": {"id": "wait.cost_over_watched", "value": None, "unit": "ns", "group": "B2",
                    "question": "What does a wait cost, by the descriptors watched?",
                    "source": "man 2 poll", "mechanism": "poll", "why": "Idle connections cost.",
                    "reason": "none", "method": "tried", "note": "", "samples": None,
                    "took_ns": 91000, "evidence": [], "table": [],
                    "curve": {"over": "descriptors", "points": points}}}


def leg(platform, count, crowded):
    system, arch = platform.split("-", 1)
    system, kernel = SYSTEMS[system]
    seed = sum(platform.encode())

    def spoiled(scenario, loop, chance):
        if scenario.startswith("udp.") and system == "Windows" and not crowded:
            return "deaf" if loop == "wsapoll" else None
        if loop == "libuv" and scenario.startswith(("rw.", "pipe.")) and chance.random() < 0.3:
            return chance.choice(["diverges", "known"])
        return chance.choice(["fail", "leak", "hang"]) if chance.random() < 0.01 else None

    rows = scenarios()
    while len(rows) < count:
        rows += [dict(row, id=f"{row['id']}.again{len(rows)}") for row in rows[:count - len(rows)]]
    if count < len(rows):  # UDP is always there: people look for it
        rows = [row for row in rows if row["id"].startswith("udp.")] + \
            [row for row in rows if not row["id"].startswith("udp.")][:count - 20]
    columns = platform_loops(system)
    if crowded:
        ours = loops()[0]
        columns = [dict(ours, name=name, family="reference" if name == "libuv" else "selector")
                   for name in CROWD]
    host = {"os": system, "kernel": kernel, "arch": arch}
    yield from journal(rows, spoiled, seed, columns, host,
                       platform_facts(system, random.Random(seed)))


STORED = {"golden": golden, "hostile": hostile}


def text_of(lines):
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
                   for line in lines)


def check():
    here = pathlib.Path(__file__).resolve().parent
    # Compared as bytes: some of the hostile characters end a line for a reader of text.
    stale = [kind for kind, make in STORED.items()
             if (here / f"{kind}.ndjson").read_bytes() != text_of(make()).encode()]
    for kind in stale:
        print(f"{kind}.ndjson is not what the generator writes; run "
              f"reports/testdata/make_journal.py {kind} >reports/testdata/{kind}.ndjson",
              file=sys.stderr)
    return 1 if stale else 0


def main(argv):
    if argv[1:] == ["check"]:
        return check()
    if len(argv) > 1 and argv[1] == "big":
        lines = big(int(argv[2]) if len(argv) > 2 else 150)
    elif len(argv) > 2 and argv[1] in ("leg", "crowded"):
        lines = leg(argv[2], int(argv[3]) if len(argv) > 3 else 60, argv[1] == "crowded")
    elif len(argv) == 2 and argv[1] in STORED:
        lines = STORED[argv[1]]()
    else:
        print(__doc__, file=sys.stderr)
        return 64
    for line in lines:
        sys.stdout.write(text_of([line]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
