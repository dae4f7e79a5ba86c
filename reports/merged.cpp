// Reading and writing merged documents, and whatever else holds runs.
#include "reports/merged.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "reports/leg_reader.hpp"
#include "reports/load.hpp"

namespace loopscope::reports {
namespace {

constexpr std::string_view kMergedSchema = "loopscope.merged/1";

Error at_line(const std::string& path, std::size_t number, const std::string& what) {
  return make_error(Errc::protocol, "load", fmt::format("{}: line {}: {}", path, number, what));
}

/// Calls `read`; what it throws becomes an error of that line.
template <class Read>
Result<void> on_line(const std::string& path, std::size_t number, Read read) {
  try {
    read();
    return {};
  } catch (const BadLine& error) {
    return at_line(path, number, error.what);
  } catch (const Json::parse_error& error) {
    return at_line(path, number, fmt::format("not JSON, at column {}", error.byte));
  } catch (const Json::exception& error) {
    return at_line(path, number, error.what());
  }
}

std::string line_of(const char* key, Json value) {
  Json object = Json::object();
  object[key] = std::move(value);
  return object.dump(-1, ' ', true, Json::error_handler_t::replace) + '\n';
}

Result<std::ifstream> open(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return errno_error_of(EISDIR, "open", path);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return errno_error_of(errno != 0 ? errno : ENOENT, "open", path);
  return file;
}

std::string trimmed(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(" \t\r"), end = line.find_last_not_of(" \t\r");
  return begin == std::string::npos ? "" : line.substr(begin, end - begin + 1);
}

/// The legs of a merged document, by jumping from one to the next.
class Indexer {
 public:
  Indexer(const std::string& path, std::ifstream file) : path_(path), file_(std::move(file)) {}

  Result<LegIndex> index() {
    std::string text;
    std::uint64_t at = 0;
    while (!ended_ && std::getline(file_, text)) {
      ++number_;
      jump_ = 0;
      const Result<void> read = on_line(path_, number_, [&] { line(text, at); });
      if (!read) return read.error();
      at = static_cast<std::uint64_t>(file_.tellg());
      if (jump_ == 0) continue;
      if (const Result<void> header = leg_header(at); !header) return header.error();
      file_.clear();
      file_.seekg(static_cast<std::streamoff>(at += jump_));
      number_ += lines_;
    }
    if (ended_ && !std::getline(file_, text)) return std::move(index_);
    return at_line(path_, number_ + 1, ended_ ? "there is more behind the end" : kCut);
  }

 private:
  static constexpr const char* kCut = "the document is cut: it has no end line";

  void line(const std::string& text, std::uint64_t at) {
    const Json object = Json::parse(text, nullptr, number_ == 1);
    if (number_ == 1) {
      const Json& merged = part(object, "merged");
      check_schema(part(merged, "schema").get<std::string>(), kMergedSchema);
      for (const Json& name : part(merged, "expected")) {
        index_.expected[name.get<std::string>()] = "";
      }
      if (merged.contains("reasons")) expect(index_.expected, merged.at("reasons"));
    } else if (object.contains("rules")) {
      rules_.push_back(at);
    } else if (object.contains("leg")) {
      leg(object.at("leg"));
    } else if (object.contains("end")) {
      if (part(object.at("end"), "legs").get<std::size_t>() != index_.legs.size()) {
        throw BadLine{fmt::format("{} legs were written, {} are here",
                                  object.at("end").at("legs").dump(), index_.legs.size())};
      }
      ended_ = true;
    } else {
      throw BadLine{"neither a leg nor the end: the leg before it is not as it was written"};
    }
  }

  void leg(const Json& object) {
    LegPlace& place = index_.legs.emplace_back();
    place.form = LegPlace::Form::merged;
    place.path = path_;
    place.line = number_ + 1;
    place.platform = part(object, "platform").get<std::string>();
    place.digest = part(object, "digest").get<std::string>();
    jump_ = place.bytes = part(object, "bytes").get<std::uint64_t>();
    lines_ = part(object, "lines").get<std::size_t>();
    const std::size_t rules = part(object, "rules").get<std::size_t>();
    if (rules >= rules_.size()) throw BadLine{"the rules of this leg are missing"};
    place.rules_offset = rules_[rules];
    if (jump_ == 0) throw BadLine{"an empty leg"};
  }

  /// Its second line tells which run it is.
  Result<void> leg_header(std::uint64_t at) {
    LegPlace& place = index_.legs.back();
    place.offset = at;
    std::string text;
    if (!std::getline(file_, text) || !std::getline(file_, text)) {
      return at_line(path_, number_ + 1, kCut);
    }
    return on_line(path_, number_ + 2, [&] {
      const Header header = read_header(part(Json::parse(text), "header"));
      place.started_utc = header.started_utc;
      place.run_id = header.run_id;
    });
  }

