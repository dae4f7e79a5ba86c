// Bodies that pass, fail, hang and crash, on purpose, on every platform.
#include "harness/testing/self_scenarios.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace loopscope::testing {
namespace {

using namespace std::chrono_literals;

void wait_for_ever() {
  while (true) std::this_thread::sleep_for(1h);
}

void passes(Context& cx) {
  cx.loop().call_soon([&cx] {
    cx.mark("ran");
    cx.loop().stop();
  });
  cx.run_forever();
  cx.expect_trace({"ran"});
  cx.note("answer", 42.0, "count");
}

void knows_its_limit(Context& cx) {
  cx.note("limit", static_cast<double>(cx.limit().count()), "ns");
}

/// Busy for long enough that a test can act meanwhile.
void is_slow(Context& cx) {
  cx.loop().call_later(50ms, [&cx] { cx.loop().stop(); });
  cx.run_forever();
}

void fails(Context& cx) {
  cx.mark("before");
  cx.equal(1, 2, "one is two");
}

void is_flaky(Context& cx) {
  if (cx.seed() % 2 == 0) cx.diverges("even_seed", "an odd seed", "an even one");
}

void diverges(Context& cx) { cx.diverges("other_order", "a, b", "b, a"); }

void skips(Context& cx) { cx.skip("asked to"); }

void stays_inconclusive(Context& cx) { cx.inconclusive("asked to"); }

void throws_peer_failure(Context& cx) {
  Peer peer = cx.tcp_listener();
  (void)peer.recv(1);  // ENOTCONN: the harness's own mistake
}

void hangs(Context& cx) {
  cx.mark("about to hang");
  cx.loop().call_soon([] { wait_for_ever(); });
  cx.run_forever();
}

void hangs_after_a_failed_check(Context& cx) {
  try {
    cx.equal(1, 2, "one is two");
  } catch (const CheckFailed&) {
    wait_for_ever();
  }
}

void crashes(Context& cx) {
  cx.mark("about to crash");
  volatile int* nowhere = nullptr;
  *nowhere = 1;  // NOLINT: the point of it
}

void aborts(Context&) { std::abort(); }

void exits(Context&) { std::_Exit(7); }

void says_nothing(Context&) { std::_Exit(0); }

void is_noisy(Context&) {
  const std::string line(1023, 'x');
  for (int i = 0; i < 1024; ++i) std::fprintf(stderr, "%s\n", line.c_str());
}

constexpr Scenario kScenarios[] = {
    self_scenario("selftest.pass", passes),
    self_scenario("selftest.limit", knows_its_limit, 7s),
    self_scenario("selftest.slow", is_slow),
    self_scenario("selftest.fail", fails),
    self_scenario("selftest.diverges", diverges),
    self_scenario("selftest.flaky", is_flaky),
    self_scenario("selftest.skip", skips),
    self_scenario("selftest.inconclusive", stays_inconclusive),
    self_scenario("selftest.peer_failure", throws_peer_failure),
    self_scenario("selftest.hang", hangs, 2s),
    self_scenario("selftest.hang_after_fail", hangs_after_a_failed_check, 300ms),
    self_scenario("selftest.crash", crashes),
    self_scenario("selftest.abort", aborts),
    self_scenario("selftest.exit", exits),
    self_scenario("selftest.silent", says_nothing),
    self_scenario("selftest.noisy", is_noisy),
};

}  // namespace

std::span<const Scenario> self_scenarios() {
  static const std::vector<Scenario> all = [] {
    std::vector<Scenario> joined(std::begin(kScenarios), std::end(kScenarios));
    const std::span<const Scenario> more = platform_self_scenarios();
    joined.insert(joined.end(), more.begin(), more.end());
    return joined;
  }();
  return all;
}

}  // namespace loopscope::testing
