// Waits: how exactly select, poll and epoll wait, and how long they accept to.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <limits>

#include "loops/base/clock.hpp"
#include "probe/capabilities/linux_calls.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::waits {

namespace {

constexpr long kNanosPerSecond = 1'000'000'000;

/// Times `rounds` calls of wait(); wait returns 0 when its time has passed.
template <class Wait>
FactResult timed(ProbeContext& cx, std::string_view what, int rounds, Wait wait) {
  std::vector<double> samples;
  for (int i = 0; i < rounds; ++i) {
    const TimePoint start = now();
    const int rc = wait();
    const auto took = now() - start;
    if (rc != 0) {
      cx.call(what, rc);
      return cx.unknown();
    }
    samples.push_back(static_cast<double>(took.count()));
  }
  cx.note(what, std::to_string(rounds) + " waits, each returned 0");
  return median_of(std::move(samples), Unit::nanoseconds);
}

constexpr int kMilliRounds = 20;
constexpr int kMicroRounds = 10;

FactResult poll_granularity(ProbeContext& cx) {
  return timed(cx, "poll(1 ms)", kMilliRounds, [] { return ::poll(nullptr, 0, 1); });
}

FactResult select_granularity(ProbeContext& cx) {
  return timed(cx, "select(1 ms)", kMilliRounds, [] {
    timeval one{.tv_sec = 0, .tv_usec = 1000};
    return ::select(0, nullptr, nullptr, nullptr, &one);
  });
}

FactResult epoll_granularity(ProbeContext& cx) {
  const os::UniqueFd epoll(cx.call("epoll_create1", ::epoll_create1(EPOLL_CLOEXEC)));
  if (!epoll) return cx.unknown();
  return timed(cx, "epoll_wait(1 ms)", kMilliRounds, [&] {
    epoll_event event{};
    return ::epoll_wait(epoll.get(), &event, 1, 1);
  });
}

/// Microseconds of a 300 us wait.
FactResult pwait2_duration(ProbeContext& cx) {
  const os::UniqueFd epoll(cx.call("epoll_create1", ::epoll_create1(EPOLL_CLOEXEC)));
  if (!epoll) return cx.unknown();
  return timed(cx, "epoll_pwait2(300 us)", kMicroRounds, [&] {
    // 64-bit members on every architecture: the structure of the system call.
    const std::array<std::int64_t, 2> wait{0, 300'000};
    epoll_event event{};
    return static_cast<int>(
        ::syscall(kEpollPwait2, epoll.get(), &event, 1, wait.data(), nullptr, 0));
  });
}

FactResult pwait2(ProbeContext& cx) {
  FactResult measured = pwait2_duration(cx);
  const auto* median = std::get_if<std::int64_t>(&measured.value);
  if (median == nullptr) return cx.refused();
  const bool fine = *median >= 300'000;
  FactResult result = fine ? yes() : no(Reason::failed);
  result.note = "300 us took " + std::to_string(*median / 1000) + " us (median)";
  return result;
}

FactResult ppoll_duration(ProbeContext& cx) {
  return timed(cx, "ppoll(300 us)", kMicroRounds, [] {
    const timespec wait{.tv_sec = 0, .tv_nsec = 300'000};
    return ::ppoll(nullptr, 0, &wait, nullptr);
  });
}

FactResult pselect_duration(ProbeContext& cx) {
  return timed(cx, "pselect(300 us)", kMicroRounds, [] {
    const timespec wait{.tv_sec = 0, .tv_nsec = 300'000};
    return ::pselect(0, nullptr, nullptr, nullptr, &wait, nullptr);
  });
}

/// Those of the nanosecond waits that never end early and can end within a millisecond: one that
/// does shows it, and a busy machine makes the others late.
FactResult fine_waits(ProbeContext& cx) {
  std::vector<std::string> fine;
  const auto add = [&](const char* name, const FactResult& measured) {
    if (measured.samples.empty()) return;
    const double least = std::ranges::min(measured.samples);
    if (least >= 300e3 && least < 1e6) fine.emplace_back(name);
  };
  add("ppoll", ppoll_duration(cx));
  add("pselect", pselect_duration(cx));
  return word_set(std::move(fine), "never early, and 300 us took less than 1 ms at least once");
}

void interrupt(int) {}

/// Interrupts whatever waits, every 2 ms, for as long as it lives.
class Interrupter {
 public:
  Interrupter() {
    struct sigaction action {};
    action.sa_handler = interrupt;  // Without SA_RESTART: the wait must end with EINTR.
    (void)::sigaction(SIGUSR2, &action, nullptr);
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGUSR2);
    (void)::sigprocmask(SIG_UNBLOCK, &set, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR2;
    made_ = ::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
    const timespec tick{.tv_sec = 0, .tv_nsec = 2'000'000};
    const itimerspec every{.it_interval = tick, .it_value = tick};
    if (made_) made_ = ::timer_settime(timer_, 0, &every, nullptr) == 0;
  }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;
  ~Interrupter() {
    if (made_) (void)::timer_delete(timer_);
  }
  bool works() const { return made_; }

 private:
  timer_t timer_{};
  bool made_ = false;
};

struct Attempt {
  const char* what;
  double seconds;
};

/// Tries each timeout, shortest first; value: the longest that was accepted.
template <class Wait>
FactResult longest(ProbeContext& cx, std::span<const Attempt> attempts, Wait wait) {
  const Interrupter interrupter;
  if (!interrupter.works()) {
    cx.call("timer_create", -1);
    return cx.unknown("no timer to end the waits with");
  }
  double accepted = 0;
  std::string refused;
  for (const Attempt& attempt : attempts) {
    const int rc = wait(attempt);
    const int error = errno;
    if (rc == -1 && error == EINTR) {
      cx.note(attempt.what, "waits (ended by our signal)");
      accepted = attempt.seconds;
    } else if (rc == 0) {
      cx.note(attempt.what, "returned 0 at once: the number wrapped");
      refused = std::string(attempt.what) + " returns at once";
    } else {
      cx.call(attempt.what, rc);
      refused = std::string(attempt.what) + " is refused";
    }
  }
  if (accepted <= 0) return cx.unknown();
  FactResult result{.value = accepted, .unit = Unit::seconds};
  result.note = refused.empty() ? "the longest that the type can say" : refused;
  return result;
}

constexpr double kForever = 9223372036854775807.0;  // seconds in a 64-bit time_t

FactResult select_longest(ProbeContext& cx) {
  constexpr Attempt kAttempts[] = {{"select(100000001 s)", 100'000'001},
                                   {"select(2147483648 s)", 2'147'483'648},
                                   {"select(2^63-1 s)", kForever}};
  return longest(cx, kAttempts, [](const Attempt& attempt) {
    timeval wait{};
    wait.tv_sec = attempt.seconds >= kForever ? std::numeric_limits<time_t>::max()
                                              : static_cast<time_t>(attempt.seconds);
    return ::select(0, nullptr, nullptr, nullptr, &wait);
  });
}

FactResult poll_longest(ProbeContext& cx) {
  constexpr Attempt kAttempts[] = {{"poll(100000001 ms)", 100'000.001},
                                   {"poll(2^31-1 ms)", 2'147'483.647}};
  return longest(cx, kAttempts, [](const Attempt& attempt) {
    return ::poll(nullptr, 0, static_cast<int>(attempt.seconds * 1000.0 + 0.5));
  });
}

FactResult ppoll_longest(ProbeContext& cx) {
  constexpr Attempt kAttempts[] = {{"ppoll(2^32 ms)", 4'294'967.296},
                                   {"ppoll(2^63-1 s)", kForever}};
  return longest(cx, kAttempts, [](const Attempt& attempt) {
    timespec wait{};
    wait.tv_sec = attempt.seconds >= kForever ? std::numeric_limits<time_t>::max()
                                              : static_cast<time_t>(attempt.seconds);
    wait.tv_nsec = attempt.seconds >= kForever ? kNanosPerSecond - 1 : 0;
    return ::ppoll(nullptr, 0, &wait, nullptr);
  });
}

FactResult epoll_longest(ProbeContext& cx) {
  const os::UniqueFd epoll(cx.call("epoll_create1", ::epoll_create1(EPOLL_CLOEXEC)));
  if (!epoll) return cx.unknown();
  constexpr Attempt kAttempts[] = {{"epoll_wait(100000001 ms)", 100'000.001},
                                   {"epoll_wait(2^31-1 ms)", 2'147'483.647}};
  return longest(cx, kAttempts, [&](const Attempt& attempt) {
    epoll_event event{};
    return ::epoll_wait(epoll.get(), &event, 1, static_cast<int>(attempt.seconds * 1000.0 + 0.5));
  });
}

constexpr Fact kFacts[] = {
    {"wait.poll.granularity", "How long does a poll of 1 ms take?", "man 2 poll", poll_granularity,
     "the lateness that a loop cannot avoid"},
    {"wait.select.granularity", "How long does a select of 1 ms take?", "man 2 select",
     select_granularity, "the lateness that a loop cannot avoid"},
    {"wait.epoll.granularity", "How long does an epoll_wait of 1 ms take?", "man 2 epoll_wait",
     epoll_granularity, "the lateness that a loop cannot avoid"},
    {"wait.ns.epoll_pwait2", "Can epoll wait for less than a millisecond?",
     "man 2 epoll_pwait2, Linux 5.11", pwait2, "exact timers without a timerfd"},
    {"wait.ns.epoll_pwait2.300us", "How long does an epoll_pwait2 of 300 us take?",
     "man 2 epoll_pwait2", pwait2_duration, "what a sub-millisecond timer costs in lateness"},
    {"wait.ns.ppoll_pselect_kevent", "Which calls wait for less than a millisecond?",
     "POSIX pselect; man 2 ppoll; FreeBSD man 2 kqueue", fine_waits,
     "timers that need no timerfd to be exact"},
    {"wait.ns.ppoll", "How long does a ppoll of 300 us take?", "man 2 ppoll", ppoll_duration,
     "what a sub-millisecond timer costs in lateness"},
    {"wait.ns.pselect", "How long does a pselect of 300 us take?", "man 2 pselect",
     pselect_duration, "what a sub-millisecond timer costs in lateness"},
    {"wait.max_timeout.select", "What is the longest wait that select accepts?",
     "POSIX select: at least 31 days", select_longest, "far deadlines must be cut into pieces"},
    {"wait.max_timeout.poll", "What is the longest wait that poll accepts?", "man 2 poll",
     poll_longest, "milliseconds in an int end after 24.8 days"},
    {"wait.max_timeout.ppoll", "What is the longest wait that ppoll accepts?", "man 2 ppoll",
     ppoll_longest, "far deadlines must be cut into pieces"},
    {"wait.max_timeout.epoll", "What is the longest wait that epoll_wait accepts?",
     "man 2 epoll_wait", epoll_longest, "milliseconds in an int end after 24.8 days"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "waits", .group = "B1", .facts = kFacts, .effect = Effect::process};

}  // namespace loopscope::probes::waits
