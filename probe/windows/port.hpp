// A completion port and the two sides of something to read from, for facts about completions.
#pragma once

#include <string>

#include "loops/base/error.hpp"
#include "loops/os/fd.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::windows {

inline constexpr DWORD kPatienceMs = 300;

/// The name of what the calling thread's last call failed with.
inline std::string last_error() { return error_name(os::code_of_windows(::GetLastError())); }
/// "0", or that.
inline std::string outcome(bool good) { return good ? "0" : last_error(); }

class Port {
 public:
  /// threads: that it lets run at once; 0: as many as there are processors.
  explicit Port(DWORD threads = 1)
      : handle_(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, threads)) {}
  ~Port() {
    if (handle_ != nullptr) ::CloseHandle(handle_);
  }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  HANDLE get() const { return handle_; }
  bool take(os::NativeSocket fd) const {
    return ::CreateIoCompletionPort(os::handle_of(fd), handle_, 1, 0) != nullptr;
  }
  /// Which request completed within the patience, and how; null: none.
  OVERLAPPED* wait(DWORD& error, DWORD patience_ms = kPatienceMs) const {
    DWORD count = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* done = nullptr;
    const BOOL good = ::GetQueuedCompletionStatus(handle_, &count, &key, &done, patience_ms);
    error = good != 0 ? NO_ERROR : ::GetLastError();
    return done;
  }

 private:
  HANDLE handle_;
};

}  // namespace loopscope::windows
