// System calls by number, for kernels newer than the C library's headers. Since Linux 5.1 new
// calls have one number on every architecture but alpha.
#pragma once

namespace loopscope::probes {

inline constexpr long kPidfdSendSignal = 424;
inline constexpr long kIoUringSetup = 425;
inline constexpr long kIoUringEnter = 426;
inline constexpr long kIoUringRegister = 427;
inline constexpr long kPidfdOpen = 434;
inline constexpr long kClone3 = 435;
inline constexpr long kCloseRange = 436;
inline constexpr long kEpollPwait2 = 441;

}  // namespace loopscope::probes
