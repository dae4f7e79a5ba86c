// Process tools: what scenarios about children need of the platform, behind plain functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "loops/os/fd.hpp"

namespace loopscope::tools {

// All but the questions throw Failure where the system refuses: the host's trouble.

/// Returns when some child of this process has ended and waits to be collected; leaves it there.
void wait_until_some_child_ended();
/// The same for one child; false when it was collected already.
bool wait_until_ended(long child);
/// Has it ended, and waits to be collected?
bool has_ended(long child);
/// Returns when the child is stopped.
void wait_until_stopped(long child);
/// Returns when this process, of whomever, has ended.
void wait_until_gone(long process);
/// Children of this process, those that were not collected included.
std::size_t child_count();

/// Makes `number` mean what `fd` means, inheritable.
void replace_descriptor(int number, os::NativeSocket fd);
void make_inheritable(os::NativeSocket fd);
/// "pipe:[4711]": what a descriptor of this process is.
std::string link_of(os::NativeSocket fd);

/// Memory in small pages, all of which were written.
class TouchedMemory {
 public:
  explicit TouchedMemory(std::size_t size_bytes);
  ~TouchedMemory();
  TouchedMemory(const TouchedMemory&) = delete;
  TouchedMemory& operator=(const TouchedMemory&) = delete;
  std::size_t pages() const;
  /// Writes to every page again. How many pages had to be faulted in for that.
  std::size_t touch();

 private:
  void* memory_;
  std::size_t size_;
};

}  // namespace loopscope::tools
