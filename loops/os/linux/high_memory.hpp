// Memory that a 32-bit kernel does not keep mapped.
#pragma once

namespace loopscope::os {

/// Whether pages of this process may lie in high memory: HighTotal of /proc/meminfo, which kernels
/// of 64 bits do not have.
///
/// A ring of buffers must not be registered then. Kernels without "io_uring/kbuf: don't allow
/// registered buffer rings on highmem pages" accept it, and follow a null pointer at the first
/// receive, which can take the machine with it (seen on Debian's 6.1.0-50-rt-686-pae).
/// meminfo  The kernel's, or a copy.
bool has_high_memory(const char* meminfo = "/proc/meminfo");

}  // namespace loopscope::os
