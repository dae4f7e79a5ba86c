// Wake-ups: how long it takes from a thread's call until another thread, which slept, runs.
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "loops/base/clock.hpp"
#include "probe/capabilities/futex.hpp"
#include "probe/capabilities/raw_ring.hpp"
#include "probe/capabilities/subjects.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::wakeups {

namespace {

constexpr std::chrono::milliseconds kPatience{300};

/// How one thread sleeps and another one wakes it. sleep: true when it was woken; false: it failed
/// or nobody woke it, and errno says which.
struct Channel {
  const char* call;
  std::function<bool()> sleep;
  std::function<bool(pthread_t)> wake;
};

/// What the two threads tell each other beside the channel in question.
struct Turn {
  std::atomic<int> asleep{0};  // the round for which the sleeper is about to sleep
  std::atomic<int> woken{0};   // the round that it was woken in
  std::atomic<std::int64_t> called_ns{0};
  std::atomic<int> error{0};  // of a sleeper that gave up
};

void sleeper(const Channel& channel, int rounds, Turn& turn, std::vector<double>& samples) {
  for (int round = 1; round <= rounds; ++round) {
    turn.asleep.store(round);
    const bool woken = channel.sleep();
    const std::int64_t at = now().time_since_epoch().count();
    if (!woken) {
      turn.error.store(errno == 0 ? ETIMEDOUT : errno);
      return;
    }
    samples.push_back(static_cast<double>(at - turn.called_ns.load()));
    turn.woken.store(round);
  }
}

/// Waits until the sleeper says `round` or gives up.
bool reached(const std::atomic<int>& what, int round, const Turn& turn) {
  const TimePoint limit = now() + kPatience;
  while (what.load() < round) {
    if (turn.error.load() != 0 || now() > limit) return false;
    const timespec moment{.tv_sec = 0, .tv_nsec = 20'000};
    (void)::nanosleep(&moment, nullptr);
  }
  return true;
}

FactResult latency(ProbeContext& cx, const Channel& channel) {
  const int rounds = cx.rounds(20, 1000);
  std::vector<double> samples;
  Turn turn;
  std::thread other(sleeper, std::cref(channel), rounds, std::ref(turn), std::ref(samples));
  int called = 0;
  for (int round = 1; round <= rounds && reached(turn.asleep, round, turn); ++round) {
    // Time to fall asleep after it said so; a sleeper that is late shows as a fast wake-up.
    const timespec settle{.tv_sec = 0, .tv_nsec = 150'000};
    (void)::nanosleep(&settle, nullptr);
    turn.called_ns.store(now().time_since_epoch().count());
    if (!channel.wake(other.native_handle())) {
      cx.call(channel.call, -1);
      break;
    }
    ++called;
    if (!reached(turn.woken, round, turn)) break;
  }
  other.join();  // Its sleep is bounded: it ends by itself where nobody wakes it.
  cx.note(channel.call, std::to_string(samples.size()) + " wake-ups of " + std::to_string(called));
  if (const int error = turn.error.load(); error != 0) {
    errno = error;
    cx.call("the wait of the other thread", -1);
    return cx.unknown();
  }
  if (samples.size() < static_cast<std::size_t>(rounds)) return cx.unknown();
  return median_of(std::move(samples), Unit::nanoseconds, "from the call until the sleeper runs");
}

/// poll, then read of up to 8 octets.
bool read_when_ready(const os::UniqueFd& fd) {
  pollfd slot{.fd = fd.get(), .events = POLLIN, .revents = 0};
  const int rc = ::poll(&slot, 1, static_cast<int>(kPatience.count()));
  if (rc == 0) errno = ETIMEDOUT;
  std::uint64_t octets = 0;
  return rc == 1 && ::read(fd.get(), &octets, sizeof octets) > 0;
}

bool write_octets(const os::UniqueFd& fd) {
  const std::uint64_t one = 1;
  return ::write(fd.get(), &one, sizeof one) == sizeof one;
}

FactResult by_pair(ProbeContext& cx, const char* call, const Subject& pair) {
  if (!pair) return no_subject(cx);
  return latency(cx, {call, [&] { return read_when_ready(pair.fd); },
                      [&](pthread_t) { return write_octets(pair.other); }});
}
FactResult by_pipe(ProbeContext& cx) {
  const Subject pair = make_pipe(false);
  return by_pair(cx, "write(pipe)", pair);
}
FactResult by_socketpair(ProbeContext& cx) {
  const Subject pair = make_unix_pair(SOCK_STREAM);
  return by_pair(cx, "write(socket pair)", pair);
}

FactResult by_eventfd(ProbeContext& cx) {
  const os::UniqueFd event(cx.call("eventfd", ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!event) return cx.unknown();
  return latency(cx, {"write(eventfd)", [&] { return read_when_ready(event); },
                      [&](pthread_t) { return write_octets(event); }});
}

FactResult by_futex(ProbeContext& cx) {
  std::atomic<int> word{0};
  static_assert(sizeof word == sizeof(int));
  const auto sleep = [&] {
    const timespec patience = to_timespec(kPatience);
    while (word.load() == 0) {
      const long rc = futex(&word, FUTEX_WAIT_PRIVATE, 0, &patience);
      if (rc == -1 && errno != EAGAIN && errno != EINTR) return false;
    }
    word.store(0);
    return true;
  };
  const auto wake = [&](pthread_t) {
    word.store(1);
    return futex(&word, FUTEX_WAKE_PRIVATE, 1, nullptr) >= 0;
  };
  return latency(cx, {"futex(WAKE_PRIVATE)", sleep, wake});
}

FactResult by_condvar(ProbeContext& cx) {
  std::mutex mutex;
  std::condition_variable changed;
  bool called = false;
  const auto sleep = [&] {
    std::unique_lock lock(mutex);
    const bool woken = changed.wait_for(lock, kPatience, [&] { return called; });
    called = false;
    errno = ETIMEDOUT;
    return woken;
  };
  const auto wake = [&](pthread_t) {
    {
      const std::lock_guard lock(mutex);
      called = true;
    }
    changed.notify_one();
    return true;
  };
  return latency(cx, {"pthread_cond_signal", sleep, wake});
}

FactResult by_signal(ProbeContext& cx) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR1);
  // Blocked before the other thread begins, which inherits that.
  if (cx.call("sigprocmask(block SIGUSR1)", ::sigprocmask(SIG_BLOCK, &set, nullptr)) != 0) {
    return cx.unknown();
  }
  const auto sleep = [&] {
    const timespec patience = to_timespec(kPatience);
    return ::sigtimedwait(&set, nullptr, &patience) == SIGUSR1;
  };
  const auto wake = [](pthread_t sleeper) {
    errno = ::pthread_kill(sleeper, SIGUSR1);
    return errno == 0;
  };
  return latency(cx, {"pthread_kill, sigtimedwait", sleep, wake});
}

/// Waits in io_uring_enter and takes the completion.
bool wait_on(RawRing& ring, std::uint64_t id) {
  ProbeContext unheard("");
  if (ring.wait(unheard, "io_uring_enter", kPatience) < 0) return false;
  errno = ETIMEDOUT;
  return ring.take(id, Duration::zero()).has_value();
}

FactResult by_msg_ring(ProbeContext& cx, RawRing& ring) {
  constexpr std::uint64_t kId = 4711;
  RawRing own;
  if (!own.open(cx)) return cx.unknown();
  const auto wake = [&](pthread_t) {
    ProbeContext unheard("");
    abi::Request request;
    request.opcode = abi::Op::msg_ring;
    request.fd = ring.descriptor();
    request.offset = kId;
    const auto done = own.ask(unheard, "IORING_OP_MSG_RING", request);
    errno = done ? -done->result : ETIMEDOUT;
    return done && done->result == 0;
  };
  return latency(cx, {"IORING_OP_MSG_RING", [&] { return wait_on(ring, kId); }, wake});
}

FactResult by_uring_eventfd(ProbeContext& cx, RawRing& ring) {
  const os::UniqueFd event(cx.call("eventfd", ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!event) return cx.unknown();
  std::uint64_t value = 0;
  const auto sleep = [&] {
    abi::Request poll;
    poll.opcode = abi::Op::poll_add;
    poll.fd = event.get();
    poll.op_flags = abi::poll_word(POLLIN);
    const std::uint64_t id = ring.push(poll);
    if (!ring.submit() || !wait_on(ring, id)) return false;
    return ::read(event.get(), &value, sizeof value) == sizeof value;
  };
  return latency(cx, {"write(eventfd), IORING_OP_POLL_ADD", sleep,
                      [&](pthread_t) { return write_octets(event); }});
}

constexpr const char* kWhy = "what call_soon_threadsafe costs in time";
constexpr const char* kHow =
    "one thread sleeps, another one reads the clock and wakes it, the sleeper reads the clock";

constexpr Fact kFacts[] = {
    {"wake.pipe", "How long does a wake-up through a pipe take?", "man 7 pipe; man 2 poll", by_pipe,
     kWhy, kHow},
    {"wake.socketpair", "How long does a wake-up through a socket pair take?",
     "man 2 socketpair; man 2 poll", by_socketpair, kWhy, kHow},
    {"wake.eventfd", "How long does a wake-up through an eventfd take?",
     "man 2 eventfd; man 2 poll", by_eventfd, kWhy, kHow},
    {"wake.futex", "How long does a wake-up through a futex take?", "man 2 futex", by_futex, kWhy,
     kHow},
    {"wake.condvar", "How long does a wake-up through a condition variable take?",
     "POSIX pthread_cond_signal", by_condvar, kWhy, kHow},
    {"wake.signal", "How long does a wake-up by a signal take?", "POSIX pthread_kill, sigtimedwait",
     by_signal, kWhy, kHow},
    {"wake.io_uring_msg_ring", "How long does a wake-up from ring to ring take?",
     "man 2 io_uring_enter, IORING_OP_MSG_RING", with_ring<by_msg_ring>, kWhy, kHow},
    {"wake.io_uring_eventfd", "How long does a wake-up of a ring through an eventfd take?",
     "man 2 io_uring_enter, IORING_OP_POLL_ADD", with_ring<by_uring_eventfd>, kWhy, kHow},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "wake-ups", .group = "B3", .facts = kFacts, .effect = Effect::process};

}  // namespace loopscope::probes::wakeups
