// loopscope diff: what changed between two runs.
#include "reports/diff.hpp"

#include <fmt/format.h>

#include <set>

#include "harness/exit_code.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/documents.hpp"

namespace loopscope::commands::diff {
namespace {

struct Options {
  std::string before, after, format = "text", out = "-", fail_on = "none", query;
  bool no_redact = false;
};

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const reports::DiffFormat& format : reports::diff_formats()) {
    names.emplace_back(format.name);
  }
  return names;
}

/// What matches in either run: what the query asks for may be what changed. False: nothing does.
bool restrict_both(const std::string& query, reports::Report& before, reports::Report& after) {
  std::set<std::string, std::less<>> ids;
  for (const reports::Report* report : {&before, &after}) {
    const std::vector<std::string> found = cli::matching_scenarios(query, *report);
    ids.insert(found.begin(), found.end());
  }
  before = restricted(std::move(before), query, ids);
  after = restricted(std::move(after), query, ids);
  return !ids.empty();
}

int run(const Options& options) {
  const std::string old_path = cli::journal_path(options.before);
  const std::string new_path = cli::journal_path(options.after);
  reports::Report before = cli::load_report(old_path), after = cli::load_report(new_path);
  cli::warn_if_incomplete(before, old_path);
  cli::warn_if_incomplete(after, new_path);
  if (!options.no_redact) {
    redact(before, cli::local_names());
    redact(after, cli::local_names());
  }
  if (!options.query.empty() && !restrict_both(options.query, before, after)) {
    cli::print_error(Message("LS013", fmt::format("no scenario matches \"{}\"", options.query),
                             Message::Kind::warning)
                         .text());
    return value(ExitCode::nothing_ran);
  }
  const reports::RunDiff found = reports::diff(before, after);
  for (const reports::DiffFormat& format : reports::diff_formats()) {
    if (format.name != options.format) continue;
    cli::write_document(options.out, format.render(before, after, found));
  }
  const bool regressed = found.of(reports::Change::regressed) > 0;
  const bool any = !found.cells.empty();
  const bool met = options.fail_on == "any" ? !any : options.fail_on == "none" || !regressed;
  return value(met ? ExitCode::green : ExitCode::gate);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add(
      {.names = "old",
       .target = &options->before,
       .help = "The older one: a journal, the folder of a run, a report.json, a merged document",
       .required = true});
  takes.add({.names = "new",
             .target = &options->after,
             .help = "The newer one, likewise",
             .required = true});
  takes.add({.names = "-f,--format",
             .target = &options->format,
             .help = "How it is written",
             .shows_default = true,
             .one_of = format_names()});
  takes.add({.names = "-o,--out",
             .target = &options->out,
             .help = "File to write; - is standard output",
             .shows_default = true});
  takes.add({.names = "--fail-on",
             .target = &options->fail_on,
             .help = "Which changes of cells end with exit code 6; host changes never do",
             .shows_default = true,
             .one_of = {"none", "regressions", "any"}});
  cli::add_redaction(takes, options->no_redact);
  takes.add({.names = "-q,--query",
             .target = &options->query,
             .help = "Only scenarios that match in either run; 4 when none does. "
                     "loopscope explain query has the language"});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{
    .name = "diff", .summary = "What changed between two runs or merged documents", .setup = setup};

}  // namespace loopscope::commands::diff
