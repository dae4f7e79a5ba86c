// The child's end of the report channel: one JSON object per line, written as things happen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "loops/base/clock.hpp"

namespace loopscope::cell {

/// The descriptor that a child finds its channel on.
inline constexpr int kReportFd = 3;

/// Opens the channel for this process: makes it close-on-exec and remembers who owns it, so that a
/// forked child cannot speak for the cell. -1: no channel, everything that is said is dropped.
void open_channel(int fd);
int channel_fd() noexcept;
/// Nanoseconds since the cell began.
std::int64_t elapsed_ns();
void begin_clock();
/// One line; a newline is added. Any thread. Lost when the parent is gone: nobody reads it then.
void say(std::string_view json_object);
/// A JSON string literal with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string quoted(std::string_view text);

}  // namespace loopscope::cell
