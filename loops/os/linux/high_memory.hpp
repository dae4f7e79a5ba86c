// Memory that a 32-bit kernel does not keep mapped.
#pragma once

namespace loopscope::os {

/// Whether pages of this process may lie in high memory. Kernels of 64 bits have none, and nothing
/// is read for their programs.
///
/// A ring of buffers must not be registered then. Kernels without "io_uring/kbuf: don't allow
/// registered buffer rings on highmem pages" accept it, and follow a null pointer at the first
/// receive, which can take the machine with it (seen on Debian's 6.1.0-50-rt-686-pae).
bool has_high_memory();

/// Whether /proc/meminfo, or a copy of it, has a HighTotal above 0.
bool tells_of_high_memory(const char* meminfo);

}  // namespace loopscope::os
