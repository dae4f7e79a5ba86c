// The loop `kqueue` of macOS and the BSDs.
#include "loops/common/tls_engine.hpp"
#include "loops/selector/kqueue_loop.hpp"

namespace loopscope {
namespace {

constexpr std::string_view kWaitCalls[] = {"kevent", "pselect"};

}  // namespace

namespace loops {
extern const LoopDescriptor kqueue_loop{.name = "kqueue",
                                        .family = Family::selector,
                                        .mechanism = "kevent",
                                        .native = kSelectorCaps | kTlsCaps,
                                        .absences = kTlsAbsences,
                                        .wait_calls = kWaitCalls,
                                        .make = make_selector_loop<open_kernel_queue, KqueueLoop>};
}  // namespace loops
}  // namespace loopscope
