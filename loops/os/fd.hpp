// UniqueFd: the owner of one descriptor, from the line that creates it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "loops/base/result.hpp"
#include "loops/os/native.hpp"

namespace loopscope::os {

/// Closes one descriptor. Reports the first error, never retries: after EINTR the number may
/// already belong to somebody else (man 2 close, NOTES).
Result<void> close_fd(NativeSocket fd);

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(NativeSocket fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, kInvalid)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, kInvalid);
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  explicit operator bool() const { return fd_ != kInvalid; }
  NativeSocket get() const { return fd_; }
  NativeSocket release() { return std::exchange(fd_, kInvalid); }
  void reset() {
    if (fd_ != kInvalid) (void)close_fd(std::exchange(fd_, kInvalid));  // Nobody to tell: E7.
  }

 private:
  NativeSocket fd_ = kInvalid;
};

/// open(2) of what exists: a file, a FIFO or a device; close-on-exec, blocking, never the
/// controlling terminal. writable: for reading and writing, else for reading.
Result<UniqueFd> open_path(const std::string& path, bool writable = false);
/// What a descriptor stands for, to tell it from a later one with the same number.
struct FdIdentity {
  std::uint64_t device = 0, inode = 0;
  friend bool operator==(FdIdentity, FdIdentity) = default;
};
Result<FdIdentity> identity_of(NativeSocket fd);
/// Does the descriptor survive exec (is FD_CLOEXEC clear)?
Result<bool> is_inheritable(NativeSocket fd);

}  // namespace loopscope::os
