// Signal tools on Windows: the signals of the C runtime, which raise() delivers before it returns.
#include "harness/tools/signal_tools.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

#include "harness/child.hpp"
#include "harness/windows/lacking.hpp"
#include "loops/os/child.hpp"
#include "loops/os/spawn.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::tools {
namespace {

using Handler = void (*)(int);
std::atomic<int> g_counted{0};

void count_one(int) { ++g_counted; }

/// What handles it now. To ask is to set, here.
Handler handler_of(int signum) {
  const Handler present = std::signal(signum, SIG_IGN);
  if (present == SIG_ERR) windows::lacks("signal " + std::to_string(signum));
  (void)std::signal(signum, present);
  return present;
}

}  // namespace

const int kUserSignal = SIGTERM;
const int kOtherSignal = SIGBREAK;
const int kBrokenPipeSignal = 0;
const int kHangupSignal = 0, kStopSignal = 0, kContinueSignal = 0, kChildSignal = 0;

void raise_here(int signum) {
  if (std::raise(signum) != 0) windows::lacks("signal " + std::to_string(signum));
}
void raise_in_process(int signum) { raise_here(signum); }

long thread_id() { return static_cast<long>(::GetCurrentThreadId()); }

// No call tells whether a thread waits. Its time on a processor stands still when it does.
void wait_until_asleep(long thread) {
  HANDLE handle = ::OpenThread(THREAD_QUERY_INFORMATION, FALSE, static_cast<DWORD>(thread));
  if (handle == nullptr) return;
  ULONGLONG before = ~ULONGLONG{0};
  for (int i = 0, quiet = 0; i < 200 && quiet < 3; ++i) {
    FILETIME born{}, ended{}, kernel{}, user{};
    (void)::GetThreadTimes(handle, &born, &ended, &kernel, &user);
    const ULONGLONG used = (ULONGLONG{kernel.dwHighDateTime} << 32 | kernel.dwLowDateTime) +
                           (ULONGLONG{user.dwHighDateTime} << 32 | user.dwLowDateTime);
    quiet = used == before ? quiet + 1 : 0;
    before = used;
    ::Sleep(10);
  }
  ::CloseHandle(handle);
}

std::string disposition(int signum) {
  const Handler present = handler_of(signum);
  return present == SIG_DFL ? "default" : present == SIG_IGN ? "ignore" : "handler";
}

std::vector<int> blocked_signals() { return {}; }
int signals_blocked_in_child() { windows::lacks("signal masks"); }

int errno_after_raise(int signum, int before) {
  errno = before;
  (void)std::raise(signum);
  return errno;
}

int raise_in_child(int) { windows::lacks("fork"); }

long start_child(int exit_code) {
  os::SpawnRequest request;
  request.argv = os::shell_words("exit " + std::to_string(exit_code));
  const Result<int> pid = os::spawn(request);
  if (!pid.ok()) throw Failure(pid.error());
  return *pid;
}

int wait_for_child(long child) {
  return os::collect_waiting(static_cast<int>(child)).code.value_or(-1000);
}

Blocked::Blocked(int) : signum_(0) { windows::lacks("signal masks"); }
Blocked::~Blocked() = default;

Disposition::Disposition(int signum, Kind kind) : signum_(signum) {
  const Handler previous = std::signal(signum, kind == Kind::standard ? SIG_DFL : &count_one);
  if (previous == SIG_ERR) windows::lacks("signal " + std::to_string(signum));
  std::memcpy(storage_, &previous, sizeof previous);
}
Disposition::~Disposition() {
  Handler previous = nullptr;
  std::memcpy(&previous, storage_, sizeof previous);
  (void)std::signal(signum_, previous);
}
int Disposition::count() { return g_counted.load(); }

void append_handler(int, void (*)(int)) { windows::lacks("sigaction"); }
void restart_calls_after(int) {}

}  // namespace loopscope::tools
