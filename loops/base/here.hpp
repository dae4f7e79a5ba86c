// The place in the source from which a call was made, for messages.
#pragma once

namespace loopscope {
struct Here {  // clang 14 has no std::source_location
  const char* file;
  unsigned line;
  static constexpr Here now(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    return {file, line};
  }
};
}  // namespace loopscope
