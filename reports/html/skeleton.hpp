// The skeleton that all HTML documents share: page.html, filled in.
#pragma once

#include <string>

namespace loopscope::reports::html {

/// What stands in the skeleton. Markup, except for the title.
struct Skeleton {
  std::string title;
  std::string jump;   // the first link: <a class="jump" ...>
  std::string views;  // the links of the bar
  std::string body, data;
  bool scripts = true;  // false: the document has none, and its policy permits none
};
std::string filled(const Skeleton& skeleton);

}  // namespace loopscope::reports::html
