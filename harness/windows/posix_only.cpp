// Tools that stand on fork(2), termios(3), interval timers or /proc: none of them on Windows.
#include "harness/tools/accept_faults.hpp"
#include "harness/tools/forked.hpp"
#include "harness/tools/inheritance.hpp"
#include "harness/tools/job_control.hpp"
#include "harness/tools/signal_storm.hpp"
#include "harness/windows/lacking.hpp"

namespace loopscope::tools {

int in_forked_child(const std::function<int()>&) { windows::lacks("fork"); }
int in_daemon(const std::function<int()>&) { windows::lacks("fork"); }
std::vector<int> descriptors_after_exec() { windows::lacks("execve"); }
void epoll_remove(os::NativeSocket, os::NativeSocket) { windows::lacks("epoll"); }
JobStory in_background_of(os::NativeSocket, const std::function<int()>&) {
  windows::lacks("job control");
}

void fail_accepts(const std::vector<int>&) { windows::lacks("interposed functions"); }
std::size_t accept_failures_left() { return 0; }

SignalStorm::SignalStorm(Duration) { windows::lacks("setitimer"); }
SignalStorm::~SignalStorm() = default;
int SignalStorm::interruptions() const { return 0; }

}  // namespace loopscope::tools
