// Why the system refuses an io_uring, as far as it leaves evidence.
#pragma once

#include <optional>
#include <string>

#include "loops/base/result.hpp"

namespace loopscope::uring {

/// What the system shows of its reasons. Empty: it shows nothing.
struct Evidence {
  std::optional<long> disabled{};  // kernel.io_uring_disabled; since Linux 6.6
  std::optional<long> group{};     // kernel.io_uring_group; -1: none
  std::optional<long> seccomp{};   // Seccomp of /proc/self/status; 0: no filter
  std::optional<unsigned long long> descriptors{}, locked_bytes{};  // soft limits
  std::string kernel{};                                             // uname
};

Evidence gather_evidence();

/// `refused` with its cause and the remedy in the detail. Pure.
Error explain_refusal(const Error& refused, const Evidence& evidence);

}  // namespace loopscope::uring
