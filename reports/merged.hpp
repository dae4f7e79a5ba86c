// A merged document: several runs in one file, each as the lines of its journal.
//
// NDJSON. The first line is {"merged":{schema, expected, reasons}}, the last {"end":{legs}}.
// Between them each leg is a line {"leg":{platform, rules, lines, bytes, digest}} and that many
// lines:
// {"run":{...}},
// {"header":...}, {"loops":[...]}, {"fact":...}, {"plan":...}, {"cell":...}, {"footer":...}. Before
// the first leg that uses them stand its {"rules":{scenarios, capabilities, api}}, counted from 0.
// Legs are in the order of their platforms, starts and run ids, so that the same runs give the same
// bytes in whatever order they were merged. reports/schema/merged.schema.json has the shapes.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "loops/base/result.hpp"
#include "reports/model.hpp"

namespace loopscope::reports {

/// Where a leg stands: in a journal, in a report.json, or in a merged document.
struct LegPlace {
  enum class Form : std::uint8_t { journal, report, merged };
  Form form = Form::journal;
  std::string path, platform, started_utc, run_id;
  std::size_t line = 1;                 // where it begins
  std::uint64_t offset = 0, bytes = 0;  // of its lines, in a merged document
  std::uint64_t rules_offset = 0;       // of the line of its rules
  std::string digest;
};

/// Platforms that were to be there, each with the reason why nothing is of it, as far as it is
/// known.
using ExpectedLegs = std::map<std::string, std::string>;
/// Adds what others expected. Of two reasons for one platform the first in alphabetical order
/// stays.
void expect(ExpectedLegs& legs, const ExpectedLegs& others);

struct LegIndex {
  std::vector<LegPlace> legs;
  ExpectedLegs expected;
};

/// Finds the legs of a file of any of the three forms without reading their cells; nothing is kept
/// but their places.
/// errors  The system's, or Errc::protocol with "PATH: line N: what": no such file, a form or
/// schema
///         that is not known, a newer major, a merged document that is cut.
Result<LegIndex> index_legs(const std::string& path);
/// Reads one leg.
/// errors  As load() gives them, with "PATH: line N: "; in a merged document also lines that are
/// not
///         as they were written, by their digest.
Result<Run> load_leg(const LegPlace& place);
/// Everything that a file holds, sorted; what is incomplete or was expected in vain is `notrun`
/// with the reason.
Result<Report> load_report(const std::string& path);

/// A leg as text, and what it shares with others.
struct LegText {
  std::string rules;  // {"rules":...} with its line end
  std::string lines;  // from {"run":...} on
  std::size_t count = 0;
  std::string digest;  // of both
};
LegText leg_text_of(const Run& run);
/// 64 bits in hex. FNV-1a: it finds accidents and edits, not attacks.
std::string digest_of(std::string_view rules, std::string_view lines);

/// Writes a merged document leg by leg, in the order of the document.
class MergedWriter {
 public:
  MergedWriter(std::ostream& out, const ExpectedLegs& expected);
  void leg(const std::string& platform, const LegText& text);
  void end();

 private:
  std::ostream& out_;
  std::vector<std::string> rules_;  // digests, by number
  std::size_t legs_ = 0;
};

}  // namespace loopscope::reports
