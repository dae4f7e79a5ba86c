// What the harness asks of the operating system about its own process. One file per platform.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"

namespace loopscope::host {

/// Raises the soft descriptor limit to the hard one; the limit in force afterwards.
std::size_t raise_descriptor_limit();
Result<void> lower_descriptor_limit(std::size_t limit);
/// Ascending; without the descriptor that this call itself needs.
std::vector<int> open_descriptors();
/// CPU time of the calling thread.
Duration thread_cpu_time();
/// CPU time of the whole process, and its greatest resident size in bytes.
Duration process_cpu_time();
std::size_t max_resident_bytes();
/// A new private directory below TMPDIR or /tmp.
Result<std::string> make_temp_dir(std::string_view prefix);
/// Removes a directory and what it holds; a directory that has gone is no error.
void remove_tree(const std::string& path);
/// What a descriptor refers to: "pipe:[4711]", "/dev/null"; empty when unknown.
std::string describe_descriptor(int fd);
/// What the kernel tells of an epoll or io_uring descriptor: "watches 3 descriptors".
std::string describe_wait_queue(int fd);
/// Opens /dev/null on those of the three standard descriptors that are closed: what is opened later
/// must not get their numbers.
void ensure_standard_descriptors();
/// Makes this process die with its parent; false when the parent has gone already.
bool die_with_parent(long parent_pid);
/// Ends the process at once: no destructors, no handlers of exit().
[[noreturn]] void leave_now(int code);
void set_environment(const std::string& name, const std::string& value);
/// No core files from this process: crashes are wanted here, and have their own report.
void forbid_core_files();

}  // namespace loopscope::host
