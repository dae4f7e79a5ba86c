// Files as the source of a transfer, without a platform header.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "loops/base/result.hpp"
#include "loops/os/net.hpp"

namespace loopscope::os {

/// No file has a byte beyond this offset: the system counts them in a signed 64-bit number.
inline constexpr std::uint64_t kMaxFileOffset = std::numeric_limits<std::int64_t>::max();

/// Lets the system copy up to max_bytes of `file` from `offset` on into a socket, pipe or
/// terminal. The file's position stays. Never raises SIGPIPE. The file itself may block: disks
/// have no readiness.
///
/// value   bytes taken, 0 at the end of the file; nullopt: `out` would have blocked.
/// errors  not_supported where the system cannot transfer between these two by itself;
///         ESPIPE for a source without offsets; those of writing to `out`.
/// source  man 2 sendfile
Result<Transfer> sendfile(NativeSocket out, NativeSocket file, std::uint64_t offset,
                          std::size_t max_bytes);

/// The portable half of the same: reads at an offset, for a send that follows. The file's position
/// stays. Zero: the end of the file.
/// errors  EBADF, EISDIR and ESPIPE for what cannot be read so; also for an empty buffer.
/// source  POSIX.1-2017 pread()
Result<std::size_t> read_at(NativeSocket file, std::uint64_t offset, std::span<std::byte> buffer);

Result<void> set_position(NativeSocket file, std::uint64_t offset);

}  // namespace loopscope::os
