// Lateness: how much later than asked each mechanism ends its wait.
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <functional>

#include "loops/base/clock.hpp"
#include "probe/capabilities/futex.hpp"
#include "probe/capabilities/linux_calls.hpp"
#include "probe/capabilities/raw_ring.hpp"
#include "probe/probe_context.hpp"
#include "probe/statistics.hpp"

namespace loopscope::probes::lateness {

namespace {

using std::chrono::nanoseconds;
constexpr long kSecond = 1'000'000'000;
constexpr nanoseconds kMilli{1'000'000};

/// Waits that long; true when the time, and nothing else, ended it. errno says why not.
using Wait = std::function<bool(nanoseconds)>;

struct Mechanism {
  const char* call;
  bool whole_millis;  // it cannot be asked for less, or for parts
};

timespec timespec_of(nanoseconds time) {
  return {.tv_sec = static_cast<time_t>(time.count() / kSecond),
          .tv_nsec = static_cast<long>(time.count() % kSecond)};
}

/// Fills one point; false when the mechanism failed.
bool measure(ProbeContext& cx, const Mechanism& mechanism, const Wait& wait, nanoseconds asked,
             int rounds, CurvePoint& point) {
  for (int i = 0; i < rounds; ++i) {
    const TimePoint start = now();
    const bool ended = wait(asked);
    const Duration took = now() - start;
    if (!ended) {
      cx.call(mechanism.call, -1);
      return false;
    }
    point.samples.push_back(static_cast<double>((took - asked).count()));
  }
  point.value = quantiles(point.samples)->p50;
  return true;
}

FactResult lateness(ProbeContext& cx, const Mechanism& mechanism, const Wait& wait) {
  using namespace std::chrono_literals;
  constexpr std::array<nanoseconds, 5> kAsked{300us, 1ms, 4ms, 16ms, 64ms};
  const std::size_t points = cx.thorough() ? kAsked.size() : 2;
  FactResult result{.unit = Unit::nanoseconds, .curve_over = "ns asked"};
  std::size_t early = 0;
  for (std::size_t i = 0; i < points; ++i) {
    CurvePoint point{.x = static_cast<double>(kAsked[i].count())};
    const int rounds = kAsked[i] > 10ms ? 20 : cx.rounds(7, 50);
    if (mechanism.whole_millis && kAsked[i] < kMilli) {
      point.reason = Reason::invalid;
      point.note = "it counts whole milliseconds";
    } else if (!measure(cx, mechanism, wait, kAsked[i], rounds, point)) {
      return cx.unknown();
    }
    early += static_cast<std::size_t>(std::count_if(point.samples.begin(), point.samples.end(),
                                                    [](double late) { return late < 0; }));
    if (kAsked[i] == kMilli) {
      result.value = static_cast<std::int64_t>(std::llround(*point.value));
      result.samples = point.samples;
    }
    result.curve.push_back(std::move(point));
  }
  cx.note(mechanism.call, "each ended by its time-out");
  result.note = "beyond 1 ms (median)";
  if (early > 0) result.note += "; " + std::to_string(early) + " waits ended early";
  return result;
}

FactResult of_select(ProbeContext& cx) {
  return lateness(cx, {"select", false}, [](nanoseconds time) {
    timeval wait{.tv_sec = 0, .tv_usec = static_cast<suseconds_t>(time.count() / 1000)};
    return ::select(0, nullptr, nullptr, nullptr, &wait) == 0;
  });
}

int millis(nanoseconds time) { return static_cast<int>(time / kMilli); }

FactResult of_poll(ProbeContext& cx) {
  return lateness(cx, {"poll", true},
                  [](nanoseconds time) { return ::poll(nullptr, 0, millis(time)) == 0; });
}

FactResult of_ppoll(ProbeContext& cx) {
  return lateness(cx, {"ppoll", false}, [](nanoseconds time) {
    const timespec wait = timespec_of(time);
    return ::ppoll(nullptr, 0, &wait, nullptr) == 0;
  });
}

FactResult of_epoll_wait(ProbeContext& cx) {
  const os::UniqueFd epoll(cx.call("epoll_create1", ::epoll_create1(EPOLL_CLOEXEC)));
  if (!epoll) return cx.unknown();
  return lateness(cx, {"epoll_wait", true}, [&](nanoseconds time) {
    epoll_event event{};
    return ::epoll_wait(epoll.get(), &event, 1, millis(time)) == 0;
  });
}

FactResult of_epoll_pwait2(ProbeContext& cx) {
  const os::UniqueFd epoll(cx.call("epoll_create1", ::epoll_create1(EPOLL_CLOEXEC)));
  if (!epoll) return cx.unknown();
  return lateness(cx, {"epoll_pwait2", false}, [&](nanoseconds time) {
    // 64-bit members on every architecture: the structure of the system call.
    const std::array<std::int64_t, 2> wait{0, time.count()};
    epoll_event event{};
    return ::syscall(kEpollPwait2, epoll.get(), &event, 1, wait.data(), nullptr, 0) == 0;
  });
}

FactResult of_uring(ProbeContext& cx, RawRing& ring) {
  ProbeContext unheard("");  // A record of every wait would take its time too.
  return lateness(cx, {"io_uring_enter(EXT_ARG)", false}, [&](nanoseconds time) {
    return ring.wait(unheard, "io_uring_enter", time) < 0 && errno == ETIME;
  });
}

FactResult of_uring_timeout(ProbeContext& cx, RawRing& ring) {
  ProbeContext unheard("");
  return lateness(cx, {"IORING_OP_TIMEOUT", false}, [&](nanoseconds time) {
    const abi::Timespec wait{0, time.count()};
    abi::Request request;
    request.opcode = abi::Op::timeout;
    request.address = abi::at(&wait);
    request.length = 1;
    const auto done = ring.ask(unheard, "IORING_OP_TIMEOUT", request);
    errno = done ? -done->result : ETIMEDOUT;
    return done && done->result == -ETIME;
  });
}

FactResult of_timerfd(ProbeContext& cx) {
  const os::UniqueFd timer(
      cx.call("timerfd_create", ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)));
  if (!timer) return cx.unknown();
  return lateness(cx, {"timerfd_settime, poll, read", false}, [&](nanoseconds time) {
    const itimerspec soon{.it_interval = {}, .it_value = timespec_of(time)};
    if (::timerfd_settime(timer.get(), 0, &soon, nullptr) != 0) return false;
    pollfd slot{.fd = timer.get(), .events = POLLIN, .revents = 0};
    std::uint64_t times = 0;
    return ::poll(&slot, 1, 1000) == 1 && ::read(timer.get(), &times, sizeof times) == 8;
  });
}

FactResult of_nanosleep(ProbeContext& cx) {
  return lateness(cx, {"nanosleep", false}, [](nanoseconds time) {
    const timespec wait = timespec_of(time);
    return ::nanosleep(&wait, nullptr) == 0;
  });
}

FactResult of_futex(ProbeContext& cx) {
  return lateness(cx, {"futex(WAIT_PRIVATE)", false}, [](nanoseconds time) {
    int word = 0;
    const timespec wait = timespec_of(time);
    return futex(&word, FUTEX_WAIT_PRIVATE, 0, &wait) == -1 && errno == ETIMEDOUT;
  });
}

FactResult of_condvar(ProbeContext& cx) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_condattr_t attributes;
  pthread_cond_t never;
  (void)::pthread_condattr_init(&attributes);
  if (cx.call_status("pthread_condattr_setclock(CLOCK_MONOTONIC)",
                     ::pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)) != 0) {
    return cx.unknown();
  }
  (void)::pthread_cond_init(&never, &attributes);
  (void)::pthread_mutex_lock(&mutex);
  FactResult result = lateness(cx, {"pthread_cond_timedwait", false}, [&](nanoseconds time) {
    timespec begin{};
    (void)::clock_gettime(CLOCK_MONOTONIC, &begin);
    const timespec end = timespec_of(nanoseconds(begin.tv_sec * std::int64_t{kSecond}) +
                                     nanoseconds(begin.tv_nsec) + time);
    return ::pthread_cond_timedwait(&never, &mutex, &end) == ETIMEDOUT;
  });
  (void)::pthread_mutex_unlock(&mutex);
  (void)::pthread_cond_destroy(&never);
  (void)::pthread_condattr_destroy(&attributes);
  return result;
}

