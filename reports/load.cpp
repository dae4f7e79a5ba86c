// Reading a journal line by line; a refusal names the line.
#include "reports/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <istream>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "harness/journal.hpp"
#include "reports/journal_lines.hpp"

namespace loopscope::reports {
namespace {

class Loader {
 public:
  /// Throws BadLine.
  void line(const Json& object) {
    if (!object.is_object()) throw BadLine{"not a JSON object"};
    if (!header_seen_) {
      if (!object.contains("header")) throw BadLine{"a journal begins with a header"};
      run_.header = read_header(object.at("header"));
      check_schema(run_.header.schema, kJournalSchema);
      run_.platform = platform_of(run_.header);
      header_seen_ = true;
      return;
    }
    if (object.contains("catalogue")) run_.catalogue = read_catalogue(object.at("catalogue"));
    if (object.contains("fact")) add_fact(read_fact(object.at("fact")));
    if (object.contains("plan")) add_plan(read_plan(object.at("plan")));
    if (object.contains("cell")) add_cell(read_cell(object.at("cell")));
    if (object.contains("resumed")) resumed();
    if (object.contains("footer")) run_.footer = read_footer(object.at("footer"));
  }

  bool header_seen() const { return header_seen_; }

  Run finish(bool cut) {
    run_.incomplete_because = why_incomplete(cut);
    run_.complete = run_.incomplete_because.empty();
    return std::move(run_);
  }

 private:
  static std::string key(const Cell& cell) {
    return fmt::format("{}\n{}\n{}", cell.loop, cell.scenario, cell.repeat);
  }

  static std::string title(const Cell& cell) {
    return cell.repeat == 0
               ? fmt::format("{} on {}", cell.scenario, cell.loop)
               : fmt::format("{} on {}, repeat {}", cell.scenario, cell.loop, cell.repeat);
  }

  void add_fact(Fact fact) {
    const auto [at, fresh] = fact_index_.try_emplace(fact.id, run_.facts.size());
    if (fresh) {
      run_.facts.push_back(std::move(fact));
    } else {
      run_.facts[at->second] = std::move(fact);  // A resumed run asks again: the newer answer.
    }
  }

  void add_plan(std::vector<Cell> cells) {
    if (!index_.empty() && run_.resumed == 0) throw BadLine{"a second plan"};
    for (Cell& cell : cells) {
      const bool fresh = index_.try_emplace(key(cell), run_.cells.size()).second;
      if (!fresh && run_.resumed == 0) {
        throw BadLine{fmt::format("the plan lists {} twice", title(cell))};
      }
      if (!fresh) continue;
      run_.cells.push_back(std::move(cell));
      epoch_.push_back(-1);
    }
  }

  void add_cell(Cell cell) {
    const auto found = index_.find(key(cell));
    if (found == index_.end()) {
      throw BadLine{fmt::format("a result for {}, which the plan does not have", title(cell))};
    }
    std::int64_t& epoch = epoch_[found->second];
    if (epoch == run_.resumed) {
      throw BadLine{fmt::format("a second result for {}", title(cell))};
    }
    epoch = run_.resumed;
    run_.cells[found->second] = std::move(cell);
  }

  void resumed() {
    ++run_.resumed;
    run_.footer.reset();  // The footer of the interrupted run no longer ends the journal.
  }

  std::string why_incomplete(bool cut) const {
    const auto missing = std::count_if(run_.cells.begin(), run_.cells.end(), [](const Cell& cell) {
      return cell.outcome == Outcome::notrun;
    });
    const std::string cells =
        missing == 0 ? "" : fmt::format("; {} planned cells have no result", missing);
    if (cut) return "the journal ends in the middle of a line" + cells;
    if (!run_.footer) return "the journal has no footer" + cells;
    if (run_.footer->interrupted) return "the run was interrupted" + cells;
    if (missing != 0) return cells.substr(2);
    return {};
  }

  Run run_;
  bool header_seen_ = false;
  std::unordered_map<std::string, std::size_t> index_, fact_index_;
  std::vector<std::int64_t> epoch_;  // per cell: during which resumption its result came; -1: none
};

Error refused(std::size_t number, const std::string& what) {
  return make_error(Errc::protocol, "load journal", fmt::format("line {}: {}", number, what));
}

bool is_resumed(const Json& object) { return object.is_object() && object.contains("resumed"); }

}  // namespace

Result<Run> load(std::istream& journal) {
  Loader loader;
  std::string text;
  std::size_t number = 0, bad_number = 0;
  bool bad = false;    // A line that is not JSON: a cut, if nothing or a resumption follows.
  bool ended = false;  // ... and a newline ended it all the same.
  std::string why;
  while (std::getline(journal, text)) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    Json object;
    try {
      object = Json::parse(text);
    } catch (const Json::parse_error& error) {
      if (bad) return refused(bad_number, why);
      bad = true;
      bad_number = number;
      ended = !journal.eof();
      why = fmt::format("not JSON, at column {}", error.byte);
      continue;
    }
    if (bad && !is_resumed(object)) return refused(bad_number, why);
    bad = false;
    try {
      loader.line(object);
    } catch (const BadLine& error) {
      return refused(number, error.what);
    } catch (const Json::exception& error) {
      return refused(number, error.what());
    }
  }
  if (!loader.header_seen()) {
    return refused(number == 0 ? 1 : number, bad ? why : "the journal is empty");
  }
  if (bad && ended) return refused(bad_number, why);
  return loader.finish(bad);
}

Result<Run> load_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return errno_error_of(EISDIR, "open journal", path);
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return errno_error_of(errno != 0 ? errno : ENOENT, "open journal", path);
  Result<Run> run = load(file);
  if (file.bad()) return errno_error_of(EIO, "read journal", path);
  if (run) return run;
  Error error = run.error();
  error.detail = path + ": " + error.detail;
  return error;
}

}  // namespace loopscope::reports
