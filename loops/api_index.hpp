// The low-level API index: every entry that a scenario may name, by group.
#pragma once

#include <span>
#include <string_view>

namespace loopscope {

struct ApiGroup {
  std::string_view title;
  /// "call_soon", "Transport.write", "Protocol.data_received"
  std::span<const std::string_view> entries;
};
/// In the order of asyncio's low-level API index.
std::span<const ApiGroup> api_index();
bool is_api_entry(std::string_view entry);

}  // namespace loopscope
