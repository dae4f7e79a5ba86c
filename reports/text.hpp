// Text of strangers, made fit for formats that are lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loopscope::reports {

/// What may act on a reader instead of being read, at the begin of a text: how many bytes it has,
/// or 0. C0 and C1 control characters, which hold the sequences of terminals; U+2028 and U+2029,
/// which end lines; the marks that turn the direction of writing; and the two that XML forbids.
inline std::size_t control_at(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  if (byte(0) < 0x20 || byte(0) == 0x7f) return text.empty() ? 0 : 1;
  if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return 2;
  if (byte(0) == 0xe2 && byte(1) == 0x80 && byte(2) >= 0xa8 && byte(2) <= 0xae) return 3;
  if (byte(0) == 0xe2 && byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9) return 3;
  if (byte(0) == 0xef && byte(1) == 0xbf && byte(2) >= 0xbe) return 3;
  return 0;
}

/// The text with `instead(control)` for each of them.
template <class Instead>
std::string without_controls(std::string_view text, Instead instead) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = control_at(text.substr(at));
    if (size == 0) {
      out += text[at++];
    } else {
      out += instead(text.substr(at, size));
      at += size;
    }
  }
  return out;
}

/// Control characters, line ends among them, become spaces.
inline std::string one_line(std::string_view text) {
  return without_controls(text, [](std::string_view) { return ' '; });
}

/// A control character as a reader sees it: "\\x1b" for one byte, "\\u009b" for several.
inline std::string shown_control(std::string_view control) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(control[i]); };
  unsigned code = byte(0);
  if (control.size() == 2) code = ((code & 0x1fU) << 6) | (byte(1) & 0x3fU);
  if (control.size() == 3) {
    code = ((code & 0xfU) << 12) | ((byte(1) & 0x3fU) << 6) | (byte(2) & 0x3fU);
  }
  std::string out = control.size() == 1 ? "\\x" : "\\u";
  for (int shift = control.size() == 1 ? 4 : 12; shift >= 0; shift -= 4) {
    out += kDigits[(code >> shift) & 0xfU];
  }
  return out;
}

/// Control characters as a reader sees them; line ends and tabs stay.
inline std::string visible(std::string_view text) {
  return without_controls(text, [](std::string_view control) {
    return control == "\n" || control == "\t" ? std::string(control) : shown_control(control);
  });
}

/// At most about so many bytes, cut between characters, with what was left out: readers of lines,
/// tables and marks give up on a text of a mebibyte. Documents with room have it whole.
inline std::string shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + " ... (" + std::to_string(text.size() - end) +
         " bytes more)";
}

/// ASCII letters in small.
inline std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
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
