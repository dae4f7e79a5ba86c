// loopscope fleet: the reports of many machines; who has a fact, who lacks it, who does not know.
#include "probe/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/patterns.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/documents.hpp"
#include "probe/machine.hpp"

namespace loopscope::commands::fleet {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> paths, facts;
  std::string format = "text", out = "-";
};

struct Broken {
  std::string path, why;
  bool damaged;  // else it could not be read
};

struct Collected {
  Fleet fleet;
  std::vector<Broken> broken;
};

/// The files that were named, and the *.json below the folders that were named, in order.
std::vector<std::string> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> below;
    const auto options = fs::directory_options::skip_permission_denied;
    for (auto at = fs::recursive_directory_iterator(path, options, error);
         !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      if (at->path().extension() == ".json") below.push_back(at->path().string());
    }
    if (error) {
      cli::stop(Message("LS020", fmt::format("{} cannot be read", path))
                    .fact("because", error.message()));
    }
    std::sort(below.begin(), below.end());
    files.insert(files.end(), below.begin(), below.end());
  }
  return files;
}

/// A few files at a time on every CPU; they are counted in their order.
Collected collect(const std::vector<std::string>& files) {
  constexpr std::size_t kBatch = 64;
  Collected all;
  for (std::size_t begin = 0; begin < files.size(); begin += kBatch) {
    const std::size_t size = std::min(kBatch, files.size() - begin);
    std::vector<std::optional<Result<Machine>>> read(size);
    const auto cpus = static_cast<std::size_t>(std::max(effective_cpus(), 1));
    const auto work = [&](std::size_t first) {
      for (std::size_t i = first; i < size; i += cpus)
        read[i] = read_machine_file(files[begin + i]);
    };
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(cpus, size); ++i) threads.emplace_back(work, i);
    work(0);
    threads.clear();
    for (std::size_t i = 0; i < size; ++i) {
      const std::string& path = files[begin + i];
      Result<Machine>& machine = *read[i];
      if (machine.ok()) {
        all.fleet.add(machine.value(), path);
        continue;
      }
      const bool damaged = machine.error().is(Errc::protocol);
      all.broken.push_back(
          {path, damaged ? machine.error().detail : to_string(machine.error()), damaged});
    }
  }
  return all;
}

/// What was asked for, with what the fleet knows of it.
struct View {
  const Collected& all;
  std::vector<FleetMachine> machines;
  std::vector<Fleet::FactRow> facts;
  std::vector<std::size_t> shown;  // places in facts
  bool names_machines;             // the facts were selected
};

std::size_t at(const Fleet::Counts& counts, Stand stand) {
  return counts.at(static_cast<std::size_t>(stand));
}

std::string counts_text(const Fleet::Counts& counts) {
  std::string text = fmt::format("{} have, {} lack, {} unknown", at(counts, Stand::has),
                                 at(counts, Stand::lacks), at(counts, Stand::unknown));
  const std::size_t elsewhere = at(counts, Stand::not_applicable);
  return elsewhere == 0 ? text : text + fmt::format(", {} not applicable", elsewhere);
}

std::string machine_text(const FleetMachine& machine) {
  return fmt::format("{} {} {} {}{}", machine.identity, machine.os, machine.kernel, machine.arch,
                     machine.layer.empty() ? "" : ", " + machine.layer);
}

std::string values_text(const Fleet::FactRow& row) {
  if (row.number) {
    const std::string unit = row.unit.empty() || row.unit == "count" ? "" : " " + row.unit;
    return row.least == row.most ? fmt::format("{:.15g}{}", row.least, unit)
                                 : fmt::format("{:.15g} to {:.15g}{}", row.least, row.most, unit);
  }
  std::string text;
  for (const auto& [value, count] : row.values) {
    text += fmt::format("{}\"{}\" {}", text.empty() ? "" : ", ", value, count);
  }
  return text;
}

void print_who(std::string& page, const View& view, std::size_t fact) {
  constexpr std::size_t kShown = 20;
  for (const Stand stand : {Stand::has, Stand::lacks, Stand::unknown}) {
    std::size_t count = 0;
    for (std::size_t m = 0; m < view.machines.size(); ++m) {
      if (view.all.fleet.stand(m, fact) != stand || ++count > kShown) continue;
      fmt::format_to(std::back_inserter(page), "    {:<7}  {}\n", name(stand),
                     machine_text(view.machines[m]));
    }
    if (count > kShown) {
      fmt::format_to(std::back_inserter(page), "    {:<7}  ... and {} more\n", name(stand),
                     count - kShown);
    }
  }
}

std::string as_text(const View& view) {
  const auto layered =
      std::count_if(view.machines.begin(), view.machines.end(),
                    [](const FleetMachine& machine) { return !machine.layer.empty(); });
  std::string page =
      fmt::format("{} machines, {} of them layered, from {} reports; {} files broken\n",
                  view.machines.size(), layered, view.all.fleet.reports(), view.all.broken.size());
  for (const std::size_t i : view.shown) {
    const Fleet::FactRow& row = view.facts[i];
    fmt::format_to(std::back_inserter(page), "\n{}\n  {}\n", row.id, counts_text(row.plain));
    if (layered > 0) {
      fmt::format_to(std::back_inserter(page), "  layered  {}\n", counts_text(row.layered));
    }
    if (const std::string kernels = kernel_statement(row.kernels); !kernels.empty()) {
      fmt::format_to(std::back_inserter(page), "  kernels  {}\n", kernels);
    }
    if (const std::string values = values_text(row); !values.empty()) {
      fmt::format_to(std::back_inserter(page), "  values   {}\n", values);
    }
    if (view.names_machines) print_who(page, view, i);
  }
  return page;
}

