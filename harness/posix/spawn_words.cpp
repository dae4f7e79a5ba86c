// Arguments and environment for posix_spawn(3).
#include "harness/posix/spawn_words.hpp"

#include <unistd.h>

#include <string_view>

extern char** environ;

namespace loopscope {

std::vector<std::string> environment_with(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const bool ours = text.substr(0, 10) == "LOOPSCOPE_";
    if (!ours && variables.count(std::string(text.substr(0, text.find('=')))) == 0) {
      result.emplace_back(text);
    }
  }
  for (const auto& [key, value] : variables) result.push_back(key + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace loopscope
