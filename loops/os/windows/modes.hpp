// Modes: which handles of this process are non-blocking, and which are new under an old number,
// because Windows cannot be asked.
#pragma once

#include "loops/os/native.hpp"

namespace loopscope::os {

/// What set_blocking and open_socket have said of a handle; blocking when they have said nothing,
/// as every socket and pipe is at first. thread: any.
bool known_blocking(NativeSocket fd) noexcept;
void remember_blocking(NativeSocket fd, bool blocking);
/// How often close_fd has closed something with this number: tells a handle from an earlier one.
std::uint64_t closes_of(NativeSocket fd) noexcept;
/// For close_fd: forgets the mode, counts the close.
void note_close(NativeSocket fd) noexcept;

}  // namespace loopscope::os
