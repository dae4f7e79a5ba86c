// Formats: look-up by name.
#include "reports/format.hpp"

#include <fmt/format.h>

namespace loopscope::reports {

const Format* find_format(std::string_view name) {
  for (const Format* format : all_formats()) {
    if (format->name == name) return format;
  }
  return nullptr;
}

Result<std::string> render(std::string_view format, const Report& report,
                           const RenderOptions& options) {
  const Format* found = find_format(format);
  if (found != nullptr) return found->render(report, options);
  std::string known;
  for (const Format* row : all_formats())
    fmt::format_to(std::back_inserter(known), " {}", row->name);
  return make_error(Errc::invalid_argument, "render",
                    fmt::format("no format \"{}\"; there are:{}", format, known));
}

}  // namespace loopscope::reports
