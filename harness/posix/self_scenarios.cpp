// Bodies that leave things behind, on purpose, on POSIX.
#include "harness/testing/self_scenarios.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

namespace loopscope::testing {
namespace {

void sleep_for_ever() {
  while (true) ::pause();
}

void leaks_descriptor(Context&) { (void)::dup(STDIN_FILENO); }

void leaks_signal(Context&) { ::signal(SIGUSR1, SIG_IGN); }

void leaks_mask(Context&) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void leaks_thread(Context&) { std::thread(sleep_for_ever).detach(); }

void leaks_child(Context&) {
  if (::fork() == 0) sleep_for_ever();
}

/// Its parent ends at once, so that nobody but the harness is left to end it.
void leave_grandchild(bool own_session) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::fork() != 0) std::_Exit(0);
    if (own_session) ::setsid();
    sleep_for_ever();
  }
  int status = 0;
  (void)::waitpid(child, &status, 0);
}
void leaves_grandchild(Context&) { leave_grandchild(false); }
void leaves_daemon(Context&) { leave_grandchild(true); }

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

constexpr Scenario kOfPlatform[] = {
    self_scenario("selftest.leak_descriptor", leaks_descriptor),
    self_scenario("selftest.leak_signal", leaks_signal),
    self_scenario("selftest.leak_mask", leaks_mask),
    self_scenario("selftest.leak_thread", leaks_thread),
    self_scenario("selftest.leak_child", leaks_child),
    self_scenario("selftest.grandchild", leaves_grandchild),
    self_scenario("selftest.daemon", leaves_daemon),
    self_scenario("selftest.fallback", waits_elsewhere),
};

}  // namespace

std::span<const Scenario> platform_self_scenarios() { return kOfPlatform; }

}  // namespace loopscope::testing
