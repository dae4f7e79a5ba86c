// loopscope report: a journal into a document.
#include <fmt/format.h>

#include <algorithm>

#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/documents.hpp"
#include "reports/format.hpp"
#include "reports/tally.hpp"

namespace loopscope::commands::report {
namespace {

struct Options {
  std::string journal, format = "console", out = "-", query, baseline, kills;
  std::vector<std::string> beside;
  bool no_redact = false;
};

std::string list_of_formats() {
  std::string text;
  for (const reports::Format* format : all_formats()) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", format->name);
  }
  return text;
}

void restrict_to(reports::Report& report, const std::string& query) {
  const std::vector<std::string> ids = cli::matching_scenarios(query, report);
  report = reports::restricted(std::move(report), query, {ids.begin(), ids.end()});
}

/// What the page shows beside the report. Lives as long as it is rendered.
struct Beside {
  reports::Report baseline;
  reports::Kills kills;
};

void must_be_there(const std::string& platform, const reports::Report& report) {
  std::vector<std::string_view> known;
  for (const reports::Run& leg : report.legs) known.push_back(leg.platform);
  if (std::find(known.begin(), known.end(), platform) != known.end()) return;
  cli::stop(Message("LS001", fmt::format("no platform is called \"{}\"", platform))
                .fact("known", fmt::format("{}", fmt::join(known, ", "))));
}

/// "OTHER" for every platform, "PLATFORM:OTHER" for one.
reports::Beside platforms_beside(const std::vector<std::string>& words,
                                 const reports::Report& report) {
  reports::Beside chosen;
  for (const std::string& word : words) {
    const std::size_t colon = word.find(':');
    const bool of_one = colon != std::string::npos;
    const std::string platform = of_one ? word.substr(0, colon) : "";
    const std::string other = of_one ? word.substr(colon + 1) : word;
    if (of_one) must_be_there(platform, report);
    must_be_there(other, report);
    chosen[platform] = other;
  }
  return chosen;
}

/// The report gives names away as long as it has them, so its own come out later.
void load_beside(const Options& options, const reports::Report& report, Beside& beside,
                 reports::RenderOptions& how) {
  const bool asked = !(options.baseline + options.kills).empty() || !options.beside.empty();
  if (options.format != "html" && asked) {
    cli::stop(Message("LS001", "--baseline, --beside and --kills are for the page")
                  .fact("format", options.format)
                  .next("loopscope report JOURNAL --format html --baseline OLD"));
  }
  how.beside = platforms_beside(options.beside, report);
  if (!options.baseline.empty()) {
    beside.baseline = cli::load_report(cli::journal_path(options.baseline));
    if (!options.no_redact) redact(beside.baseline, cli::local_names());
    if (!options.query.empty()) restrict_to(beside.baseline, options.query);
    how.baseline = &beside.baseline;
  }
  if (!options.kills.empty()) {
    beside.kills = cli::load_kills(options.kills);
    if (!options.no_redact) redact(beside.kills, report.legs, cli::local_names());
    how.kills = &beside.kills;
  }
}

int run(const Options& options) {
  const reports::Format* format = reports::find_format(options.format);
  if (format == nullptr) {
    cli::stop(Message("LS001", fmt::format("no format is called \"{}\"", options.format))
                  .fact("known", list_of_formats()));
  }
  const std::string path = cli::journal_path(options.journal);
  reports::Report loaded = cli::load_report(path);
  cli::warn_if_incomplete(loaded, path);
  const bool to_terminal = options.out == "-";
  reports::RenderOptions how{.colour = to_terminal && cli::colour_on(1)};
  Beside beside;
  load_beside(options, loaded, beside, how);
  if (!options.no_redact) redact(loaded, cli::local_names());
  if (!options.query.empty()) restrict_to(loaded, options.query);
  const Result<std::string> text = format->render(loaded, how);
  if (!text.ok()) {
    cli::stop(Message("LS070", fmt::format("{} could not be rendered", options.format))
                  .fact("because", to_string(text.error())),
              ExitCode::bug);
  }
  cli::write_document(options.out, text.value());
  if (loaded.restriction && loaded.restriction->scenarios == 0) return value(ExitCode::nothing_ran);
  const std::string verdict = reports::verdict(loaded);
  if (verdict == "red") return value(ExitCode::red);
  return value(verdict == "green" ? ExitCode::green : ExitCode::unknown);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "journal",
             .target = &options->journal,
             .help = "A journal, the folder of a run, a report.json, or a merged document",
             .required = true});
  takes.add({.names = "-f,--format",
             .target = &options->format,
             .help = "One of: " + list_of_formats(),
             .shows_default = true});
  takes.add({.names = "-o,--out",
             .target = &options->out,
             .help = "File to write; - is standard output",
             .shows_default = true});
  cli::add_redaction(takes, options->no_redact);
  takes.add({.names = "-q,--query",
             .target = &options->query,
             .help = "Only scenarios that match, and the verdict of these; 4 when none does. "
                     "loopscope explain query has the language"});
  takes.add({.names = "--baseline",
             .target = &options->baseline,
             .help = "For html: another report; the page shows what changed since"});
  takes.add({.names = "--beside",
             .target = &options->beside,
             .help = "For html: the platform that others are compared with, or PLATFORM:OTHER for "
                     "one of them"});
  takes.add(
      {.names = "--kills",
       .target = &options->kills,
       .help = "For html: what loopscope selftest --out wrote; the page shows the kill matrix"});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{.name = "report",
                             .summary =
                                 "Turn the journal of a run into a document; the exit "
                                 "code is the run's verdict",
                             .setup = setup};

}  // namespace loopscope::commands::report
