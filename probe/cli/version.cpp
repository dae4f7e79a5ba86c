// loopscope version: what this program is and what it was built from.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/build_info.hpp"
#include "harness/journal.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"

namespace loopscope::commands::version {
namespace {

std::string as_text(const BuildInfo& build) {
  std::string text = fmt::format("loopscope {}\n", build.version);
  const auto line = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) text += fmt::format("  {:<11} {}\n", key, value);
  };
  line("commit", build.commit);
  line("compiler", build.compiler);
  line("build", build.build_type);
  line("sanitizers", build.sanitizers);
  line("journal", kJournalSchema);
  return text;
}

std::string as_json(const BuildInfo& build) {
  const nlohmann::ordered_json json = {{"schema", "loopscope.version/1"},
                                       {"version", build.version},
                                       {"commit", build.commit},
                                       {"compiler", build.compiler},
                                       {"build_type", build.build_type},
                                       {"sanitizers", build.sanitizers},
                                       {"journal_schema", kJournalSchema},
                                       {"loops", all_loops().size()},
                                       {"scenarios", cli::scenario_ids().size()}};
  return json.dump(2) + "\n";
}

Action setup(cli::Options& takes) {
  auto json = std::make_shared<bool>(false);
  takes.add({.names = "--json", .target = json.get(), .help = "As JSON"});
  return [json] {
    cli::print(*json ? as_json(build_info()) : as_text(build_info()));
    return value(ExitCode::green);
  };
}

}  // namespace

extern const Command command{
    .name = "version", .summary = "Print the version and what it was built from", .setup = setup};

}  // namespace loopscope::commands::version
