// Interruptions and consoles on Windows.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "harness/host.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::host {
namespace {

std::atomic<int> g_interrupted_by{0};

/// On a thread that the system makes for it.
BOOL WINAPI on_control(DWORD event) {
  const int number = event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT ? SIGINT : SIGTERM;
  int none = 0;
  // Somebody who asks twice is not to wait for children and reports.
  if (!g_interrupted_by.compare_exchange_strong(none, number)) leave_now(128 + number);
  return TRUE;
}

HANDLE console_of(int fd) { return ::GetStdHandle(fd == 1 ? STD_OUTPUT_HANDLE : STD_ERROR_HANDLE); }

}  // namespace

void note_interruptions() { (void)::SetConsoleCtrlHandler(on_control, TRUE); }
int interrupted_by() { return g_interrupted_by.load(); }

bool is_terminal(int fd) {
  DWORD mode = 0;
  return ::GetConsoleMode(console_of(fd), &mode) != 0 &&
         ::SetConsoleMode(console_of(fd), mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0;
}

int terminal_width(int fd) {
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (::GetConsoleScreenBufferInfo(console_of(fd), &info) == 0) return 80;
  return info.srWindow.Right - info.srWindow.Left + 1;
}

std::string utc_now() {
  SYSTEMTIME now{};
  ::GetSystemTime(&now);
  char text[32];
  const int size = std::snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02uZ", now.wYear,
                                 now.wMonth, now.wDay, now.wHour, now.wMinute, now.wSecond);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace loopscope::host
