// loopscope merge: the runs of many machines in one document.
#include "reports/merge.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "harness/patterns.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/documents.hpp"

namespace loopscope::commands::merge {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> files, expected, notrun;
  std::string out;
  bool mixed_rev = false, keep_going = false, no_redact = false;
};

std::string platform_name(const std::string& name) {
  if (reports::is_platform_name(name)) return name;
  cli::stop(Message("LS001", fmt::format("\"{}\" is no name for a platform", name))
                .fact("allowed", "small letters, digits, and _ . + = -"));
}

/// "NAME=FILE", unless a file is called so.
reports::MergeInput input_of(const std::string& word) {
  std::error_code ignored;
  const std::size_t equals = word.find('=');
  if (fs::exists(word, ignored) || equals == std::string::npos || equals == 0) {
    return {cli::journal_path(word), ""};
  }
  return {cli::journal_path(word.substr(equals + 1)), platform_name(word.substr(0, equals))};
}

/// Those of --expect-legs, and those of --notrun with their reasons.
reports::ExpectedLegs expected_legs(const Options& options) {
  reports::ExpectedLegs legs;
  for (const std::string& name : split_patterns(options.expected)) legs[platform_name(name)] = "";
  for (const std::string& word : options.notrun) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals + 1 == word.size()) {
      cli::stop(Message("LS001", fmt::format("--notrun {} is not NAME=REASON", word)));
    }
    reports::expect(legs, {{platform_name(word.substr(0, equals)), word.substr(equals + 1)}});
  }
  return legs;
}

void print_refusals(const reports::MergeResult& result, bool keep_going) {
  for (const reports::Refusal& refusal : result.refused) {
    cli::print_error(Message("LS027", fmt::format("{} was not merged", refusal.path),
                             keep_going ? Message::Kind::warning : Message::Kind::error)
                         .fact("because", refusal.why)
                         .text());
  }
}

int run(const Options& options) {
  std::vector<reports::MergeInput> inputs;
  for (const std::string& word : options.files) inputs.push_back(input_of(word));
  reports::MergeOptions how{
      .expected = expected_legs(options), .mixed_rules = options.mixed_rev, .redact = {}};
  if (!options.no_redact) how.redact = cli::local_names();
  reports::MergeResult result;
  cli::write_document(options.out, [&](std::ostream& out) {
    result = reports::merge(inputs, how, out);
    return result.refused.empty() || (options.keep_going && result.legs > 0);
  });
  print_refusals(result, options.keep_going);
  const bool written = result.refused.empty() || (options.keep_going && result.legs > 0);
  if (!written) return value(ExitCode::usage);
  for (const std::string& name : result.missing) {
    cli::print_error(
        Message("LS028", fmt::format("the leg {} is missing", name), Message::Kind::warning)
            .fact("because", "it was expected, and nothing that was merged is of it")
            .text());
  }
  if (options.out != "-") {
    cli::print(
        fmt::format("{} legs, {} cells{}{}: {}\n", result.legs, result.cells,
                    result.same == 0 ? "" : fmt::format(", {} given twice", result.same),
                    result.incomplete == 0 ? "" : fmt::format(", {} incomplete", result.incomplete),
                    options.out));
  }
  const bool whole = result.refused.empty() && result.missing.empty() && result.incomplete == 0;
  return value(whole ? ExitCode::green : ExitCode::unknown);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "files",
             .target = &options->files,
             .help = "Journals, folders of runs, report.json files, merged documents; NAME=FILE "
                     "gives a run another platform name",
             .required = true});
  takes.add({.names = "-o,--out",
             .target = &options->out,
             .help = "The merged document; - is standard output",
             .required = true});
  takes.add({.names = "--expect-legs",
             .target = &options->expected,
             .help = "Platform names, a list: one that no file is of is notrun, and the result 2"});
  takes.add({.names = "--notrun",
             .target = &options->notrun,
             .help = "NAME=REASON: as --expect-legs, for a platform of which it is known why"});
  takes.add({.names = "--mixed-rev",
             .target = &options->mixed_rev,
             .help = "Also runs whose scenarios are not the same promises"});
  cli::add_redaction(takes, options->no_redact);
  takes.add({.names = "--keep-going",
             .target = &options->keep_going,
             .help = "Merge what is sound when a file is refused; the result is 2 then, not 64"});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{.name = "merge",
                             .summary =
                                 "Merge the runs of many machines into one document; 2 when "
                                 "something is incomplete or left out",
                             .setup = setup};

}  // namespace loopscope::commands::merge
