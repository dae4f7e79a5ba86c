// File tools: what scenarios of sendfile need of the platform, behind plain functions.
#pragma once

#include <cstdint>

#include "loops/os/fd.hpp"

namespace loopscope::tools {

// All throw Failure where the system refuses: that is the host's trouble, not the subject's.

/// A file in memory without a name, all zeros; it occupies what is written to it. Linux.
os::UniqueFd sparse_file(std::uint64_t size_bytes);
void truncate(os::NativeSocket file, std::uint64_t size_bytes);
/// Where the next read(2) of the file would begin.
std::uint64_t position(os::NativeSocket file);
/// Opens a descriptor for appending (O_APPEND), into which Linux refuses to transfer by itself
/// (sendfile(2): EINVAL). Sockets and pipes work on otherwise.
void refuse_native_transfer(os::NativeSocket out);
/// Throws away what comes to a blocking TCP socket until its end, uncopied. The bytes there were.
std::uint64_t discard_until_end(os::NativeSocket socket);

}  // namespace loopscope::tools
