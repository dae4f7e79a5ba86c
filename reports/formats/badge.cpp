// Report format "badge": one line for a README, as JSON for a badge service
// (shields.io/badges/endpoint-badge).
#include "reports/badge.hpp"

#include <nlohmann/json.hpp>

#include "reports/format.hpp"

namespace loopscope::formats::badge {
namespace {

using namespace reports;

Result<std::string> render_badge(const Report& report, const RenderOptions&) {
  const Badge badge = badge_of(report);
  return nlohmann::ordered_json{{"schemaVersion", 1},
                                {"label", badge.label},
                                {"message", badge.message},
                                {"color", badge.colour}}
             .dump(-1, ' ', true) +
         '\n';
}

}  // namespace

extern const Format format{.name = "badge",
                           .extension = ".json",
                           .description = "one line for a badge service",
                           .render = render_badge};

}  // namespace loopscope::formats::badge
