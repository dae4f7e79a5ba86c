// Bodies that leave things behind, on purpose, on Windows.
#include "harness/testing/self_scenarios.hpp"

#include <csignal>
#include <thread>

#include "harness/child.hpp"
#include "loops/os/spawn.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::testing {
namespace {

using namespace std::chrono_literals;

void leaks_descriptor(Context& cx) { (void)os::duplicate(cx.pipe().read.get()).value().release(); }

void leaks_signal(Context&) { (void)std::signal(SIGTERM, SIG_IGN); }

DWORD WINAPI sleep_for_ever(void*) {
  ::Sleep(INFINITE);
  return 0;
}

// Not a std::thread: detaching one hangs with winpthreads.
void leaks_thread(Context&) {
  ::CloseHandle(::CreateThread(nullptr, 0, sleep_for_ever, nullptr, 0, nullptr));
}

/// A cell that hangs, beside no parent that would end it.
void leaks_child(Context&) {
  os::SpawnRequest request;
  request.argv = {own_executable().value(), "cell", "--loop", "select", "--scenario",
                  "selftest.hang"};
  (void)os::spawn(request).value();
}

constexpr Scenario kOfPlatform[] = {
    self_scenario("selftest.leak_descriptor", leaks_descriptor),
    self_scenario("selftest.leak_signal", leaks_signal),
    self_scenario("selftest.leak_thread", leaks_thread),
    self_scenario("selftest.leak_child", leaks_child),
};

}  // namespace

std::span<const Scenario> platform_self_scenarios() { return kOfPlatform; }

}  // namespace loopscope::testing
