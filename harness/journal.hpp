// The journal: append-only, one JSON object per line, each written before the next thing happens.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/exit_code.hpp"
#include "harness/result.hpp"
#include "harness/shard.hpp"
#include "harness/scenario.hpp"
#include "loops/base/result.hpp"

namespace loopscope {

inline constexpr std::string_view kJournalSchema = "loopscope.journal/1";

/// The version of the library behind a loop, as the library says it; empty for loops of ours and
/// for those that cannot be made.
std::string library_version(const LoopDescriptor& loop);

struct JournalHeader {
  std::string run_id, started_utc;
  std::string host_json = "{}";  // one JSON object
  std::int64_t slack_ms = 250;
  unsigned jobs = 1, repeat = 1;
  double limit_scale = 1.0;
  std::vector<std::string> argv, loops, scenarios;
  std::map<std::string, std::string> environment_options;
  std::optional<Shard> shard;  // of the scenarios; nullopt: all of them
  std::string deal;            // Deal::digest; with a shard
};

struct JournalFooter {
  std::size_t planned = 0, reported = 0;
  std::map<Outcome, std::size_t> by_outcome;
  std::string verdict;  // green, red, unknown
  ExitCode exit_code = ExitCode::green;
  bool interrupted = false;
  std::string ended_utc;
  std::int64_t took_ns = 0;
};

/// Which faulty loops a scenario catches, by scenario id.
using KillTable = std::map<std::string, std::vector<std::string>, std::less<>>;

// The lines, without their newline. Each is one JSON object of valid UTF-8.
std::string header_line(const JournalHeader& header);
std::string catalogue_line(std::span<const LoopDescriptor* const> loops,
                           std::span<const ScenarioFile* const> files, const KillTable& kills);
std::string fact_line(std::string_view fact_object);
std::string plan_line(std::span<const PlannedCell> cells);
std::string cell_line(const CellResult& result);
std::string footer_line(const JournalFooter& footer);
std::string resumed_line(std::string_view at_utc, std::size_t missing);

/// A journal that is being written.
class JournalWriter {
 public:
  virtual ~JournalWriter() = default;
  /// Writes the line and a newline with one write(2); on the disk when the system says so.
  /// errors  ENOSPC and the like. What was written before is untouched.
  virtual Result<void> append(std::string_view line) = 0;
};
/// A new file; refuses to touch an existing one (EEXIST).
Result<std::unique_ptr<JournalWriter>> create_journal(const std::string& path);
/// An existing one, continued after its first `size` bytes; what stands behind is cut off.
Result<std::unique_ptr<JournalWriter>> continue_journal(const std::string& path,
                                                        std::uint64_t size);

/// A cell as the plan of an older run names it.
struct JournalCell {
  std::string loop, scenario;
  unsigned repeat = 0;
  std::uint64_t seed = 1;
  Decision decision = Decision::run;
  std::string reason, missing_cap, missing_fact;
  std::optional<Outcome> outcome;  // set when there is a result line
  std::string level;
  Standing standing = Standing::as_expected;
};

/// What a run that is taken up again needs to know of its journal.
struct JournalState {
  JournalHeader header;
  std::vector<JournalCell> cells;
  bool has_footer = false, interrupted = false;
  std::uint64_t sound_size = 0;  // up to the end of the last complete line
  std::uint64_t cut_size = 0;    // of the incomplete line behind it; 0: none
};
/// errors  protocol, with the line's number: not a journal, another schema, no plan, a line in the
///         middle that is no JSON. The system's for an unreadable file.
Result<JournalState> read_journal(const std::string& path);

}  // namespace loopscope
