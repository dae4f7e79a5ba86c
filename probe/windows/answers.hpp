// What measures the facts of Windows; one file for each mechanism.
#pragma once

#include <string>

#include "probe/probe.hpp"

namespace loopscope::windows {

std::span<const PlatformAnswer> completion_answers();
std::span<const PlatformAnswer> file_answers();
std::span<const PlatformAnswer> host_answers();
std::span<const PlatformAnswer> process_answers();
std::span<const PlatformAnswer> readiness_answers();
std::span<const PlatformAnswer> shell_answers();
std::span<const PlatformAnswer> socket_answers();
std::span<const PlatformAnswer> timer_answers();

/// What RtlGetVersion says: GetVersionEx tells the truth only to programs with a manifest.
struct SystemVersion {
  unsigned long major = 0, minor = 0, build = 0;
};
SystemVersion system_version();
/// Of ntdll's wine_get_version, "10.0"; empty on Windows itself.
std::string wine_version();

}  // namespace loopscope::windows
