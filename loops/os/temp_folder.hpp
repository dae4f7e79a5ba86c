// A new folder for what may be thrown away.
#pragma once

#include <string>
#include <string_view>

#include "loops/base/result.hpp"

namespace loopscope::os {

/// Makes a private folder below TMPDIR, or else below /tmp, or else in the working directory: the
/// first process of a machine may have no other. Its name begins with the prefix.
/// errors  those of mkdtemp(3) at the last place that was tried.
Result<std::string> make_temp_folder(std::string_view prefix);

}  // namespace loopscope::os
