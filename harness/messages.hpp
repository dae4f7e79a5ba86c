// Messages to a person: a stable id, facts first, then what is likely, then a command to run.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/result.hpp"

namespace loopscope {

struct MessageInfo {
  std::string_view id;       // "LS010"; never reused
  std::string_view title;    // what happened, in a few words
  std::string_view meaning;  // what that says, and what it does not
  std::string_view remedy;   // what to do about it
};
std::span<const MessageInfo> all_messages();
const MessageInfo* find_message(std::string_view id);

/// Builds the text of one message. Every id that is used here is in all_messages().
class Message {
 public:
  enum class Kind : std::uint8_t { error, warning, note };
  Message(std::string_view id, std::string headline, Kind kind = Kind::error);
  Message& fact(std::string_view key, std::string value);  // empty values are left out
  Message& likely(std::string text) { return fact("likely", std::move(text)); }
  Message& next(std::string command) { return fact("next", std::move(command)); }
  std::string text() const;  // ends with a newline

 private:
  std::string head_;
  std::vector<std::pair<std::string, std::string>> facts_;
};

/// Its first line, and the command that runs it again.
std::string cell_headline(const CellResult& result);
/// What to print of a cell that is not as expected: id, expected, observed, evidence, rerun.
std::string cell_message(const CellResult& result);

}  // namespace loopscope
