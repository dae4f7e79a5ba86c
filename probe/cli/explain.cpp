// loopscope explain: everything about one id.
#include <fmt/format.h>

#include <algorithm>

#include "harness/kills.hpp"
#include "harness/testing/faulty.hpp"
#include "probe/cli/about_fact.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/sheet.hpp"
#include "reports/query.hpp"

namespace loopscope::commands::explain {
namespace {

using cli::Sheet;

std::string joined(Names names) { return fmt::format("{}", fmt::join(names, ", ")); }

std::string capability_list(CapSet set) {
  std::vector<std::string_view> ids;
  for (const CapInfo& capability : all_caps()) {
    if (set.has(capability.cap)) ids.push_back(capability.id);
  }
  return joined(ids);
}

const ScenarioFile* file_of(const Scenario& scenario) {
  for (const ScenarioFile* file : all_scenario_files()) {
    for (const Scenario& candidate : file->scenarios) {
      if (&candidate == &scenario) return file;
    }
  }
  return nullptr;
}

std::string about(const Scenario& scenario) {
  const KillTable kills = kill_table();
  const auto killed = kills.find(scenario.id);
  const ScenarioFile* file = file_of(scenario);
  Sheet sheet(fmt::format("scenario {}", scenario.id));
  sheet.line("promise", scenario.promise).line("source", scenario.source);
  if (file != nullptr) sheet.line("group", fmt::format("{} {}", file->group, file->topic));
  sheet
      .line("level",
            fmt::format("{}, authority {}: {}", name(scenario.level), name(scenario.authority),
                        can_fail(scenario.level, scenario.authority)
                            ? "a loop that breaks it fails"
                            : "a loop that breaks it diverges, and stays green"))
      .line("severity", name(scenario.severity))
      .line("needs", capability_list(scenario.needs))
      .line("facts", joined(scenario.facts))
      .line("api", joined(scenario.api))
      .line("runs", scenario.timing ? "alone: it depends on timing"
                    : scenario.exclusive != Resource::none
                        ? "beside others, but none that takes as much of the same"
                        : "beside others")
      .line("limit", fmt::format("{} ms", scenario.limit.count()))
      .line("catches", killed == kills.end() ? "(no faulty loop names it)"
                                             : fmt::format("{}", fmt::join(killed->second, ", ")));
  for (const LoopDescriptor* loop : all_loops()) {
    if (loop->make == nullptr) continue;
    const CapSet missing = scenario.needs.without(loop->native | loop->emulated);
    sheet.line(loop->name, missing.empty() ? fmt::format("{} cell --loop {} --scenario {}",
                                                         cli::invoked_as(), loop->name, scenario.id)
                                           : "unsupported: it lacks " + capability_list(missing));
  }
  return sheet.text();
}

/// What the loop says of itself when it is made here and now.
std::string found_here(const LoopDescriptor& loop) {
  const Result<std::unique_ptr<EventLoop>> made = loop.make(LoopOptions{});
  if (!made.ok()) return "refused: " + to_string(made.error());
  const BackendInfo info = (*made)->backend();
  return info.mechanism + (info.version.empty() ? "" : ", " + info.version);
}

std::string about(const LoopDescriptor& loop) {
  Sheet sheet(fmt::format("loop {}", loop.name));
  sheet.line("family", name(loop.family))
      .line("mechanism", loop.mechanism)
      .line("absent", loop.absent_because)
      .line("native", capability_list(loop.native))
      .line("emulated", capability_list(loop.emulated))
      .line("lacks", capability_list(CapSet::all().without(loop.native | loop.emulated)))
      .line("waits with", joined(loop.wait_calls))
      .line("waits on", loop.wait_descriptor_kind)
      .line("resolution", fmt::format("{} ns", loop.clock_resolution.count()));
  for (const Rung& rung : loop.ladder) {
    sheet.line("level", fmt::format("{:<8} {}", rung.name, rung.uses));
  }
  if (const testing::FaultyLoop* faulty = testing::find_faulty(loop.name)) {
    sheet.line("defect", faulty->defect)
        .line("must fail", joined(faulty->must_fail))
        .line("must pass", joined(faulty->must_pass));
  } else if (loop.make != nullptr) {
    sheet.line("here", found_here(loop));
  }
  if (loop.make != nullptr) {
    sheet.line("run", fmt::format("{} run --loop {}", cli::invoked_as(), loop.name));
  }
  return sheet.text();
}

std::string about(const MessageInfo& message) {
  return Sheet(fmt::format("message {}: {}", message.id, message.title))
      .line("meaning", message.meaning)
      .line("remedy", message.remedy)
      .text();
}

std::vector<std::string> everything() {
  std::vector<std::string> known = cli::scenario_ids();
  known.emplace_back("query");
  const auto add = [&](std::vector<std::string> more) {
    known.insert(known.end(), more.begin(), more.end());
  };
  add(cli::loop_names());
  add(cli::fact_ids());
  for (const LoopDescriptor* loop : all_loops()) known.emplace_back(name(loop->family));
  for (const CapInfo& capability : all_caps()) known.emplace_back(capability.id);
  for (const MessageInfo& message : all_messages()) known.emplace_back(message.id);
  return known;
}

std::string about(const CapInfo& capability) {
  Sheet sheet(fmt::format("capability {}", capability.id));
  sheet.line("title", capability.title).line("source", capability.anchor);
  for (const LoopDescriptor* loop : all_loops()) {
    sheet.line(loop->name, name(loop->support(capability.cap)));
  }
  return sheet.text();
}

int run(const std::string& id) {
  std::string text;
  if (const Scenario* scenario = find_scenario(id)) text += about(*scenario);
  if (const LoopDescriptor* loop = cli::find_loop(id)) text += about(*loop);
  for (const LoopDescriptor* loop : all_loops()) {
    if (name(loop->family) == id) text += about(*loop);
  }
  if (const MessageInfo* message = find_message(id)) text += about(*message);
  if (const std::optional<Cap> cap = cap_by_id(id)) text += about(info(*cap));
  const std::vector<std::string> facts = cli::fact_ids();
  if (std::find(facts.begin(), facts.end(), id) != facts.end()) text += cli::about_fact(id);
  if (id == "query") text += reports::query_help();
  if (text.empty()) cli::unknown_id("id", id, everything());
  cli::print(text);
  return value(ExitCode::green);
}

Action setup(cli::Options& takes) {
  auto id = std::make_shared<std::string>();
  takes.add({.names = "id",
             .target = id.get(),
             .help = "A scenario, fact, loop, family of loops, capability or message; \"query\"",
             .required = true});
  return [id] { return run(*id); };
}

}  // namespace

extern const Command command{
    .name = "explain",
    .summary = "Explain one scenario, fact, loop, family, capability or message",
    .setup = setup};

}  // namespace loopscope::commands::explain
