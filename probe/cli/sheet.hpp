// Sheet: what is printed about one thing, "key   value" line by line.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace loopscope::cli {

/// Lines of a key and a value; empty values are left out.
class Sheet {
 public:
  explicit Sheet(std::string title) : text_(std::move(title) + "\n") {}
  Sheet& line(std::string_view key, std::string_view value) {
    if (!value.empty()) text_ += fmt::format("  {:<11} {}\n", key, value);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace loopscope::cli
