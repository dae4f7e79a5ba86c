// Scheduling cells over a few threads, each of which watches one child at a time.
#include "harness/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "harness/cell_server.hpp"
#include "harness/host.hpp"
#include "harness/plan.hpp"

namespace loopscope {
namespace {

/// A number for each cell of this process, for the names of its directory and its mark.
std::uint64_t next_number() {
  static std::atomic<std::uint64_t> number{0};
  return ++number;
}

Duration limit_of(const PlannedCell& cell, const RunnerOptions& options) {
  return scaled(options.limit_for ? options.limit_for(cell) : Duration(cell.scenario->limit),
                options.limit_scale);
}

/// What the cell's scenario multiplies its own limit by.
double limit_scale_of(const PlannedCell& cell, const RunnerOptions& options) {
  return std::chrono::duration<double>(limit_of(cell, options)) /
         std::chrono::duration<double>(cell.scenario->limit);
}

ChildCommand command_for(const PlannedCell& cell, const RunnerOptions& options,
                         const std::string& directory, const std::string& mark) {
  const auto slack_ms = options.slack.count() / 1'000'000;
  ChildCommand command{
      .arguments = {"cell", "--loop", std::string(cell.loop->name), "--scenario",
                    std::string(cell.scenario->id), "--repeat", std::to_string(cell.repeat),
                    "--seed", std::to_string(cell.seed), "--slack-ms", std::to_string(slack_ms)},
      .environment = {{"LOOPSCOPE_CELL_DIR", directory},
                      {"LOOPSCOPE_CELL_ID", mark},
                      {"TMPDIR", directory}},
      .directory = directory,
      .limit = limit_of(cell, options)};
  if (const double scale = limit_scale_of(cell, options); scale != 1.0) {
    command.arguments.insert(command.arguments.end(), {"--limit-scale", fmt::format("{}", scale)});
  }
  if (options.allow_fallback) command.arguments.emplace_back("--allow-fallback");
  command.arguments.insert(command.arguments.end(), options.loop_choices.begin(),
                           options.loop_choices.end());
  return command;
}

CellResult not_started(const PlannedCell& cell, const RunnerOptions& options, const Error& error) {
  CellResult result{.cell = cell, .limit = limit_of(cell, options)};
  result.child.end.not_started = true;
  result.verdict = {Outcome::broken, "start: " + to_string(error)};
  result.rerun = rerun_command(cell, options);
  return result;
}

/// Runs one cell in a process of its own. The server is started when there is none.
Result<CellResult> run_isolated(const PlannedCell& cell, const RunnerOptions& options,
                                std::unique_ptr<CellServer>& server) {
  const std::uint64_t number = next_number();
  const std::string directory = fmt::format("{}/{}", options.temp_root, number);
  const std::string mark = fmt::format("{}-{}", host::process_id(), number);
  std::error_code error;
  std::filesystem::create_directory(directory, error);
  if (error) return not_started(cell, options, Error{error, "mkdir", directory});
  if (server == nullptr || server->gone()) {
    Result<std::unique_ptr<CellServer>> started = CellServer::start(options.executable);
    if (!started.ok()) return not_started(cell, options, started.error());
    server = std::move(started).value();
  }
  Result<ChildReport> report =
      server->run(command_for(cell, options, directory, mark), options.stop);
  host::remove_tree(directory);
  if (!report.ok()) {
    if (report.error().is(Errc::cancelled)) return report.error();
    return not_started(cell, options, report.error());
  }
  CellResult result = interpret(cell, std::move(report).value(), limit_of(cell, options));
  result.rerun = rerun_command(cell, options);
  return result;
}

using Cells = std::vector<const PlannedCell*>;

struct Queue {
  std::span<const PlannedCell* const> cells;
  std::atomic<std::size_t> next{0};
};

/// What the threads of one batch share.
struct Batch {
  const RunnerOptions& options;
  const OnResult& on_result;
  std::atomic<bool> over{false};
  std::mutex mutex;
  std::exception_ptr failure{};
};

void work(Batch& batch, Queue& queue, std::unique_ptr<CellServer>& server) {
  RunnerOptions options = batch.options;
  options.stop = [&batch] {
    return batch.over.load() || (batch.options.stop && batch.options.stop());
  };
  while (!options.stop()) {
    const std::size_t index = queue.next.fetch_add(1);
    if (index >= queue.cells.size()) return;
    Result<CellResult> result = run_isolated(*queue.cells[index], options, server);
    if (!result.ok()) return;  // cancelled: the cell stays without a result
    const std::lock_guard lock(batch.mutex);
    if (batch.over.load()) return;
    if (!batch.on_result(std::move(result).value())) batch.over = true;
  }
}

/// Each chain is the work of one thread, cell after cell, which then takes part in the rest.
void run_batch(std::span<const Cells> chains, const Cells& cells, unsigned jobs,
               const RunnerOptions& options, const OnResult& on_result) {
  Batch batch{.options = options, .on_result = on_result};
  Queue shared{.cells = cells};
  const auto guarded = [&](std::size_t thread) {
    try {
      std::unique_ptr<CellServer> server;
      for (std::size_t i = thread; i < chains.size(); i += jobs) {
        Queue chain{.cells = chains[i]};
        work(batch, chain, server);
      }
      work(batch, shared, server);
    } catch (...) {
      const std::lock_guard lock(batch.mutex);
      batch.failure = std::current_exception();
      batch.over = true;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < jobs; ++i) threads.emplace_back(guarded, i);
  guarded(0);
  for (std::thread& thread : threads) thread.join();
  if (batch.failure) std::rethrow_exception(batch.failure);
}

}  // namespace

std::string rerun_command(const PlannedCell& cell, const RunnerOptions& options) {
  std::string command = fmt::format("{} cell --loop {} --scenario {} --seed {}", options.invoked_as,
                                    cell.loop->name, cell.scenario->id, cell.seed);
  const auto slack_ms = options.slack.count() / 1'000'000;
  if (slack_ms != 250) command += fmt::format(" --slack-ms {}", slack_ms);
  if (options.limit_scale != 1.0) command += fmt::format(" --limit-scale {}", options.limit_scale);
  if (options.allow_fallback) command += " --allow-fallback";
  for (const std::string& word : options.loop_choices) command += " " + word;
  return command;
}

void run_cells(std::span<const PlannedCell> cells, const RunnerOptions& options,
               const OnResult& on_result) {
  Cells together, alone;
  std::array<Cells, kResources> chains;  // the first one stays empty
  for (const PlannedCell& cell : cells) {
    if (cell.decision != Decision::run) continue;
    const Resource much = cell.scenario->exclusive;
    (runs_alone(cell)         ? alone
     : much == Resource::none ? together
                              : chains[static_cast<std::size_t>(much)])
        .push_back(&cell);
  }
  bool go_on = true;
  const OnResult watched = [&](CellResult result) {
    go_on = on_result(std::move(result));
    return go_on;
  };
  run_batch(std::span(chains).subspan(1), together, std::max(options.jobs, 1U), options, watched);
  if (go_on) run_batch({}, alone, 1, options, watched);
}

}  // namespace loopscope
