// The io_uring loop: its row.
#include "loops/common/tls_engine.hpp"
#include "loops/proactor/io_uring.hpp"
#include "loops/proactor/proactor_loop.hpp"

namespace loopscope::loops {

/// The monitor of wait calls does not see io_uring_enter, which is no function of libc; any other
/// wait that it does see is a silent fallback.
constexpr std::string_view kUringWaits[] = {uring::kWaitCall};

extern const LoopDescriptor io_uring_loop{.name = "io_uring",
                                          .family = Family::proactor,
                                          .mechanism = uring::kWaitCall,
                                          .native = kProactorCaps | kTlsCaps,
                                          .absences = kTlsAbsences,
                                          .wait_calls = kUringWaits,
                                          .wait_descriptor_kind = uring::kDescriptorKind,
                                          .make = make_proactor_loop<make_io_uring_proactor>};

}  // namespace loopscope::loops
