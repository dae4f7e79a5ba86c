// Everything about one fact, for `explain` and for `probe --explain`.
#pragma once

#include <string>
#include <string_view>

#include "probe/measure.hpp"

namespace loopscope::cli {

/// What the fact asks, why a loop's author cares, how it is measured, what no answer would mean,
/// and its answer here and now: it is asked for that.
///
/// id  A fact of this build.
std::string about_fact(std::string_view id, const ProbeOptions& options = {});

}  // namespace loopscope::cli
