// Bodies that pass, fail, hang, crash and leave things behind, on purpose, on POSIX.
#include "harness/testing/self_scenarios.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace loopscope::testing {
namespace {

using namespace std::chrono_literals;

void wait_for_ever() {
  while (true) ::pause();
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

void leaks_descriptor(Context&) { (void)::dup(STDIN_FILENO); }

void leaks_signal(Context&) { ::signal(SIGUSR1, SIG_IGN); }

void leaks_mask(Context&) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void leaks_thread(Context&) { std::thread(wait_for_ever).detach(); }

void leaks_child(Context&) {
  if (::fork() == 0) wait_for_ever();
}

/// Its parent ends at once, so that nobody but the harness is left to end it.
void leave_grandchild(bool own_session) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::fork() != 0) std::_Exit(0);
    if (own_session) ::setsid();
    wait_for_ever();
  }
  int status = 0;
  (void)::waitpid(child, &status, 0);
}
void leaves_grandchild(Context&) { leave_grandchild(false); }
void leaves_daemon(Context&) { leave_grandchild(true); }

void is_noisy(Context&) {
  const std::string line(1023, 'x');
  for (int i = 0; i < 1024; ++i) std::fprintf(stderr, "%s\n", line.c_str());
}

void waits_elsewhere(Context& cx) {
  cx.loop().call_soon([&cx] {
    fd_set none;
    FD_ZERO(&none);
    timeval at_once{};
    (void)::select(0, &none, nullptr, nullptr, &at_once);
    pollfd slot{.fd = -1, .events = 0, .revents = 0};
    (void)::poll(&slot, 1, 0);
    cx.loop().stop();
  });
  cx.run_forever();
}

constexpr std::string_view kPromise = "The harness reports how this body ends.";

constexpr Scenario self(std::string_view id, void (*body)(Context&),
                        std::chrono::milliseconds limit = 10s) {
  return {.id = id,
          .promise = kPromise,
          .source = "harness/testing/self_scenarios.hpp",
          .body = body,
          .limit = limit};
}

constexpr Scenario kScenarios[] = {
    self("selftest.pass", passes),
    self("selftest.slow", is_slow),
    self("selftest.fail", fails),
    self("selftest.diverges", diverges),
    self("selftest.flaky", is_flaky),
    self("selftest.skip", skips),
    self("selftest.inconclusive", stays_inconclusive),
    self("selftest.peer_failure", throws_peer_failure),
    self("selftest.hang", hangs, 2s),
    self("selftest.hang_after_fail", hangs_after_a_failed_check, 300ms),
    self("selftest.crash", crashes),
    self("selftest.abort", aborts),
    self("selftest.exit", exits),
    self("selftest.silent", says_nothing),
    self("selftest.leak_descriptor", leaks_descriptor),
    self("selftest.leak_signal", leaks_signal),
    self("selftest.leak_mask", leaks_mask),
    self("selftest.leak_thread", leaks_thread),
    self("selftest.leak_child", leaks_child),
    self("selftest.grandchild", leaves_grandchild),
    self("selftest.daemon", leaves_daemon),
    self("selftest.noisy", is_noisy),
    self("selftest.fallback", waits_elsewhere),
};

}  // namespace

std::span<const Scenario> self_scenarios() { return kScenarios; }

}  // namespace loopscope::testing
