// Reading a journal back, to take a run up again.
#include "harness/journal.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <tuple>

namespace loopscope {
namespace {

using Json = nlohmann::json;

Error refused(std::size_t number, const std::string& what) {
  return make_error(Errc::protocol, "read journal", fmt::format("line {}: {}", number, what));
}

Decision decision_by_name(const std::string& text) {
  if (text == "skip") return Decision::skip;
  return text == "unsupported" ? Decision::unsupported : Decision::run;
}

Standing standing_by_name(const std::string& text) {
  if (text == "unexpected") return Standing::unexpected;
  return text == "stale_expectation" ? Standing::stale_expectation : Standing::as_expected;
}

/// Reads line after line into a state.
class Reader {
 public:
  /// What is wrong with the line; empty when nothing is.
  std::string take(const Json& json) {
    if (!seen_header_) return take_header(json);
    if (json.contains("plan")) take_plan(json["plan"]);
    if (json.contains("cell")) return take_cell(json["cell"]);
    if (json.contains("footer")) {
      state_.has_footer = true;
      state_.interrupted = json["footer"].value("interrupted", false);
    }
    if (json.contains("resumed")) state_.has_footer = state_.interrupted = false;
    return {};
  }
  bool has_plan() const { return seen_plan_; }
  JournalState& state() { return state_; }

 private:
  using Texts = std::map<std::string, std::string>;

  std::string take_header(const Json& json) {
    if (!json.contains("header")) return "the first line is no header: not a journal of loopscope";
    const Json& header = json["header"];
    const std::string schema = header.value("schema", "");
    if (schema != kJournalSchema) {
      return fmt::format("its schema is \"{}\", this program reads \"{}\"", schema, kJournalSchema);
    }
    state_.header.run_id = header.value("run_id", "");
    state_.header.slack_ms = header.value("slack_ms", std::int64_t{250});
    state_.header.repeat = header.value("repeat", 1U);
    state_.header.limit_scale = header.value("limit_scale", 1.0);
    state_.header.environment_options = header.value("environment_options", Texts());
    seen_header_ = true;
    return {};
  }

  void take_plan(const Json& plan) {
    seen_plan_ = true;
    for (const Json& row : plan.at("cells")) {
      JournalCell cell{.loop = row.at("loop"),
                       .scenario = row.at("scenario"),
                       .repeat = row.value("repeat", 0U),
                       .seed = row.value("seed", std::uint64_t{1}),
                       .decision = decision_by_name(row.value("decision", "run")),
                       .reason = row.value("reason", ""),
                       .missing_cap = row.value("missing_cap", ""),
                       .missing_fact = row.value("missing_fact", "")};
      index_[{cell.loop, cell.scenario, cell.repeat}] = state_.cells.size();
      state_.cells.push_back(std::move(cell));
    }
  }

  std::string take_cell(const Json& row) {
    const auto found = index_.find({row.at("loop"), row.at("scenario"), row.value("repeat", 0U)});
    if (found == index_.end()) return "a result for a cell that the plan does not have";
    JournalCell& cell = state_.cells[found->second];
    cell.outcome = outcome_by_name(row.value("outcome", ""));
    if (!cell.outcome) return "an unknown outcome";
    cell.level = row.value("level", "");
    cell.standing = standing_by_name(row.value("standing", ""));
    return {};
  }

  JournalState state_;
  std::map<std::tuple<std::string, std::string, unsigned>, std::size_t> index_;
  bool seen_header_ = false, seen_plan_ = false;
};

}  // namespace

Result<JournalState> read_journal(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return errno_error_of(errno != 0 ? errno : ENOENT, "open journal", path);
  Reader reader;
  std::string text;
  std::size_t number = 0;
  while (std::getline(file, text)) {
    ++number;
    if (file.eof()) {  // No newline at its end: the writer was stopped in the middle.
      reader.state().cut_size = text.size();
      break;
    }
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return refused(number, "not a JSON object");
    try {
      const std::string wrong = reader.take(json);
      if (!wrong.empty()) return refused(number, wrong);
    } catch (const Json::exception& error) {
      return refused(number, error.what());
    }
    reader.state().sound_size += text.size() + 1;
  }
  if (file.bad()) return errno_error_of(EIO, "read journal", path);
  if (!reader.has_plan()) {
    return refused(number,
                   "there is no plan: the run ended before its first cell; start a new one");
  }
  return std::move(reader.state());
}

}  // namespace loopscope
