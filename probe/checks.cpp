// The table of implications, and the comparisons of answers that measure the same thing.
#include "probe/checks.hpp"

#include <algorithm>
#include <optional>

#include "probe/measure.hpp"
#include "probe/render.hpp"

namespace loopscope {

namespace {

constexpr std::string_view kUsesIt = "the one is asked by using the other";
constexpr std::string_view kFlag = "a flag of it";

constexpr Implication kImplications[] = {
    {"uring.enter", "uring.setup", true, kUsesIt},
    {"uring.op.*", "uring.enter", true, kUsesIt},
    {"uring.wait_with_timeout", "uring.enter", true, kUsesIt},
    {"uring.file", "uring.enter", true, kUsesIt},
    {"uring.buf_ring", "uring.enter", true, kUsesIt},
    {"uring.buf_ring_inc", "uring.buf_ring", true, kFlag},
    {"uring.op.accept_multishot", "uring.op.accept", true, kFlag},
    {"uring.op.recv_multishot", "uring.op.recv", true, kFlag},
    {"uring.op.recvmsg_multishot", "uring.op.recvmsg", true, kFlag},
    {"uring.op.poll_multishot", "uring.op.poll_add", true, kFlag},
    {"uring.op.timeout_multishot", "uring.op.timeout", true, kFlag},
    {"uring.seccomp_suspected", "uring.enter", false, "what is refused cannot be used"},
    {"cost.io_uring", "uring.setup", true, kUsesIt},
    {"wait.late.io_uring*", "uring.enter", true, kUsesIt},
    {"wake.io_uring_*", "uring.enter", true, kUsesIt},
    {"wake.io_uring_msg_ring", "uring.op.msg_ring", true, kUsesIt},
    {"epoll.pwait", "epoll.create1", true, kUsesIt},
    {"epoll.exclusive", "epoll.create1", true, kUsesIt},
    {"epoll.oneshot", "epoll.create1", true, kUsesIt},
    {"epoll.rdhup", "epoll.create1", true, kUsesIt},
    {"epoll.nested", "epoll.create1", true, kUsesIt},
    {"epoll.stale_dup", "epoll.create1", true, kUsesIt},
    {"epoll.auto_remove", "epoll.create1", true, kUsesIt},
    {"wait.ns.epoll_pwait2", "epoll.create1", true, kUsesIt},
    {"wait.late.epoll_*", "epoll.create1", true, kUsesIt},
    {"wait.late.epoll_pwait2", "wait.ns.epoll_pwait2.300us", true, "the same call"},
    {"wait.late.timerfd", "timer.timerfd", true, kUsesIt},
    {"timer.timerfd.clocks", "timer.timerfd", true, "the monotonic clock is one of them"},
    {"cost.epoll", "epoll.create1", true, kUsesIt},
    {"cost.epoll", "eventfd", true, kUsesIt},
    {"cost.poll", "eventfd", true, kUsesIt},
    {"wake.eventfd", "eventfd", true, kUsesIt},
    {"eventfd.semaphore", "eventfd", true, kFlag},
    {"eventfd.full_eagain", "eventfd", true, kUsesIt},
    {"pidfd.poll", "pidfd.open", true, kUsesIt},
    {"pidfd.waitid", "pidfd.open", true, kUsesIt},
    {"pidfd.send_signal", "pidfd.open", true, kUsesIt},
    {"pidfd.hup_after_reap", "pidfd.open", true, kUsesIt},
    {"posix_spawn.*", "proc.shell", true, "the child that shows it is a shell"},
    {"close_range.cloexec", "close_range", true, kFlag},
    {"tty.reopen_possible", "tty.ptmx", true, kUsesIt},
    {"tty.pty_eof_errno", "tty.ptmx", true, kUsesIt},
    {"pipe.capacity_settable", "pipe2", true, kUsesIt},
    {"fifo.hup_cleared_by_new_writer", "poll.present", true, kUsesIt},
    {"env.ipv6_lo", "ipv6.available", true, "::1 is bound for both"},
    {"udp.max_datagram.v6", "ipv6.available", true, kUsesIt},
    {"so.reuseport_balances", "so.reuseport", true, kUsesIt},
    {"so.attach_reuseport_bpf", "so.reuseport", true, kUsesIt},
    {"unix.max_fds", "unix.scm_rights", true, kUsesIt},
    {"unix.scm_rights", "unix.types", true, kUsesIt},
    {"unix.scm_credentials", "unix.types", true, kUsesIt},
    {"unix.peercred", "unix.types", true, kUsesIt},
};

bool answered(const MeasuredFact& fact) {
  return !std::holds_alternative<std::monostate>(fact.result.value);
}

std::optional<double> number_of(std::span<const MeasuredFact> facts, std::string_view id) {
  const MeasuredFact* fact = find_fact(facts, id);
  if (fact == nullptr) return std::nullopt;
  if (const auto* whole = std::get_if<std::int64_t>(&fact->result.value)) {
    return static_cast<double>(*whole);
  }
  const auto* real = std::get_if<double>(&fact->result.value);
  return real == nullptr ? std::nullopt : std::optional<double>(*real);
}

std::string said(std::span<const MeasuredFact> facts, std::string_view id) {
  const MeasuredFact* fact = find_fact(facts, id);
  return fact == nullptr ? std::string() : value_text(fact->result);
}

bool names(std::span<const MeasuredFact> facts, std::string_view id, std::string_view word) {
  const MeasuredFact* fact = find_fact(facts, id);
  const auto* list =
      fact == nullptr ? nullptr : std::get_if<std::vector<std::string>>(&fact->result.value);
  return list != nullptr && std::find(list->begin(), list->end(), word) != list->end();
}

/// Does what two facts say differ, although it is one thing?
struct Comparison {
  std::string_view one, other;
  bool (*differ)(std::span<const MeasuredFact>);
};

/// A step is at least what a reading takes, so only coarser and finer than both is a difference.
bool clock_differs(std::span<const MeasuredFact> facts) {
  const auto declared = number_of(facts, "clock.monotonic.resolution");
  const auto step = number_of(facts, "clock.monotonic.step");
  const auto cost = number_of(facts, "clock.monotonic.read_cost");
  if (!declared || !step || !cost) return false;
  return *step < *declared || *step > 10 * std::max(*declared, *cost);
}

bool limits_differ(std::span<const MeasuredFact> facts) {
  const auto hard = number_of(facts, "limit.nofile.hard");
  const auto used = number_of(facts, "limit.nofile.raisable");
  return hard && used && *hard != *used;
}

bool wait_differs(std::span<const MeasuredFact> facts) {
  const MeasuredFact* used = find_fact(facts, "uring.wait_with_timeout");
  const MeasuredFact* announced = find_fact(facts, "uring.features");
  if (used == nullptr || announced == nullptr || !answered(*used) || !answered(*announced)) {
    return false;
  }
  return names(facts, "uring.features", "EXT_ARG") != fact_is_true(*used);
}

bool overflow_differs(std::span<const MeasuredFact> facts) {
  const MeasuredFact* used = find_fact(facts, "uring.cq_overflow_recovers");
  return used != nullptr && answered(*used) && names(facts, "uring.features", "NODROP") &&
         !fact_is_true(*used);
}

bool cloexec_differs(std::span<const MeasuredFact> facts) {
  const MeasuredFact* pipes = find_fact(facts, "pipe2");
  const MeasuredFact* ways = find_fact(facts, "fd.cloexec_atomic");
  if (pipes == nullptr || ways == nullptr || !answered(*pipes) || !answered(*ways)) return false;
  return names(facts, "fd.cloexec_atomic", "pipe2") != fact_is_true(*pipes);
}

/// Root inside of a user namespace sees the map, and the number of the namespace.
bool user_namespace_differs(std::span<const MeasuredFact> facts) {
  const MeasuredFact* map = find_fact(facts, "env.user_ns");
  const MeasuredFact* own = find_fact(facts, "env.namespaces");
  if (map == nullptr || own == nullptr || !answered(*map) || !answered(*own)) return false;
  return (said(facts, "env.user_ns") == "nested") != names(facts, "env.namespaces", "user");
}

bool switch_differs(std::span<const MeasuredFact> facts) {
  constexpr double kForbidden = 2;
  const MeasuredFact* made = find_fact(facts, "uring.setup");
  return made != nullptr && fact_is_true(*made) && number_of(facts, "uring.sysctl") == kForbidden;
}

constexpr Comparison kComparisons[] = {
    {"env.user_ns", "env.namespaces", user_namespace_differs},
    {"uring.sysctl", "uring.setup", switch_differs},
    {"clock.monotonic.resolution", "clock.monotonic.step", clock_differs},
    {"limit.nofile.hard", "limit.nofile.raisable", limits_differ},
    {"uring.features", "uring.wait_with_timeout", wait_differs},
    {"uring.features", "uring.cq_overflow_recovers", overflow_differs},
    {"fd.cloexec_atomic", "pipe2", cloexec_differs},
};

}  // namespace

std::span<const Implication> all_implications() { return kImplications; }

ImplicationChecks check_implications(std::span<const MeasuredFact> facts,
                                     std::span<const Implication> rules) {
  ImplicationChecks checks;
  for (const Implication& rule : rules) {
    const MeasuredFact* then = find_fact(facts, rule.then_fact);
    if (then == nullptr || !answered(*then)) continue;
    for (const MeasuredFact& fact : facts) {
      if (!selects(rule.if_fact, fact.id) || !answered(fact)) continue;
      ++checks.checked;
      if (!fact_is_true(fact) || fact_is_true(*then) == rule.then) continue;
      checks.violations.push_back({fact.id, value_text(fact.result), then->id,
                                   value_text(then->result), std::string(rule.why)});
    }
  }
  return checks;
}

void compare_facts(std::span<MeasuredFact> facts) {
  for (const Comparison& comparison : kComparisons) {
    if (!comparison.differ(facts)) continue;
    const auto found = std::find_if(facts.begin(), facts.end(), [&](const MeasuredFact& fact) {
      return fact.id == comparison.one;
    });
    if (found == facts.end()) continue;
    found->result.conflicts.push_back({std::string(comparison.one), said(facts, comparison.one),
                                       std::string(comparison.other),
                                       said(facts, comparison.other)});
  }
}

}  // namespace loopscope
