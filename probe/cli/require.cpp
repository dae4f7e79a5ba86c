// loopscope require: which event loops of a machine a program can use, and why not the others.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "harness/patterns.hpp"
#include "loops/event_loop.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/documents.hpp"
#include "probe/machine.hpp"
#include "probe/measure.hpp"
#include "probe/profile.hpp"
#include "probe/requirements.hpp"

namespace loopscope::commands::require {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string profile, facts, format = "text", out = "-";
};

struct Answer {
  Profile profile;
  Machine machine;
  bool here;  // measured now
  std::vector<LoopFit> ranking;
};

const ShippedProfile* find_shipped(std::string_view name) {
  for (const ShippedProfile& shipped : shipped_profiles()) {
    if (shipped.name == name) return &shipped;
  }
  return nullptr;
}

std::vector<std::string> shipped_names() {
  std::vector<std::string> names;
  for (const ShippedProfile& shipped : shipped_profiles()) names.emplace_back(shipped.name);
  return names;
}

/// A shipped profile by its name, or the text of a file.
std::string profile_text(const std::string& wanted) {
  if (const ShippedProfile* shipped = find_shipped(wanted)) return std::string(shipped->toml);
  const bool is_path = wanted.find('/') != wanted.npos || wanted.ends_with(".toml");
  std::error_code ignored;
  if (!is_path && !std::filesystem::exists(wanted, ignored)) {
    const std::vector<std::string> names = shipped_names();
    cli::stop(Message("LS010", fmt::format("no profile is called \"{}\"", wanted))
                  .fact("near", fmt::format("{}", fmt::join(near_matches(wanted, names), ", ")))
                  .fact("shipped", fmt::format("{}", fmt::join(names, ", ")))
                  .fact("likely", "a file is meant: then its name has to end in .toml"));
  }
  errno = 0;
  std::ifstream file(wanted, std::ios::binary);
  const bool folder = std::filesystem::is_directory(wanted, ignored);
  if (!file || folder) {
    const std::error_code why(folder ? EISDIR : errno, std::generic_category());
    cli::stop(Message("LS020", fmt::format("the profile {} cannot be read", wanted))
                  .fact("because", why.message()));
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

Profile load_profile(const std::string& wanted) {
  Vocabulary vocabulary{.facts = cli::fact_ids(), .capabilities = {}};
  for (const CapInfo& cap : all_caps()) vocabulary.capabilities.emplace_back(cap.id);
  const std::string name = std::filesystem::path(wanted).stem().string();
  Result<Profile> profile = read_profile(profile_text(wanted), name, vocabulary);
  if (profile.ok()) return std::move(profile).value();
  cli::stop(Message("LS015", fmt::format("the profile {} cannot be used", wanted))
                .fact("because", profile.error().detail)
                .next("loopscope list facts"));
}

Machine load_machine(const std::string& path) {
  Result<Machine> machine = read_machine_file(path);
  if (machine.ok()) return std::move(machine).value();
  const bool damaged = machine.error().is(Errc::protocol);
  cli::stop(Message(damaged ? "LS016" : "LS020", fmt::format("{} cannot be used", path))
                .fact("because", damaged ? machine.error().detail : to_string(machine.error()))
                .next("loopscope probe --format json"));
}

/// Asks this machine what the profile needs to know.
Machine measure(const Profile& profile) {
  std::string selection;
  for (const std::string& id : facts_needed(profile, all_loops())) {
    selection += (selection.empty() ? "" : ",") + id;
  }
  const std::vector<MeasuredFact> facts = measure_facts(selection);
  return machine_of(facts, host_environment());
}

/// Here a loop can also be made: its own refusal knows more than the facts.
std::string refusal_of(const LoopDescriptor& loop) {
  const auto made = loop.make({});
  return made.ok() ? std::string() : to_string(made.error());
}

std::string reading(const LoopFit& fit) {
  const auto musts = fit.count(true, Met::satisfied);
  const auto wants = fit.count(false, Met::satisfied);
  const auto all = [&](bool must) {
    return std::count_if(fit.judged.begin(), fit.judged.end(),
                         [&](const Judged& one) { return one.must == must; });
  };
  std::string text = fmt::format("{} of {} musts", musts, all(true));
  if (all(false) > 0) text += fmt::format(", {} of {} wants", wants, all(false));
  if (fit.emulated() > 0) text += fmt::format(", {} emulated", fit.emulated());
  return text;
}

void print_judged(std::string& page, const Judged& one, std::size_t width) {
  fmt::format_to(std::back_inserter(page), "  {} {:<9}  {:<{}}  {}", one.must ? "must" : "want",
                 name(one.met), one.id, width, one.because);
  if (one.met != Met::satisfied && one.kind != "loop") {
    fmt::format_to(std::back_inserter(page), "; needs {}", one.needs);
  }
  page += "\n";
}

std::string as_text(const Answer& answer) {
  const Machine& machine = answer.machine;
  std::string page = fmt::format("{}: {}\n", answer.profile.name, answer.profile.title);
  if (!answer.profile.about.empty()) page += answer.profile.about + "\n";
  fmt::format_to(std::back_inserter(page), "{} {} {}, {}\n", answer.here ? "measured on" : "for",
                 machine.host_text("os"), machine.host_text("kernel"), machine.host_text("arch"));
  std::size_t width = 0;
  for (const LoopFit& fit : answer.ranking) {
    for (const Judged& one : fit.judged) width = std::max(width, one.id.size());
  }
  // The worst first: it is what a reader looks for.
  const auto print = [&](const LoopFit& fit, bool own) {
    for (const Met met : {Met::missing, Met::unknown, Met::satisfied}) {
      for (const bool must : {true, false}) {
        for (const Judged& one : fit.judged) {
          if (one.own == own && one.met == met && one.must == must) print_judged(page, one, width);
        }
      }
    }
  };
  page += "\nthis machine, whatever the loop\n";
  print(answer.ranking.front(), false);
  std::size_t place = 0;
  for (const LoopFit& fit : answer.ranking) {
    fmt::format_to(std::back_inserter(page), "\n{}. {} {} ({})\n", ++place, fit.loop->name,
                   fit.fits() ? "fits" : "does not fit", reading(fit));
    print(fit, true);
  }
  return page;
}

Json counts(const LoopFit& fit, bool must) {
  return {{"satisfied", fit.count(must, Met::satisfied)},
          {"missing", fit.count(must, Met::missing)},
          {"unknown", fit.count(must, Met::unknown)}};
}

std::string as_json(const Answer& answer) {
  Json ranking = Json::array();
  Json fitting = Json::array();
  for (const LoopFit& fit : answer.ranking) {
    Json judged = Json::array();
    for (const Judged& one : fit.judged) {
      judged.push_back({{"level", one.must ? "must" : "want"},
                        {"kind", one.kind},
                        {"id", one.id},
                        {"needs", one.needs},
                        {"result", name(one.met)},
                        {"because", one.because},
                        {"emulated", one.emulated}});
    }
    ranking.push_back({{"loop", fit.loop->name},
                       {"fits", fit.fits()},
                       {"must", counts(fit, true)},
                       {"want", counts(fit, false)},
                       {"emulated", fit.emulated()},
                       {"requirements", std::move(judged)}});
    if (fit.fits()) fitting.push_back(fit.loop->name);
  }
  const Json document{{"schema", "loopscope.require/1"},
                      {"profile",
                       {{"name", answer.profile.name},
                        {"title", answer.profile.title},
                        {"about", answer.profile.about}}},
                      {"machine",
                       {{"measured_now", answer.here},
                        {"os", answer.machine.host_text("os")},
                        {"kernel", answer.machine.host_text("kernel")},
                        {"arch", answer.machine.host_text("arch")},
                        {"libc", answer.machine.host_text("libc")}}},
                      {"fits", std::move(fitting)},
                      {"ranking", std::move(ranking)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

int run(const Options& options) {
  Answer answer{.profile = load_profile(options.profile),
                .machine = {},
                .here = options.facts.empty(),
                .ranking = {}};
  answer.machine = answer.here ? measure(answer.profile) : load_machine(options.facts);
  answer.ranking = rank(answer.profile, answer.machine, all_loops(),
                        answer.here ? refusal_of : std::function<Refusal>());
  cli::write_document(options.out, options.format == "json" ? as_json(answer) : as_text(answer));
  const bool any = std::any_of(answer.ranking.begin(), answer.ranking.end(),
                               [](const LoopFit& fit) { return fit.fits(); });
  return value(any ? ExitCode::green : ExitCode::gate);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "profile",
             .target = &options->profile,
             .help = fmt::format("A TOML file, or one of: {}", fmt::join(shipped_names(), ", ")),
             .required = true});
  takes.add({.names = "--facts",
             .target = &options->facts,
             .help = "A saved probe or report.json of another machine (default: ask this one)"});
  takes.add({.names = "-f,--format",
             .target = &options->format,
             .help = "text or json",
             .shows_default = true,
             .one_of = {"text", "json"}});
  takes.add({.names = "-o,--out",
             .target = &options->out,
             .help = "File to write; - is standard output",
             .shows_default = true});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{
    .name = "require",
    .summary = "Rank the event loops by what a program needs; 6 when none fits",
    .setup = setup};

}  // namespace loopscope::commands::require
