// Text of strangers, made fit for formats that are lines.
#pragma once

#include <string>
#include <string_view>

namespace loopscope::reports {

/// Control characters, line ends among them, become spaces.
inline std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = ' ';
  }
  return out;
}

/// In a Markdown table: pipes and line ends would end the cell, "<" would begin markup.
inline std::string markdown_cell(std::string_view text) {
  std::string out;
  for (const char c : one_line(text)) {
    if (c == '|' || c == '<' || c == '`') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace loopscope::reports