constexpr const char* kWhy = "the lateness that a timer over it cannot avoid";
constexpr const char* kHow =
    "asks for 0.3 and 1 ms, and 4, 16 and 64 ms if thorough; what each wait took beyond that";

constexpr Fact kFacts[] = {
    {"wait.late.select", "How late does select end its wait?", "man 2 select", of_select, kWhy,
     kHow},
    {"wait.late.poll", "How late does poll end its wait?", "man 2 poll", of_poll, kWhy, kHow},
    {"wait.late.ppoll", "How late does ppoll end its wait?", "man 2 ppoll", of_ppoll, kWhy, kHow},
    {"wait.late.epoll_wait", "How late does epoll_wait end its wait?", "man 2 epoll_wait",
     of_epoll_wait, kWhy, kHow},
    {"wait.late.epoll_pwait2", "How late does epoll_pwait2 end its wait?", "man 2 epoll_pwait2",
     of_epoll_pwait2, kWhy, kHow},
    {"wait.late.io_uring", "How late does io_uring_enter end its wait?",
     "man 2 io_uring_enter, IORING_ENTER_EXT_ARG", with_ring<of_uring>, kWhy, kHow},
    {"wait.late.io_uring_timeout", "How late does IORING_OP_TIMEOUT complete?",
     "man 2 io_uring_enter, IORING_OP_TIMEOUT", with_ring<of_uring_timeout>, kWhy, kHow},
    {"wait.late.timerfd", "How late does a timerfd become readable?", "man 2 timerfd_create",
     of_timerfd, kWhy, kHow},
    {"wait.late.nanosleep", "How late does nanosleep end?", "POSIX nanosleep", of_nanosleep, kWhy,
     kHow},
    {"wait.late.futex", "How late does a futex end its wait?", "man 2 futex", of_futex, kWhy, kHow},
    {"wait.late.condvar", "How late does a condition variable end its wait?",
     "POSIX pthread_cond_timedwait", of_condvar, kWhy, kHow},
};

}  // namespace

extern const ProbeFile file{.mechanism = "lateness", .group = "B1", .facts = kFacts};

}  // namespace loopscope::probes::lateness
