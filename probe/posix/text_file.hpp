// Small text files of the kernel: whole, or one field of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loopscope {

/// The file without its last line end; at most 64 KiB. nullopt: errno says why.
std::optional<std::string> read_text(const std::string& path);
/// The file as one decimal number; "max" and anything else that is no number give nullopt.
std::optional<std::int64_t> read_number(const std::string& path);
/// The value of "name:" in /proc/self/status; empty where there is none.
std::string status_field(std::string_view name);

}  // namespace loopscope
