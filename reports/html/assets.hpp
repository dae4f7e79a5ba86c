// The files report.css, report.js and page.html of this folder, embedded at build time.
#pragma once

#include <string_view>

namespace loopscope::reports::html {

std::string_view asset_page();
std::string_view asset_style();
std::string_view asset_script();

}  // namespace loopscope::reports::html
