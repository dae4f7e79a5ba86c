// The names of signals.
#pragma once

namespace loopscope {
/// "INT" for SIGINT; null for a number that has no name.
const char* signal_abbreviation(int number);
}  // namespace loopscope
