// Measuring the clocks and waits of Windows: how far a clock steps, and how long the shortest waits
// take, with and without a faster tick.
#include <algorithm>
#include <thread>
#include <vector>

#include "loops/base/clock.hpp"
#include "loops/os/windows/winsock.hpp"
// After windows.h.
#include <timeapi.h>

#include "probe/probe_context.hpp"
#include "probe/windows/answers.hpp"

namespace loopscope::windows {
namespace {

std::vector<double> sleeps_of_1ms(int rounds) {
  std::vector<double> samples;
  for (int i = 0; i < rounds; ++i) {
    const TimePoint begin = now();
    ::Sleep(1);
    samples.push_back(static_cast<double>((now() - begin).count()));
  }
  return samples;
}

double middle(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

/// The step of GetTickCount64, which follows the system's tick.
FactResult tick(ProbeContext& cx) {
  std::vector<double> steps;
  ULONGLONG last = ::GetTickCount64();
  const TimePoint end = now() + std::chrono::milliseconds(300);
  while (now() < end) {
    const ULONGLONG read = ::GetTickCount64();
    if (read != last) steps.push_back(static_cast<double>(read - last) * 1e6);
    last = read;
  }
  LARGE_INTEGER frequency{};
  (void)::QueryPerformanceFrequency(&frequency);
  cx.note("QueryPerformanceFrequency", std::to_string(frequency.QuadPart) + " Hz");
  // Not in every SDK's headers.
  using Ask = LONG(WINAPI*)(ULONG*, ULONG*, ULONG*);
  const auto ask = reinterpret_cast<Ask>(reinterpret_cast<void*>(
      ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "NtQueryTimerResolution")));
  ULONG longest = 0, shortest = 0, current = 0;  // in 100 ns
  if (ask != nullptr) (void)ask(&longest, &shortest, &current);
  cx.note("NtQueryTimerResolution, longest, shortest and current",
          std::to_string(longest * 100) + ", " + std::to_string(shortest * 100) + ", " +
              std::to_string(current * 100) + " ns");
  FILETIME first{}, second{};
  ::GetSystemTimePreciseAsFileTime(&first);
  do {
    ::GetSystemTimePreciseAsFileTime(&second);
  } while (second.dwLowDateTime == first.dwLowDateTime);
  cx.note("step of GetSystemTimePreciseAsFileTime",
          std::to_string((second.dwLowDateTime - first.dwLowDateTime) * 100) + " ns");
  return median_of(std::move(steps), Unit::nanoseconds, "step of GetTickCount64");
}

FactResult time_begin_period(ProbeContext& cx) {
  const double before = middle(sleeps_of_1ms(20));
  const MMRESULT set = ::timeBeginPeriod(1);
  const double after = middle(sleeps_of_1ms(20));
  if (set == TIMERR_NOERROR) (void)::timeEndPeriod(1);
  cx.note("Sleep(1) by default", std::to_string(static_cast<long long>(before)) + " ns");
  cx.note("timeBeginPeriod(1)", std::to_string(set));
  cx.note("Sleep(1) after it", std::to_string(static_cast<long long>(after)) + " ns");
  const bool shorter = after < before * 0.75;
  return words(shorter ? "shorter waits" : "nothing", "Sleep(1): " + std::to_string(before / 1e6) +
                                                          " ms, then " +
                                                          std::to_string(after / 1e6) + " ms");
}

FactResult high_resolution(ProbeContext& cx) {
#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
  constexpr DWORD CREATE_WAITABLE_TIMER_HIGH_RESOLUTION = 2;
#endif
  HANDLE timer = ::CreateWaitableTimerExW(nullptr, nullptr, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION,
                                          TIMER_ALL_ACCESS);
  if (timer == nullptr) {
    cx.note("CreateWaitableTimerEx(HIGH_RESOLUTION)",
            error_name(os::code_of_windows(::GetLastError())));
    return no(Reason::invalid);
  }
  std::vector<double> samples;
  for (int i = 0; i < 30; ++i) {
    LARGE_INTEGER due{};
    due.QuadPart = -5000;  // 0.5 ms from now, in 100 ns
    const TimePoint begin = now();
    (void)::SetWaitableTimer(timer, &due, 0, nullptr, nullptr, FALSE);
    (void)::WaitForSingleObject(timer, 1000);
    samples.push_back(static_cast<double>((now() - begin).count()));
  }
  ::CloseHandle(timer);
  return median_of(std::move(samples), Unit::nanoseconds, "a wait of 0.5 ms");
}

FactResult wait_completion_packet(ProbeContext& cx) {
  const bool there = ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"),
                                      "NtAssociateWaitCompletionPacket") != nullptr;
  cx.note("GetProcAddress(NtAssociateWaitCompletionPacket)", there ? "found" : "not found");
  return there ? yes() : no(Reason::not_implemented);
}

/// How much earlier than asked a wait on a port has ended, the greatest of many.
FactResult early_return(ProbeContext&) {
  HANDLE port = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1);
  if (port == nullptr) return null(Reason::failed);
  std::int64_t earliest = 0;
  for (const DWORD wait_ms : {1, 2, 5, 10, 16}) {
    for (int i = 0; i < 5; ++i) {
      DWORD size = 0;
      ULONG_PTR key = 0;
      OVERLAPPED* none = nullptr;
      const TimePoint due = now() + std::chrono::milliseconds(wait_ms);
      (void)::GetQueuedCompletionStatus(port, &size, &key, &none, wait_ms);
      earliest = std::max<std::int64_t>(earliest, (due - now()).count());
    }
  }
  ::CloseHandle(port);
  return nanoseconds(earliest);
}

