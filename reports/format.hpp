// Formats: each a pure function from a Report to a document.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "loops/base/result.hpp"
#include "reports/model.hpp"

namespace loopscope::reports {

struct Kills;

/// Which platform stands beside which on the page: platform -> the one that it is compared with.
/// "" stands for those that are not named.
using Beside = std::map<std::string, std::string>;

struct RenderOptions {
  bool colour = false;  // ANSI colours; only the console format has any
  /// The page of a report shows what changed since this one, and the kill matrix of a self-test.
  const Report* baseline = nullptr;
  const Kills* kills = nullptr;
  /// Where nothing is said, the platform on which most cells pass is beside the others.
  Beside beside;
};

struct Format {
  std::string_view name;         // "html"; used on the command line
  std::string_view extension;    // ".html"
  std::string_view description;  // one phrase for a list of formats
  Result<std::string> (*render)(const Report& report, const RenderOptions& options);
};

/// Renders a report in the format of that name.
/// errors  Errc::invalid_argument for an unknown name; the detail lists the known ones.
Result<std::string> render(std::string_view format, const Report& report,
                           const RenderOptions& options = {});
/// By exact name; null when unknown.
const Format* find_format(std::string_view name);

}  // namespace loopscope::reports

namespace loopscope {
std::span<const reports::Format* const> all_formats();  // generated
}  // namespace loopscope
