// Measuring the clocks and waits of Windows: how far a clock steps, and how long the shortest waits
// take, with and without a faster tick.
#include <algorithm>
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

constexpr PlatformAnswer kTimerAnswers[] = {
    {"wait.early_return", early_return},
    {"timer.win.tick", tick},
    {"timer.win.timeBeginPeriod_effect", time_begin_period},
    {"timer.win.high_resolution_waitable", high_resolution},
    {"timer.win.wait_completion_packet", wait_completion_packet},
};

}  // namespace

std::span<const PlatformAnswer> timer_answers() { return kTimerAnswers; }

}  // namespace loopscope::windows
