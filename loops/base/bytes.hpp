// Octets as a value, and conversions from and to text.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loopscope {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

inline Bytes bytes(std::string_view text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return Bytes(begin, begin + text.size());
}
inline ByteView view(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string text(ByteView data) {
  return std::string(reinterpret_cast<const char*>(data.data()), data.size());
}

}  // namespace loopscope
