// Reading a journal line by line; a refusal names the line.
#include "reports/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <istream>
#include <nlohmann/json.hpp>

#include "reports/leg_reader.hpp"

namespace loopscope::reports {
namespace {

Error refused(std::size_t number, const std::string& what) {
  return make_error(Errc::protocol, "load journal", fmt::format("line {}: {}", number, what));
}

bool is_resumed(const Json& object) { return object.is_object() && object.contains("resumed"); }

}  // namespace

Result<Run> load(std::istream& journal) {
  LegReader loader;
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
