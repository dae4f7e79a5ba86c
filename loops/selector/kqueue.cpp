// The loop `kqueue` of macOS and the BSDs.
#include "loops/common/tls_engine.hpp"
#include "loops/selector/kqueue_loop.hpp"

namespace loopscope {
namespace {

Result<std::unique_ptr<EventLoop>> make_loop(const LoopOptions& options) {
  KernelQueueResult queue = open_kernel_queue();
  if (!queue.ok()) return queue.error();
  auto loop = KqueueLoop::make(options, std::move(queue).value());
  if (!loop.ok()) return loop.error();
  return std::unique_ptr<EventLoop>(std::move(loop).value());
}

constexpr std::string_view kWaitCalls[] = {"kevent", "pselect"};

}  // namespace

namespace loops {
extern const LoopDescriptor kqueue_loop{.name = "kqueue",
                                        .family = Family::selector,
                                        .mechanism = "kevent",
                                        .native = kSelectorCaps | kTlsCaps,
                                        .absences = kTlsAbsences,
                                        .wait_calls = kWaitCalls,
                                        .make = make_loop};
}  // namespace loops
}  // namespace loopscope