  std::string path_;
  std::ifstream file_;
  LegIndex index_;
  std::vector<std::uint64_t> rules_;
  std::size_t number_ = 0, lines_ = 0;
  std::uint64_t jump_ = 0;
  bool ended_ = false;
};

/// A report.json of one run.
Result<Run> load_report_json(const std::string& path) {
  Result<std::ifstream> file = open(path);
  if (!file) return file.error();
  std::ostringstream text;
  text << file->rdbuf();
  const std::string document = text.str();
  Json object;
  try {
    object = Json::parse(document);
  } catch (const Json::parse_error& error) {
    const auto end =
        document.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, document.size()));
    const auto lines = static_cast<std::size_t>(std::count(document.begin(), end, '\n'));
    return at_line(path, lines + 1, "not JSON; is the report cut?");
  }
  Run run;
  const Result<void> read = on_line(path, 1, [&] { run = read_report(object); });
  if (!read) return read.error();
  return run;
}

Result<LegIndex> one_leg(LegPlace::Form form, const std::string& path, const Run& run) {
  LegIndex index;
  LegPlace& place = index.legs.emplace_back();
  place.form = form;
  place.path = path;
  place.platform = run.platform;
  place.started_utc = run.header.started_utc;
  place.run_id = run.header.run_id;
  return index;
}

/// Which of the three it is, by its first line.
LegPlace::Form form_of(const std::string& first) {
  const Json object = Json::parse(first, nullptr, false);
  if (object.is_object() && object.contains("merged")) return LegPlace::Form::merged;
  const bool whole_line = object.is_object() && object.contains("schema");
  return whole_line || trimmed(first) == "{" ? LegPlace::Form::report : LegPlace::Form::journal;
}

Result<Run> load_merged_leg(const LegPlace& place) {
  Result<std::ifstream> opened = open(place.path);
  if (!opened) return opened.error();
  std::ifstream& file = *opened;
  std::string rules, lines(static_cast<std::size_t>(place.bytes), '\0');
  file.seekg(static_cast<std::streamoff>(place.rules_offset));
  std::getline(file, rules);
  file.seekg(static_cast<std::streamoff>(place.offset));
  file.read(lines.data(), static_cast<std::streamsize>(lines.size()));
  if (!file) return at_line(place.path, place.line, "the leg is cut");
  if (digest_of(rules + '\n', lines) != place.digest) {
    return at_line(place.path, place.line,
                   fmt::format("the leg {} or its rules are not as they were written: the digest "
                               "is another one",
                               place.platform));
  }
  LegReader reader;
  Json run_line;
  std::istringstream in(lines);
  std::string text;
  for (std::size_t number = place.line; std::getline(in, text); ++number) {
    const Result<void> read = on_line(place.path, number, [&] {
      Json object = Json::parse(text);
      if (number == place.line) {
        run_line = part(object, "run");
      } else {
        reader.line(object);
      }
    });
    if (!read) return read.error();
  }
  Run run;
  const Result<void> read = on_line(place.path, place.line, [&] {
    run = reader.finish(false);
    read_run(run_line, run);
    Catalogue catalogue = read_catalogue(part(Json::parse(rules), "rules"));
    catalogue.loops = std::move(run.catalogue.loops);
    run.catalogue = std::move(catalogue);
  });
  if (!read) return read.error();
  run.platform = place.platform;
  return run;
}

/// What cannot be seen in the cells: legs that are missing, and why cells have no result.
void explain_missing(Report& report, const ExpectedLegs& expected) {
  for (const auto& [platform, why] : expected) {
    const bool there =
        std::any_of(report.legs.begin(), report.legs.end(),
                    [name = platform](const Run& leg) { return leg.platform == name; });
    if (there) continue;
    Run& leg = report.legs.emplace_back();
    leg.platform = platform;
    leg.incomplete_because =
        why.empty() ? "this leg was expected, and nothing that was merged is of it" : why;
  }
  ShardsSeen shards;
  for (const Run& leg : report.legs) shards.add(leg.platform, leg.header);
  for (const ShardsSeen::Missing& shard : shards.missing()) {
    Run& leg = report.legs.emplace_back();
    leg.platform = shard.platform;
    leg.incomplete_because =
        fmt::format("the shard {}/{} of this run is missing", shard.index, shard.count);
  }
  for (Run& leg : report.legs) {
    if (leg.complete) continue;
    if (leg.cells.empty()) {
      Cell& cell = leg.cells.emplace_back();  // so that it counts wherever cells are counted
      cell.loop = cell.scenario = "*";
    }
    for (Cell& cell : leg.cells) {
      if (cell.outcome == Outcome::notrun && cell.reason.empty()) {
        cell.reason = leg.incomplete_because;
      }
    }
  }
}

}  // namespace

