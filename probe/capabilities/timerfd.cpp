// timerfd: timers as descriptors, and on which clocks.
#include <poll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "probe/probe_context.hpp"

namespace loopscope::probes::timerfd {

namespace {

struct NamedClock {
  clockid_t clock;
  const char* name;
};
constexpr NamedClock kClocks[] = {{CLOCK_REALTIME, "REALTIME"},
                                  {CLOCK_MONOTONIC, "MONOTONIC"},
                                  {CLOCK_BOOTTIME, "BOOTTIME"},
                                  {CLOCK_REALTIME_ALARM, "REALTIME_ALARM"},
                                  {CLOCK_BOOTTIME_ALARM, "BOOTTIME_ALARM"}};

/// Arms it for 1 ms and waits for it: 1 when it fired once.
bool fires(ProbeContext& cx, int fd) {
  const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1'000'000}};
  if (cx.call("timerfd_settime(1 ms)", ::timerfd_settime(fd, 0, &soon, nullptr)) != 0) {
    return false;
  }
  pollfd slot{.fd = fd, .events = POLLIN, .revents = 0};
  if (cx.call("poll(timerfd)", ::poll(&slot, 1, 200)) != 1) return false;
  std::uint64_t expirations = 0;
  return ::read(fd, &expirations, sizeof expirations) == sizeof expirations && expirations == 1;
}

FactResult present(ProbeContext& cx) {
  const os::UniqueFd timer(cx.call("timerfd_create(CLOCK_MONOTONIC)",
                                   ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)));
  if (!timer) return cx.refused();
  return fires(cx, timer.get()) ? yes() : no(Reason::failed, "it did not fire exactly once");
}

FactResult clocks_of(ProbeContext& cx) {
  std::vector<std::string> usable;
  for (const NamedClock& clock : kClocks) {
    const os::UniqueFd timer(cx.call(std::string("timerfd_create(CLOCK_") + clock.name + ")",
                                     ::timerfd_create(clock.clock, TFD_CLOEXEC | TFD_NONBLOCK)));
    if (timer && fires(cx, timer.get())) usable.emplace_back(clock.name);
  }
  if (usable.empty()) return cx.unknown();
  return word_set(std::move(usable), "created, armed for 1 ms, and fired");
}

FactResult cancel_on_set(ProbeContext& cx) {
  constexpr int kCancelOnSet = 1 << 1;  // TFD_TIMER_CANCEL_ON_SET
  const os::UniqueFd timer(cx.call("timerfd_create(CLOCK_REALTIME)",
                                   ::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)));
  if (!timer) return cx.unknown();
  timespec later{};
  (void)::clock_gettime(CLOCK_REALTIME, &later);
  later.tv_sec += 3600;
  const itimerspec far{.it_interval = {}, .it_value = later};
  if (cx.call("timerfd_settime(ABSTIME|CANCEL_ON_SET)",
              ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME | kCancelOnSet, &far, nullptr)) !=
      0) {
    return cx.refused();
  }
  FactResult result = yes("accepted; the clock was not set to see the effect");
  result.method = Method::api;
  return result;
}

constexpr Fact kFacts[] = {
    {"timer.timerfd", "Does a timerfd become readable when its time has come?",
     "man 2 timerfd_create", present, "timers for loops whose wait is too coarse"},
    {.id = "timer.timerfd.clocks",
     .question = "Which clocks can a timerfd use?",
     .source = "man 2 timerfd_create",
     .ask = clocks_of,
     .why = "timers that count time asleep or wake the machine",
     .privilege = "CAP_WAKE_ALARM"},
    {"timer.timerfd.cancel_on_set", "Can a timerfd tell that the wall clock was set?",
     "man 2 timerfd_create, TFD_TIMER_CANCEL_ON_SET", cancel_on_set,
     "wall-clock timers that follow jumps"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "timerfd", .group = "B1", .facts = kFacts};

}  // namespace loopscope::probes::timerfd
