// Forked over fork(2).
#include "harness/tools/forked.hpp"

#include <unistd.h>

#include "harness/tools/signal_tools.hpp"
#include "loops/base/error.hpp"

namespace loopscope::tools {

int in_forked_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child < 0) throw Failure(errno_error("fork"));
  if (child == 0) {
    int status = 255;
    try {
      status = work();
    } catch (...) {
      // 255 says so.
    }
    ::_exit(status);
  }
  return wait_for_child(child);
}

}  // namespace loopscope::tools
