// io_uring(7) as a Proactor: what is asked for is put into a ring in memory that the kernel shares,
// and one system call gives it all and takes what is over. Linux with liburing only.
#pragma once

#include <memory>
#include <string>

#include "loops/descriptor.hpp"
#include "loops/proactor/proactor.hpp"

namespace loopscope {

namespace uring {

/// What /proc/self/fd/N of descriptor() says, and the name of the wait call.
inline constexpr std::string_view kDescriptorKind = "anon_inode:[io_uring]";
inline constexpr std::string_view kWaitCall = "io_uring_enter";

/// What a test chooses and a loop leaves alone.
struct Sizes {
  unsigned submissions = 256;      // entries of the submission ring
  unsigned completions = 2048;     // of the completion ring; what does not fit waits in the kernel
  unsigned buffers = 128;          // a power of two, at most 32768
  std::size_t buffer = 16 * 1024;  // bytes of one
};

/// As make_io_uring_proactor, with sizes of one's own.
Result<std::unique_ptr<Proactor>> make(UringLevel level, const Sizes& sizes);

}  // namespace uring

/// The first level that works here, or the one that options.uring names.
///
/// errors  The errno of what the system refused, with the cause as far as it leaves evidence, and
///         the remedy, in the detail. Never falls back to another mechanism.
Result<std::unique_ptr<Proactor>> make_io_uring_proactor(const LoopOptions& options);

}  // namespace loopscope