/// Has a wait of so many milliseconds not ended by itself at once?
bool waits_for(ProbeContext& cx, HANDLE port, DWORD wait_ms) {
  bool told = false;
  std::thread waiter([&] {
    DWORD size = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* none = nullptr;
    told = ::GetQueuedCompletionStatus(port, &size, &key, &none, wait_ms) != 0;
  });
  ::Sleep(40);
  (void)::PostQueuedCompletionStatus(port, 0, 1, nullptr);
  waiter.join();
  cx.note("GetQueuedCompletionStatus(" + std::to_string(wait_ms) + " ms)",
          told ? "waits" : "ends at once");
  return told;
}

FactResult longest_wait(ProbeContext& cx) {
  HANDLE port = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1);
  if (port == nullptr) return null(Reason::failed);
  std::int64_t longest = 0;
  // One below what stands for no limit.
  constexpr DWORD kWaits[] = {100'000'000, 0x7FFF'FFFF, 0x8000'0000, INFINITE - 1};
  for (const DWORD wait_ms : kWaits) {
    if (!waits_for(cx, port, wait_ms)) break;
    longest = static_cast<std::int64_t>(wait_ms) * 1'000'000;
  }
  ::CloseHandle(port);
  return nanoseconds(longest);
}

/// The clock that the loops read: how often it counts, and how far two readings are apart.
FactResult clock_resolution(ProbeContext& cx) {
  LARGE_INTEGER frequency{};
  const BOOL asked = ::QueryPerformanceFrequency(&frequency);
  cx.note("QueryPerformanceFrequency", std::to_string(frequency.QuadPart) + " Hz");
  if (asked == 0 || frequency.QuadPart == 0) return null(Reason::failed);
  FactResult result = nanoseconds(1'000'000'000 / frequency.QuadPart, "of QueryPerformanceCounter");
  result.method = Method::api;
  return result;
}

FactResult clock_step(ProbeContext&) {
  std::int64_t least = INT64_MAX;
  TimePoint last = now();
  for (int i = 0; i < 100'000; ++i) {
    const TimePoint read = now();
    if (read != last) least = std::min<std::int64_t>(least, (read - last).count());
    last = read;
  }
  return least == INT64_MAX ? null(Reason::failed) : nanoseconds(least);
}

FactResult clock_cost(ProbeContext&) {
  constexpr int kReads = 100'000;
  const TimePoint begin = now();
  for (int i = 0; i < kReads; ++i) (void)now();
  return nanoseconds((now() - begin).count() / kReads);
}

constexpr PlatformAnswer kTimerAnswers[] = {
    {"clock.monotonic.resolution", clock_resolution},
    {"clock.monotonic.step", clock_step},
    {"clock.monotonic.read_cost", clock_cost},
    {"wait.early_return", early_return},
    {"wait.max_timeout.gqcs", longest_wait},
    {"timer.win.tick", tick},
    {"timer.win.timeBeginPeriod_effect", time_begin_period},
    {"timer.win.high_resolution_waitable", high_resolution},
    {"timer.win.wait_completion_packet", wait_completion_packet},
};

}  // namespace

std::span<const PlatformAnswer> timer_answers() { return kTimerAnswers; }

}  // namespace loopscope::windows
