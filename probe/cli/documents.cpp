// Reading journals and writing documents.
#include "probe/cli/documents.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "probe/cli/common.hpp"
#include "probe/environment.hpp"
#include "reports/merged.hpp"

namespace loopscope::cli {

namespace fs = std::filesystem;

std::string journal_path(const std::string& given) {
  std::error_code ignored;
  if (!fs::is_directory(given, ignored)) return given;
  return (fs::path(given) / "journal.ndjson").string();
}

namespace {

[[noreturn]] void stop_unreadable(const std::string& path, const Error& error) {
  const bool damaged = error.is(Errc::protocol);
  stop(Message(damaged ? "LS021" : "LS020", fmt::format("{} cannot be read", path))
           .fact("because", damaged ? error.detail : to_string(error)));
}

}  // namespace

reports::Report load_report(const std::string& path) {
  Result<reports::Report> report = reports::load_report(path);
  if (!report.ok()) stop_unreadable(path, report.error());
  return std::move(report).value();
}

reports::Kills load_kills(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    const std::error_code why(errno == 0 ? EIO : errno, std::generic_category());
    stop_unreadable(path, Error{why, "open", path});
  }
  Result<reports::Kills> kills = reports::kills_from_json(text.str());
  if (!kills.ok()) stop_unreadable(path, kills.error());
  return std::move(kills).value();
}

void warn_if_incomplete(const reports::Report& report, const std::string& path) {
  const reports::Legs legs(report);
  if (legs.complete()) return;
  Message message("LS022", fmt::format("{} is incomplete", path), Message::Kind::warning);
  message.fact("because", legs.incomplete_because());
  if (!legs.several()) message.next(fmt::format("loopscope run --resume {}", path));
  print_error(message.text());
}

reports::Query parse_query(const std::string& query, const reports::QueryWords& words) {
  auto parsed = reports::Query::parse(query, words);
  if (reports::Query* found = std::get_if<reports::Query>(&parsed)) return std::move(*found);
  stop(Message("LS012", fmt::format("the query \"{}\" cannot be understood", query))
           .fact("because", std::get<reports::QueryError>(parsed).text())
           .next("loopscope explain query"));
}

std::vector<std::string> matching_scenarios(const std::string& query, reports::Legs legs) {
  return matching(parse_query(query, reports::query_words(legs)), legs);
}

reports::LocalNames local_names() {
  reports::LocalNames names{{user_name()}, {host_name()}, {home_folder()}};
  for (const char* variable : {"USER", "LOGNAME", "USERNAME"}) {
    if (const char* value = std::getenv(variable)) names.users.emplace_back(value);
  }
  for (const char* variable : {"HOSTNAME", "COMPUTERNAME"}) {
    if (const char* value = std::getenv(variable)) names.hosts.emplace_back(value);
  }
  for (const char* variable : {"HOME", "USERPROFILE"}) {
    if (const char* value = std::getenv(variable)) names.homes.emplace_back(value);
  }
  return names;
}

void add_redaction(Options& options, bool& no_redact) {
  options.add({.names = "--no-redact",
               .target = &no_redact,
               .help = "Keep the names of users and machines, and home folders"});
}

void write_document(const std::string& path, const std::function<bool(std::ostream&)>& write) {
  if (path == "-") {
    std::ostringstream text;
    if (write(text)) print(text.str());
    return;
  }
  // What is no file, /dev/stdout or a FIFO, is written to as it is.
  std::error_code error;
  const bool replace = !fs::exists(path, error) || fs::is_regular_file(path, error);
  const std::string written = replace ? path + ".part" : path;
  errno = 0;
  std::ofstream file(written, std::ios::binary | std::ios::trunc);
  const bool keep = write(file);
  file.close();
  error = file ? std::error_code() : std::error_code(errno, std::generic_category());
  if (file && keep && replace) fs::rename(written, path, error);
  std::error_code ignored;
  if (replace && (!file || !keep || error)) fs::remove(written, ignored);
  if (!file || error) {
    stop(
        Message("LS060", fmt::format("{} was not written", path)).fact("because", error.message()));
  }
}

void write_document(const std::string& path, const std::string& text) {
  write_document(path, [&](std::ostream& out) {
    out << text;
    return true;
  });
}

}  // namespace loopscope::cli
