// The io_uring loop: its row.
#include "loops/common/tls_engine.hpp"
#include "loops/proactor/io_uring.hpp"
#include "loops/proactor/proactor_loop.hpp"

namespace loopscope::loops {

/// Any other wait is a silent fallback.
constexpr std::string_view kUringWaits[] = {uring::kWaitCall};

constexpr Rung rung(UringLevel level, std::string_view uses) { return {name(level), uses}; }
constexpr Rung kLadder[] = {
    rung(UringLevel::defer, "SINGLE_ISSUER, DEFER_TASKRUN: completions are made in the wait call"),
    rung(UringLevel::coop, "COOP_TASKRUN: made when the thread enters the kernel anyway"),
    rung(UringLevel::plain, "no such flag: made whenever the kernel wants"),
    rung(UringLevel::oneshot, "no operation that completes more than once"),
    rung(UringLevel::copy, "no ring of buffers: each operation has memory of its own"),
    rung(UringLevel::basic, "a wait ends by a timeout operation, not by an argument of the call")};

extern const LoopDescriptor io_uring_loop{.name = "io_uring",
                                          .family = Family::proactor,
                                          .mechanism = uring::kWaitCall,
                                          .native = kProactorCaps | kTlsCaps,
                                          .absences = kTlsAbsences,
                                          .wait_calls = kUringWaits,
                                          .wait_descriptor_kind = uring::kDescriptorKind,
                                          .ladder = kLadder,
                                          .make = make_proactor_loop<make_io_uring_proactor>};

}  // namespace loopscope::loops
