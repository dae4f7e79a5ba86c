// Reading journals and writing documents.
#include "probe/cli/documents.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "probe/cli/common.hpp"
#include "reports/load.hpp"

namespace loopscope::cli {

namespace fs = std::filesystem;

std::string journal_path(const std::string& given) {
  std::error_code ignored;
  if (!fs::is_directory(given, ignored)) return given;
  return (fs::path(given) / "journal.ndjson").string();
}

reports::Run load_journal(const std::string& path) {
  Result<reports::Run> run = reports::load_file(path);
  if (run.ok()) return std::move(run).value();
  const bool damaged = run.error().is(Errc::protocol);
  stop(Message(damaged ? "LS021" : "LS020", fmt::format("{} cannot be read", path))
           .fact("because", damaged ? run.error().detail : to_string(run.error())));
}

void warn_if_incomplete(const reports::Run& run, const std::string& path) {
  if (run.complete) return;
  print_error(Message("LS022", fmt::format("{} is incomplete", path), Message::Kind::warning)
                  .fact("because", run.incomplete_because)
                  .next(fmt::format("loopscope run --resume {}", path))
                  .text());
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

void write_document(const std::string& path, const std::string& text) {
  if (path == "-") return print(text);
  // What is no file, /dev/stdout or a FIFO, is written to as it is.
  std::error_code error;
  const bool replace = !fs::exists(path, error) || fs::is_regular_file(path, error);
  const std::string written = replace ? path + ".part" : path;
  errno = 0;
  std::ofstream file(written, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  error = file ? std::error_code() : std::error_code(errno, std::generic_category());
  if (file && replace) fs::rename(written, path, error);
  if (file && !error) return;
  std::error_code ignored;
  if (replace) fs::remove(written, ignored);
  stop(Message("LS060", fmt::format("{} was not written", path)).fact("because", error.message()));
}

}  // namespace loopscope::cli