Result<LegIndex> index_legs(const std::string& path) {
  Result<std::ifstream> file = open(path);
  if (!file) return file.error();
  std::string first;
  std::getline(*file, first);
  switch (form_of(first)) {
    case LegPlace::Form::merged:
      file->clear();
      file->seekg(0);
      return Indexer(path, std::move(*file)).index();
    case LegPlace::Form::report: {
      const Result<Run> run = load_report_json(path);
      if (!run) return run.error();
      return one_leg(LegPlace::Form::report, path, *run);
    }
    case LegPlace::Form::journal:
      break;
  }
  // A journal's header is its first line; load() has the words for what else it may be.
  std::istringstream header(first + '\n');
  const Result<Run> run = load(header);
  if (run) return one_leg(LegPlace::Form::journal, path, *run);
  Error error = run.error();
  error.detail = path + ": " + error.detail;
  return error;
}

Result<Run> load_leg(const LegPlace& place) {
  switch (place.form) {
    case LegPlace::Form::merged:
      return load_merged_leg(place);
    case LegPlace::Form::report:
      return load_report_json(place.path);
    case LegPlace::Form::journal:
      break;
  }
  return load_file(place.path);
}

Result<Report> load_report(const std::string& path) {
  const Result<LegIndex> index = index_legs(path);
  if (!index) return index.error();
  Report report;
  for (const LegPlace& place : index->legs) {
    Result<Run> leg = load_leg(place);
    if (!leg) return leg.error();
    report.legs.push_back(std::move(leg).value());
  }
  if (index->legs.empty() || index->legs.front().form == LegPlace::Form::merged) {
    explain_missing(report, index->expected);
  }
  sort_legs(report);
  return report;
}

LegText leg_text_of(const Run& run) {
  LegText text;
  text.rules = line_of("rules", rules_json(run.catalogue));
  const auto add = [&](const char* key, Json value) {
    text.lines += line_of(key, std::move(value));
    ++text.count;
  };
  add("run", run_json(run));
  add("header", header_json(run.header));
  Json loops = Json::array();
  for (const LoopRow& loop : run.catalogue.loops) loops.push_back(loop_json(loop));
  add("loops", std::move(loops));
  for (const Fact& fact : run.facts) add("fact", fact_json(fact));
  add("plan", plan_json(run.cells));
  for (const Cell& cell : run.cells) {
    if (cell.ran) add("cell", cell_json(cell));
  }
  if (run.footer) add("footer", footer_json(*run.footer));
  text.digest = digest_of(text.rules, text.lines);
  return text;
}

std::string digest_of(std::string_view rules, std::string_view lines) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::string_view text : {rules, lines}) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return fmt::format("{:016x}", hash);
}

void expect(ExpectedLegs& legs, const ExpectedLegs& others) {
  for (const auto& [platform, why] : others) {
    std::string& kept = legs[platform];
    if (kept.empty() || (!why.empty() && why < kept)) kept = why;
  }
}

MergedWriter::MergedWriter(std::ostream& out, const ExpectedLegs& expected) : out_(out) {
  Json names = Json::array(), reasons = Json::object();
  for (const auto& [platform, why] : expected) {
    names.push_back(platform);
    if (!why.empty()) reasons[platform] = why;
  }
  Json merged{{"schema", kMergedSchema}, {"expected", std::move(names)}};
  if (!reasons.empty()) merged["reasons"] = std::move(reasons);
  out_ << line_of("merged", std::move(merged));
}

void MergedWriter::leg(const std::string& platform, const LegText& text) {
  const std::string rules = digest_of(text.rules, {});
  const auto found = std::find(rules_.begin(), rules_.end(), rules);
  const auto number = static_cast<std::size_t>(found - rules_.begin());
  if (found == rules_.end()) {
    rules_.push_back(rules);
    out_ << text.rules;
  }
  out_ << line_of("leg", {{"platform", platform},
                          {"rules", number},
                          {"lines", text.count},
                          {"bytes", text.lines.size()},
                          {"digest", text.digest}});
  out_ << text.lines;
  ++legs_;
}

void MergedWriter::end() { out_ << line_of("end", {{"legs", legs_}}); }

}  // namespace loopscope::reports
