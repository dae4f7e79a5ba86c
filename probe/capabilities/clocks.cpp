// Clocks: what they declare, what their readings really do, and what a reading costs.
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <thread>

#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::clocks {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t total(const timespec& t) { return std::int64_t{t.tv_sec} * kSecond + t.tv_nsec; }

std::int64_t read_clock(clockid_t clock) {
  timespec t{};
  (void)::clock_gettime(clock, &t);  // The caller has seen this clock work.
  return total(t);
}

/// Steps between consecutive different readings.
std::vector<double> steps_of(clockid_t clock, int reads, std::size_t most) {
  std::vector<double> steps;
  std::int64_t last = read_clock(clock);
  for (int i = 0; i < reads && steps.size() < most; ++i) {
    const std::int64_t next = read_clock(clock);
    if (next != last) steps.push_back(static_cast<double>(next - last));
    last = next;
  }
  return steps;
}

FactResult declared(ProbeContext& cx, clockid_t clock, std::string_view what) {
  timespec resolution{};
  if (cx.call(what, ::clock_getres(clock, &resolution)) != 0) return cx.unknown();
  FactResult result = nanoseconds(total(resolution));
  result.method = Method::api;
  return result;
}

FactResult resolution(ProbeContext& cx) {
  return declared(cx, CLOCK_MONOTONIC, "clock_getres(CLOCK_MONOTONIC)");
}

FactResult step(ProbeContext& cx) {
  std::vector<double> steps = steps_of(CLOCK_MONOTONIC, 100'000, 100'000);
  cx.note("100000 x clock_gettime(CLOCK_MONOTONIC)",
          std::to_string(steps.size()) + " different readings");
  if (steps.empty()) return null(Reason::failed, "the clock did not move");
  const auto least = static_cast<std::int64_t>(*std::min_element(steps.begin(), steps.end()));
  steps.resize(std::min<std::size_t>(steps.size(), 1000));
  FactResult result = nanoseconds(least, "smallest difference between two readings in a row");
  result.samples = std::move(steps);
  return result;
}

FactResult coarse(ProbeContext& cx) {
  FactResult result = declared(cx, CLOCK_MONOTONIC_COARSE, "clock_getres(CLOCK_MONOTONIC_COARSE)");
  if (std::holds_alternative<std::monostate>(result.value)) return result;
  // Two steps are seen within a few ticks; 30 ms is enough down to HZ=100.
  std::vector<double> steps;
  const std::int64_t limit = read_clock(CLOCK_MONOTONIC) + 30'000'000;
  std::int64_t last = read_clock(CLOCK_MONOTONIC_COARSE);
  while (steps.size() < 3 && read_clock(CLOCK_MONOTONIC) < limit) {
    const std::int64_t next = read_clock(CLOCK_MONOTONIC_COARSE);
    if (next != last) steps.push_back(static_cast<double>(next - last));
    last = next;
  }
  if (!steps.empty()) steps.erase(steps.begin());  // The first one began before we looked.
  // Who was not running for a while sees several steps as one.
  const auto* said = std::get_if<std::int64_t>(&result.value);
  const double ratio = said == nullptr || *said <= 0 || steps.empty()
                           ? 1
                           : steps.front() / static_cast<double>(*said);
  const bool apart = ratio < 0.9 || std::abs(ratio - std::round(ratio)) > 0.1;
  if (apart) {
    cx.disagree("clock_getres", std::to_string(*said) + " ns", "the steps of the clock",
                std::to_string(static_cast<std::int64_t>(steps.front())) + " ns");
  }
  result.samples = std::move(steps);
  result.note = "declared; the samples are the steps that were seen";
  return result;
}

FactResult read_cost(ProbeContext& cx) {
  constexpr int kRounds = 40;
  constexpr int kReads = 2'000;
  std::vector<double> costs;
  for (int round = 0; round < kRounds; ++round) {
    const std::int64_t start = read_clock(CLOCK_MONOTONIC);
    for (int i = 0; i < kReads; ++i) (void)read_clock(CLOCK_MONOTONIC);
    costs.push_back(static_cast<double>(read_clock(CLOCK_MONOTONIC) - start) / kReads);
  }
  cx.note("40 x 2000 clock_gettime(CLOCK_MONOTONIC)", "timed");
  return median_of(std::move(costs), Unit::nanoseconds, "median of 40 rounds");
}

FactResult counts_suspend(ProbeContext& cx) {
  timespec boot{};
  if (cx.call("clock_gettime(CLOCK_BOOTTIME)", ::clock_gettime(CLOCK_BOOTTIME, &boot)) != 0) {
    return cx.unknown();
  }
  const std::int64_t apart = total(boot) - read_clock(CLOCK_MONOTONIC);
  cx.note("CLOCK_BOOTTIME - CLOCK_MONOTONIC", std::to_string(apart) + " ns");
  constexpr std::int64_t kNoise = 10'000'000;
  if (apart > kNoise) return no(Reason::none, "the machine slept and this clock did not count it");
  FactResult result = no(Reason::none, "as documented; the machine has not slept since its start");
  result.method = Method::declared;
  return result;
}