Json to_json(const Fleet::Counts& counts) {
  return {{"has", at(counts, Stand::has)},
          {"lacks", at(counts, Stand::lacks)},
          {"unknown", at(counts, Stand::unknown)},
          {"not_applicable", at(counts, Stand::not_applicable)}};
}

Json to_json(const FleetMachine& machine) {
  return {{"identity", machine.identity},
          {"os", machine.os},
          {"kernel", machine.kernel},
          {"arch", machine.arch},
          {"layer", machine.layer},
          {"reports", machine.reports},
          {"first_report", machine.first_report}};
}

Json to_json(const View& view, std::size_t fact) {
  const Fleet::FactRow& row = view.facts[fact];
  Json values = Json::object();
  for (const auto& [value, count] : row.values) values[value] = count;
  Json object{
      {"id", row.id},
      {"plain", to_json(row.plain)},
      {"layered", to_json(row.layered)},
      {"kernels", kernel_statement(row.kernels)},
      {"values", std::move(values)},
      {"range",
       row.number ? Json{{"least", row.least}, {"most", row.most}, {"unit", row.unit}} : Json()}};
  if (!view.names_machines) return object;
  for (const Stand stand : {Stand::has, Stand::lacks, Stand::unknown}) {
    Json who = Json::array();
    for (std::size_t m = 0; m < view.machines.size(); ++m) {
      if (view.all.fleet.stand(m, fact) == stand) who.push_back(view.machines[m].identity);
    }
    object["who"][std::string(name(stand))] = std::move(who);
  }
  return object;
}

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string as_json(const View& view) {
  Json machines = Json::array(), facts = Json::array(), broken = Json::array();
  for (const FleetMachine& machine : view.machines) machines.push_back(to_json(machine));
  for (const std::size_t i : view.shown) facts.push_back(to_json(view, i));
  for (const Broken& one : view.all.broken) {
    broken.push_back({{"path", one.path}, {"because", one.why}});
  }
  return dump({{"schema", "loopscope.fleet/1"},
               {"reports", view.all.fleet.reports()},
               {"machines", std::move(machines)},
               {"facts", std::move(facts)},
               {"broken", std::move(broken)}},
              2);
}

std::string as_ndjson(const View& view) {
  std::string page = dump({{"schema", "loopscope.fleet/1"},
                           {"reports", view.all.fleet.reports()},
                           {"machines", view.machines.size()}},
                          -1);
  for (const FleetMachine& machine : view.machines)
    page += dump({{"machine", to_json(machine)}}, -1);
  for (const std::size_t i : view.shown) page += dump({{"fact", to_json(view, i)}}, -1);
  for (const Broken& one : view.all.broken) {
    page += dump({{"broken", {{"path", one.path}, {"because", one.why}}}}, -1);
  }
  return page;
}

std::vector<std::size_t> select(const std::vector<Fleet::FactRow>& facts,
                                const std::vector<std::string>& patterns) {
  std::vector<std::string> known;
  for (const Fleet::FactRow& row : facts) known.push_back(row.id);
  for (const std::string& pattern : patterns) {
    if (std::none_of(known.begin(), known.end(),
                     [&](const std::string& id) { return matches(pattern, id); })) {
      cli::unknown_id("fact", pattern, known);
    }
  }
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (patterns.empty() || selected(patterns, known[i])) shown.push_back(i);
  }
  return shown;
}

int run(const Options& options) {
  const Collected all = collect(files_of(options.paths));
  for (const Broken& one : all.broken) {
    cli::print_error(
        Message(one.damaged ? "LS016" : "LS020", fmt::format("{} is left out", one.path))
            .fact("because", one.why)
            .text());
  }
  const ExitCode bad = all.broken.empty() ? ExitCode::green : ExitCode::usage;
  if (all.fleet.reports() == 0) {
    if (all.broken.empty()) {
      cli::print_error(Message("LS012", "no report is there")
                           .next("loopscope probe --format json -o FOLDER/NAME.json")
                           .text());
    }
    return value(all.broken.empty() ? ExitCode::nothing_ran : bad);
  }
  View view{.all = all,
            .machines = all.fleet.machines(),
            .facts = all.fleet.facts(),
            .shown = {},
            .names_machines = !options.facts.empty()};
  view.shown = select(view.facts, split_patterns(options.facts));
  cli::write_document(options.out, options.format == "json"     ? as_json(view)
                                   : options.format == "ndjson" ? as_ndjson(view)
                                                                : as_text(view));
  return value(bad);
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  takes.add({.names = "paths",
             .target = &options->paths,
             .help = "Reports (probe or report.json), and folders of them",
             .required = true});
  takes.add({.names = "-F,--fact",
             .target = &options->facts,
             .help = "Ids, globs, prefixes; names the machines as well (default: count all)"});
  takes.add({.names = "-f,--format",
             .target = &options->format,
             .help = "text, json or ndjson",
             .shows_default = true,
             .one_of = {"text", "json", "ndjson"}});
  takes.add({.names = "-o,--out",
             .target = &options->out,
             .help = "File to write; - is standard output",
             .shows_default = true});
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{.name = "fleet",
                             .summary = "Count the machines that have a fact, over many reports",
                             .setup = setup};

}  // namespace loopscope::commands::fleet
