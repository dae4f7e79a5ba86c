// Ctrl-C: the signal that a terminal sends to end a program.
#pragma once

namespace loopscope::os {

extern const int kInterruptSignal;  // SIGINT

/// May the caller take Ctrl-C for itself? Only in the main thread, and only while nobody else has
/// said what it should do.
bool may_take_interrupt() noexcept;

}  // namespace loopscope::os