void pin(std::thread& thread, std::size_t cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  (void)::pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);  // Best effort.
}

/// Two threads hand the latest reading to each other; a reading below it went backwards.
FactResult steps_back(ProbeContext& cx) {
  constexpr int kReads = 100'000;
  std::atomic<std::int64_t> latest{0};
  std::atomic<std::int64_t> backwards{0};
  std::atomic<bool> go{false};
  const auto work = [&] {
    while (!go.load()) std::this_thread::yield();
    for (int i = 0; i < kReads; ++i) {
      std::int64_t seen = latest.load(std::memory_order_acquire);
      const std::int64_t mine = read_clock(CLOCK_MONOTONIC);
      if (mine < seen) backwards.fetch_add(1);
      while (mine > seen && !latest.compare_exchange_weak(seen, mine, std::memory_order_acq_rel)) {
      }
    }
  };
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<std::size_t> cpus;
  if (cx.call("sched_getaffinity", ::sched_getaffinity(0, sizeof allowed, &allowed)) == 0) {
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE && cpus.size() < 2; ++cpu) {
      if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
    }
  }
  std::thread one(work);
  std::thread two(work);
  if (cpus.size() == 2) {
    pin(one, cpus[0]);
    pin(two, cpus[1]);
  }
  go.store(true);
  one.join();
  two.join();
  cx.note("2 threads x 100000 readings", std::to_string(backwards.load()) + " backwards");
  return count(backwards.load(),
               cpus.size() == 2 ? "two threads on two CPUs" : "two threads that share one CPU");
}

FactResult namespace_offset(ProbeContext& cx) {
  const auto text = read_text("/proc/self/timens_offsets");
  cx.call("read(/proc/self/timens_offsets)", text ? 0 : -1);
  if (!text) return cx.unknown("this kernel has no time namespaces, or /proc is missing");
  long long seconds = 0;
  long long nanos = 0;
  const std::size_t at = text->find("monotonic");
  if (at == std::string::npos) return null(Reason::failed, "no line for monotonic");
  char* end = nullptr;
  seconds = std::strtoll(text->c_str() + at + 9, &end, 10);
  nanos = std::strtoll(end, nullptr, 10);
  FactResult result = nanoseconds(seconds * kSecond + nanos);
  result.method = Method::sysctl;
  return result;
}

FactResult timer_slack(ProbeContext& cx) {
  const int slack = cx.call("prctl(PR_GET_TIMERSLACK)", ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
  if (slack < 0) return cx.unknown();
  const auto file = read_number("/proc/self/timerslack_ns");
  cx.note("/proc/self/timerslack_ns", file ? std::to_string(*file) : "unknown");
  if (file && *file != slack) {
    cx.disagree("prctl(PR_GET_TIMERSLACK)", std::to_string(slack), "/proc/self/timerslack_ns",
                std::to_string(*file));
  }
  FactResult result = nanoseconds(slack, "may be added to every wait of this thread");
  result.method = Method::api;
  return result;
}

FactResult source(ProbeContext& cx) {
  const auto text = read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  cx.call("read(.../clocksource0/current_clocksource)", text ? 0 : -1);
  if (!text) return cx.unknown();
  FactResult result = words(*text);
  result.method = Method::sysctl;
  return result;
}

constexpr Fact kFacts[] = {
    {"clock.monotonic.resolution", "What resolution does CLOCK_MONOTONIC declare?",
     "man 2 clock_getres", resolution, "the lower bound of every 'not early' check"},
    {"clock.monotonic.step", "What is the smallest step between two readings?",
     "man 2 clock_gettime", step, "the resolution as it is, not as declared"},
    {"clock.monotonic.coarse_resolution", "How coarse is CLOCK_MONOTONIC_COARSE?",
     "man 2 clock_gettime", coarse, "a loop that caches this clock can be this much off"},
    {"clock.monotonic.read_cost", "What does one reading cost?", "man 7 vdso", read_cost,
     "read the clock for every callback, or cache it for an iteration"},
    {"clock.monotonic.counts_suspend", "Does CLOCK_MONOTONIC count time asleep?",
     "man 2 clock_gettime", counts_suspend, "what a timeout means across a suspend"},
    {"clock.monotonic.steps_back", "How often does a reading go back between two CPUs?",
     "man 2 clock_gettime", steps_back, "broken clock sources in virtual machines"},
    {"clock.namespace_offset", "By how much is CLOCK_MONOTONIC shifted in this time namespace?",
     "man 7 time_namespaces", namespace_offset, "absolute deadlines of timerfd and io_uring"},
    {"clock.timer_slack", "How much may a wait of this thread be prolonged?",
     "man 2 prctl, PR_SET_TIMERSLACK", timer_slack, "part of the lateness of every timer"},
    {"clock.source", "Which clock source does the kernel use?",
     "kernel.org admin-guide/kernel-parameters, clocksource", source,
     "a slow source makes every reading a system call"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "clocks", .group = "B1", .facts = kFacts};

}  // namespace loopscope::probes::clocks
