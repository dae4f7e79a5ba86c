// Reading a journal: the only way from a file to a Run.
#pragma once

#include <iosfwd>
#include <string>

#include "loops/base/result.hpp"
#include "reports/model.hpp"

namespace loopscope::reports {

/// Reads a journal (schema loopscope.journal/1, one JSON object per line).
///
/// A last line that was cut in the middle is dropped and makes the run incomplete, as does a
/// missing footer. Planned cells without a result become `notrun`; cells that the plan decided
/// carry its decision. Unknown keys and unknown kinds of line are ignored.
///
/// errors  Errc::protocol; the detail begins with "line N: " and says what is wrong there. Refused
///         are: an empty file, anything but a header first, a newer major version of the schema,
///         a line that is not JSON (the last one excepted), a key of the wrong type, an unknown
///         outcome, a cell that the plan does not have, two results for one cell.
Result<Run> load(std::istream& journal);
/// The same for a file; an unreadable one gives the system's error.
Result<Run> load_file(const std::string& path);

}  // namespace loopscope::reports
