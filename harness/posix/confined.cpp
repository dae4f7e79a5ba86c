// Confined children over seccomp(2) and time_namespaces(7).
#include "harness/tools/confined.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "loops/os/fd.hpp"
#include "loops/os/linux/refused_call.hpp"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace loopscope::tools {
namespace {

/// Children of this process, made from now on, have a clock that is ahead.
bool set_clock_of_children(std::chrono::seconds offset) {
  if (::unshare(CLONE_NEWTIME) != 0) return false;
  const os::UniqueFd offsets(::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
  const std::string line = "monotonic " + std::to_string(offset.count()) + " 0\n";
  return offsets && ::write(offsets.get(), line.data(), line.size()) > 0;
}

}  // namespace

int in_child_without(UringCall call, int error, const std::function<int()>& work) {
  const unsigned number = call == UringCall::setup ? SYS_io_uring_setup : SYS_io_uring_enter;
  return in_forked_child([&] {
    return os::refuse_call(number, static_cast<unsigned>(error)) ? work() : kNotConfined;
  });
}

int in_time_namespace(std::chrono::seconds offset, const std::function<int()>& work) {
  return in_forked_child(
      [&] { return set_clock_of_children(offset) ? in_forked_child(work) : kNotConfined; });
}

}  // namespace loopscope::tools
