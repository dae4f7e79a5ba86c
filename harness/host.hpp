// What the harness asks of the operating system about its own process. One file per platform.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "loops/base/clock.hpp"
#include "loops/base/result.hpp"
#include "loops/os/native.hpp"

namespace loopscope::host {

/// Raises the soft descriptor limit to the hard one; the limit in force afterwards.
std::size_t raise_descriptor_limit();
Result<void> lower_descriptor_limit(std::size_t limit);
/// Ascending; without the descriptor that this call itself needs.
std::vector<os::NativeSocket> open_descriptors();
/// CPU time of the calling thread.
Duration thread_cpu_time();
/// CPU time of the whole process, and its greatest resident size in bytes.
Duration process_cpu_time();
std::size_t max_resident_bytes();
/// A new private directory: below TMPDIR, /tmp or the working directory.
Result<std::string> make_temp_dir(std::string_view prefix);
/// Removes a directory and what it holds; a directory that has gone is no error.
void remove_tree(const std::string& path);
/// What a descriptor refers to: "pipe:[4711]", "/dev/null"; empty when unknown.
std::string describe_descriptor(os::NativeSocket fd);
/// "file+0x12 mangled" as a reader wants it: with the name of the function.
std::string demangled_frame(const std::string& frame);
/// What the kernel tells of an epoll or io_uring descriptor: "watches 3 descriptors".
std::string describe_wait_queue(os::NativeSocket fd);
/// "signal 11 (Segmentation fault)".
std::string describe_signal(int number);
/// Opens /dev/null on those of the three standard descriptors that are closed: what is opened later
/// must not get their numbers.
void ensure_standard_descriptors();
/// Makes this process die with its parent; false when the parent has gone already.
bool die_with_parent(long parent_pid);
long process_id();
/// Ends the process at once: no destructors, no handlers of exit().
[[noreturn]] void leave_now(int code);
void set_environment(const std::string& name, const std::string& value);
/// No core files from this process: crashes are wanted here, and have their own report.
void forbid_core_files();

/// Notes SIGINT, SIGTERM and SIGHUP instead of dying of them, and ignores SIGPIPE. A second one of
/// them ends the process at once. interrupted_by: the number of the signal, 0 while there was none.
void note_interruptions();
int interrupted_by();

/// A descriptor is a terminal that understands cursor movements and colours (TERM is not "dumb").
bool is_terminal(int fd);
int terminal_width(int fd);  // 80 when unknown
std::size_t descriptor_limit();
/// Seconds of the wall clock as "2026-11-21T11:00:00Z".
std::string utc_now();

}  // namespace loopscope::host
