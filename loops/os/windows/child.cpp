// Children on Windows: a handle for each, kept from its start until its end was collected.
#include "loops/os/child.hpp"

#include <cerrno>
#include <map>
#include <mutex>

#include "loops/os/pipe.hpp"
#include "loops/os/signals.hpp"
#include "loops/os/windows/children.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::os {
namespace {

struct Table {
  std::mutex mutex;
  std::map<int, UniqueFd> processes;
};
Table& table() {
  static Table all;
  return all;
}

/// The end of the child, if it is one within `patience_ms`; forgets the child then.
std::optional<ChildEnd> wait_for(int pid, DWORD patience_ms) {
  const UniqueFd process = child_handle(pid);
  if (!process) return ChildEnd{};
  if (::WaitForSingleObject(handle_of(process.get()), patience_ms) == WAIT_TIMEOUT) {
    return std::nullopt;
  }
  UniqueFd kept;
  {
    const std::lock_guard lock(table().mutex);
    const auto found = table().processes.find(pid);
    if (found == table().processes.end()) return ChildEnd{};  // somebody was quicker
    kept = std::move(found->second);
    table().processes.erase(found);
  }
  DWORD code = 0;
  if (::GetExitCodeProcess(handle_of(kept.get()), &code) == 0) return ChildEnd{};
  return ChildEnd{static_cast<int>(code)};
}

/// RegisterWaitForSingleObject: a thread of the system's pool waits for many handles.
class WaitNotice final : public ExitNotice {
 public:
  WaitNotice(UniqueFd process, std::function<void()> ended)
      : process_(std::move(process)), ended_(std::move(ended)) {}
  ~WaitNotice() override {
    if (wait_ != nullptr) (void)::UnregisterWaitEx(wait_, INVALID_HANDLE_VALUE);
  }
  Result<void> open() {
    if (::RegisterWaitForSingleObject(&wait_, handle_of(process_.get()), on_end, this, INFINITE,
                                      WT_EXECUTEONLYONCE) == 0) {
      return windows_error("RegisterWaitForSingleObject");
    }
    return {};
  }

 private:
  static void CALLBACK on_end(void* self, BOOLEAN) { static_cast<WaitNotice*>(self)->ended_(); }
  UniqueFd process_;
  std::function<void()> ended_;
  HANDLE wait_ = nullptr;
};

}  // namespace

const int kKillSignal = 9;
const int kTerminateSignal = 15;

void keep_child(int pid, UniqueFd process) {
  const std::lock_guard lock(table().mutex);
  table().processes[pid] = std::move(process);
}

UniqueFd child_handle(int pid) {
  const std::lock_guard lock(table().mutex);
  const auto found = table().processes.find(pid);
  if (found == table().processes.end()) return {};
  Result<UniqueFd> copy = duplicate(found->second.get());
  return copy.ok() ? std::move(copy).value() : UniqueFd();
}

std::optional<ChildEnd> collect(int pid) { return wait_for(pid, 0); }
ChildEnd collect_waiting(int pid) { return wait_for(pid, INFINITE).value_or(ChildEnd{}); }

// Windows has no signals for processes: both that end one end it at once, with exit code 1, as
// Python's Popen.kill and terminate do.
Result<void> signal_child(int pid, int signum) {
  const UniqueFd process = child_handle(pid);
  if (!process || ::WaitForSingleObject(handle_of(process.get()), 0) != WAIT_TIMEOUT) {
    return errno_error_of(ESRCH, "TerminateProcess");
  }
  if (signum == 0) return {};
  if (signum != kKillSignal && signum != kTerminateSignal) {
    return errno_error_of(EINVAL, "send_signal", "Windows can only end a process");
  }
  if (::TerminateProcess(handle_of(process.get()), 1) == 0) {
    return windows_error("TerminateProcess");
  }
  return {};
}

Result<std::unique_ptr<ExitNotice>> notice_exit(int pid, std::function<void()> ended) {
  UniqueFd process = child_handle(pid);
  if (!process) return errno_error_of(ESRCH, "RegisterWaitForSingleObject");
  auto notice = std::make_unique<WaitNotice>(std::move(process), std::move(ended));
  if (const Result<void> opened = notice->open(); !opened.ok()) return opened.error();
  return std::unique_ptr<ExitNotice>(std::move(notice));
}

}  // namespace loopscope::os
