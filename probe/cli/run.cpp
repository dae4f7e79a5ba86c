// loopscope run: facts, plan, cells, journal, reports.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "harness/host.hpp"
#include "harness/kills.hpp"
#include "harness/shard.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"
#include "probe/cli/documents.hpp"
#include "probe/cli/plan_facts.hpp"
#include "probe/cli/run_session.hpp"
#include "probe/environment.hpp"
#include "probe/measure.hpp"
#include "probe/render.hpp"
#include "reports/format.hpp"
#include "reports/load.hpp"

namespace loopscope::commands::run {
namespace {

namespace fs = std::filesystem;

struct Options {
  cli::SelectionOptions selection;
  std::string out = "loopscope-report";
  std::string resume, expectations, shard, durations;
  bool no_redact = false;
  unsigned jobs = 0, repeat = 1;
  std::uint64_t seed = 1;
  std::int64_t slack_ms = 250;
  double limit_scale = 1.0;
  bool allow_fallback = false, no_timing = false, quiet = false;
  std::string flaky = "report";
  cli::LoopChoices loop_choices;
};

std::string new_run_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

/// "linux 6.1.0-13-amd64 x86_64", in lower case: what expectations' patterns are held against.
std::string platform_of(const HostBlock& block) {
  std::string platform;
  for (const std::string_view key : {"os", "kernel", "arch"}) {
    for (const auto& [name, value] : block) {
      const auto* text = std::get_if<std::string>(&value);
      if (name == key && text != nullptr) platform += (platform.empty() ? "" : " ") + *text;
    }
  }
  for (char& c : platform) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return platform;
}

void make_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && !fs::is_directory(folder)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) {
    cli::stop(Message("LS030", fmt::format("the folder {} cannot be made", folder))
                  .fact("because", error.message())
                  .next("loopscope run --out FOLDER"));
  }
}

/// An earlier run's journal is evidence: it gets the first free number, and is never overwritten.
void rotate_journal(const fs::path& journal) {
  std::error_code error;
  if (!fs::exists(journal, error)) return;
  fs::path kept;
  for (int number = 1; kept.empty() || fs::exists(kept); ++number) {
    kept = journal.parent_path() / fmt::format("journal.{}.ndjson", number);
  }
  fs::rename(journal, kept, error);
  if (error) {
    cli::stop(Message("LS030", fmt::format("{} is in the way", journal.string()))
                  .fact("because", error.message()));
  }
  cli::print_error(Message("LS034", fmt::format("the earlier journal is now {}", kept.string()),
                           Message::Kind::note)
                       .text());
}

RunnerOptions runner_options(const Options& options, double limit_scale, std::int64_t slack_ms) {
  RunnerOptions runner = cli::base_runner_options(options.jobs);
  runner.slack = std::chrono::milliseconds(slack_ms);
  runner.limit_scale = limit_scale;
  runner.allow_fallback = options.allow_fallback;
  runner.loop_choices = options.loop_choices.options();
  return runner;
}

void write_report(const reports::Report& report, std::string_view format, const fs::path& path) {
  const Result<std::string> text = reports::render(format, report);
  if (!text.ok()) {
    cli::stop(Message("LS060", fmt::format("{} was not written", path.string()))
                  .fact("because", to_string(text.error())));
  }
  cli::write_document(path.string(), text.value());
  cli::print(fmt::format("{:<12} {}\n", path.filename().string(), path.string()));
}

/// Everything that is printed and written is computed from the journal.
void write_reports(const std::string& journal, const fs::path& folder, bool no_redact) {
  Result<reports::Run> run = reports::load_file(journal);
  if (!run.ok()) {
    cli::stop(Message("LS070", "the journal of this run cannot be read back")
                  .fact("because", to_string(run.error())),
              ExitCode::bug);
  }
  reports::Report report = reports::report_of(std::move(run).value());
  const Result<std::string> text =
      reports::render("console", report, {.colour = cli::colour_on(1)});
  if (text.ok()) cli::print(text.value());
  cli::print(fmt::format("{:<12} {}\n", "journal", journal));
  // The journal and the terminal keep everything; what is passed on does not.
  if (!no_redact) redact(report, cli::local_names());
  write_report(report, "json", folder / "report.json");
  write_report(report, "html", folder / "report.html");
}

/// Of the scenarios of an earlier run.
Durations durations_of(const std::string& path) {
  Durations durations;
  if (path.empty()) return durations;
  const reports::Report earlier = cli::load_report(cli::journal_path(path));
  for (const reports::Run& leg : earlier.legs) {
    for (const reports::Cell& cell : leg.cells) durations[cell.scenario] += cell.took_ns;
  }
  return durations;
}

/// The scenarios of this shard, and the name of the deal.
struct Dealt {
  std::optional<Shard> shard;
  std::vector<const Scenario*> scenarios;
  std::string digest;
};
Dealt deal_for(const Options& options, std::vector<const Scenario*> scenarios) {
  if (options.shard.empty()) return {std::nullopt, std::move(scenarios), {}};
  const std::optional<Shard> shard = parse_shard(options.shard);
  if (!shard) {
    cli::stop(Message("LS001", fmt::format("--shard {} is not INDEX/COUNT", options.shard))
                  .next("loopscope run --shard 1/3"));
  }
  Deal dealt = deal(scenarios, shard->count, durations_of(options.durations));
  return {shard, std::move(dealt.hands[shard->index - 1]), std::move(dealt.digest)};
}

JournalHeader header_for(const Options& options, const RunnerOptions& runner,
                         const HostBlock& block) {
  JournalHeader header{.run_id = new_run_id(),
                       .started_utc = host::utc_now(),
                       .host_json = host_json(block),
                       .slack_ms = options.slack_ms,
                       .jobs = runner.jobs,
                       .repeat = options.repeat,
                       .limit_scale = options.limit_scale,
                       .argv = cli::arguments(),
                       .loops = options.selection.loops,
                       .scenarios = options.selection.scenarios};
  for (const auto& [name, value] : cli::variables_in_use()) {
    header.environment_options[name] = value;
  }
  // In the journal however it was chosen: a run that is taken up again has to use the same.
  for (const auto& [name, value] : options.loop_choices.variables()) {
    if (value != "automatic") header.environment_options[name] = value;
  }
  return header;
}

ExitCode run_fresh(const Options& options) {
  const std::vector<const LoopDescriptor*> loops = cli::select_loops(options.selection.loops);
  const Dealt dealt = deal_for(options, cli::select_scenarios(options.selection.scenarios));
  cli::Session session{.expectations = cli::load_expectations(options.expectations),
                       .runner = runner_options(options, options.limit_scale, options.slack_ms),
                       .flaky_fails = options.flaky == "fail"};
  make_folder(options.out);
  const fs::path journal = fs::path(options.out) / "journal.ndjson";
  rotate_journal(journal);
  Result<std::unique_ptr<JournalWriter>> writer = create_journal(journal.string());
  if (!writer.ok()) {
    cli::stop(Message("LS030", fmt::format("{} cannot be made", journal.string()))
                  .fact("because", to_string(writer.error()))
                  .next("loopscope run --out FOLDER"));
  }
  session.journal = std::move(writer).value();
  session.journal_path = journal.string();

  const HostBlock block = host_environment();
  session.platform = platform_of(block);
  JournalHeader header = header_for(options, session.runner, block);
  header.shard = dealt.shard;
  header.deal = dealt.digest;
  cli::append(session, header_line(header));
  cli::append(session,
              catalogue_line(cli::catalogue_loops(loops), all_scenario_files(), kill_table()));
  const auto deadline = std::chrono::duration_cast<std::chrono::milliseconds>(
      ProbeOptions{}.deadline * std::max(options.limit_scale, 1.0));
  const std::vector<MeasuredFact> facts = measure_facts({}, {.deadline = deadline});
  for (const MeasuredFact& fact : facts) cli::append(session, fact_line(fact_json(fact)));
  cli::keep_those_of(session.expectations, cli::texts_of(facts));
  session.plan = make_plan(
      loops, dealt.scenarios, cli::answers_of(facts),
      {.repeat = options.repeat, .seed = options.seed, .with_timing = !options.no_timing});
  session.states = cli::states_of(session.plan);
  cli::append(session, plan_line(session.plan));
  const ExitCode code = cli::run_session(session);
  write_reports(session.journal_path, options.out, options.no_redact);
  return code;
}

/// The journal's plan in terms of this build; stops when a name is unknown here.
std::vector<PlannedCell> plan_of(const JournalState& state, const std::string& path) {
  std::vector<PlannedCell> plan;
  for (const JournalCell& row : state.cells) {
    PlannedCell cell{.loop = cli::find_loop(row.loop),
                     .scenario = find_scenario(row.scenario),
                     .repeat = row.repeat,
                     .seed = row.seed,
                     .decision = row.decision,
                     .reason = row.reason,
                     .missing_cap = row.missing_cap,
                     .missing_fact = row.missing_fact};
    const bool lost = cell.loop == nullptr || cell.scenario == nullptr ||
                      (cell.decision == Decision::run && cell.loop->make == nullptr);
    if (lost) {
      cli::stop(Message("LS024", fmt::format("{} cannot be resumed with this build", path))
                    .fact("unknown", fmt::format("{} on {}", row.scenario, row.loop)));
    }
    plan.push_back(std::move(cell));
  }
  return plan;
}

JournalState state_of(const std::string& path) {
  Result<JournalState> state = read_journal(path);
  if (state.ok()) return std::move(state).value();
  const bool damaged = state.error().is(Errc::protocol);
  cli::stop(Message(damaged ? "LS021" : "LS020", fmt::format("{} cannot be resumed", path))
                .fact("because", damaged ? state.error().detail : to_string(state.error())));
}

std::size_t count_missing(const JournalState& state) {
  return static_cast<std::size_t>(std::count_if(
      state.cells.begin(), state.cells.end(),
      [](const JournalCell& cell) { return cell.decision == Decision::run && !cell.outcome; }));
}

ExitCode run_resumed(const Options& options) {
  JournalState state = state_of(options.resume);
  const std::size_t missing = count_missing(state);
  if (state.cut_size != 0) {
    cli::print_error(
        Message("LS022", fmt::format("{} ends in the middle of a line", options.resume),
                Message::Kind::warning)
            .fact("dropped",
                  fmt::format("{} bytes after byte {}", state.cut_size, state.sound_size))
            .text());
  }
  if (missing == 0 && state.has_footer && !state.interrupted) {
    cli::print_error(Message("LS023", fmt::format("nothing is missing in {}", options.resume),
                             Message::Kind::note)
                         .text());
  }
  Options as_before = options;
  as_before.loop_choices = {};
  for (const auto& [name, value] : state.header.environment_options) {
    as_before.loop_choices.set(name, value);
  }
  cli::Session session{
      .journal_path = options.resume,
      .plan = plan_of(state, options.resume),
      .states = state.cells,
      .expectations = cli::load_expectations(options.expectations),
      .platform = platform_of(host_environment()),
      .runner = runner_options(as_before, state.header.limit_scale, state.header.slack_ms),
      .flaky_fails = options.flaky == "fail"};
  // Of this system now, as the platform: it decides what the rest of the cells may do.
  cli::keep_those_of(session.expectations, cli::texts_of(measure_facts()));
  Result<std::unique_ptr<JournalWriter>> writer =
      continue_journal(options.resume, state.sound_size);
  if (!writer.ok()) {
    const bool busy = writer.error().code == std::errc::resource_unavailable_try_again ||
                      writer.error().code == std::errc::operation_would_block;
    cli::stop(
        Message(busy ? "LS025" : "LS030", fmt::format("{} cannot be continued", options.resume))
            .fact("because", to_string(writer.error())));
  }
  session.journal = std::move(writer).value();
  cli::append(session, resumed_line(host::utc_now(), missing));
  const ExitCode code = cli::run_session(session);
  const fs::path folder = fs::path(options.resume).parent_path();
  write_reports(options.resume, folder.empty() ? fs::path(".") : folder, options.no_redact);
  return code;
}

int run(const Options& options) {
  host::note_interruptions();
  return value(options.resume.empty() ? run_fresh(options) : run_resumed(options));
}

Action setup(cli::Options& takes) {
  auto options = std::make_shared<Options>();
  Options& o = *options;
  cli::add_selection(takes, o.selection);
  takes.add({.names = "-o,--out",
             .target = &o.out,
             .help = "Folder for journal and reports",
             .shows_default = true});
  cli::add_redaction(takes, o.no_redact);
  takes.add(
      {.names = "--resume", .target = &o.resume, .help = "Journal of a run to take up again"});
  takes.add(
      {.names = "-j,--jobs", .target = &o.jobs, .help = "Cells at a time (default: the CPUs)"});
  takes.add({.names = "--repeat",
             .target = &o.repeat,
             .help = "Repetitions of each cell",
             .within = {{1, 10'000}}});
  takes.add({.names = "--seed", .target = &o.seed, .help = "Seed of the first repetition"});
  takes.add({.names = "--slack-ms",
             .target = &o.slack_ms,
             .help = "How late a timer may be",
             .shows_default = true,
             .within = {{1, 60'000}}});
  takes.add({.names = "--limit-scale",
             .target = &o.limit_scale,
             .help = "Multiplies every cell's limit, and what a fact may take",
             .shows_default = true,
             .within = {{0.1, 1000.0}}});
  takes.add({.names = "--allow-fallback",
             .target = &o.allow_fallback,
             .help = "Do not judge the effective backend"});
  takes.add({.names = "--no-timing",
             .target = &o.no_timing,
             .help = "Skip scenarios that depend on timing"});
  takes.add({.names = "--flaky",
             .target = &o.flaky,
             .help = "What repetitions that differ do to the exit code",
             .shows_default = true,
             .one_of = {"report", "fail"}});
  takes.add(
      {.names = "--shard",
       .target = &o.shard,
       .help = "INDEX/COUNT: this part of the scenarios, 1/3 to 3/3; the others run elsewhere"});
  takes.add({.names = "--durations",
             .target = &o.durations,
             .help = "Report or journal of an earlier run, by whose times shards are balanced"});
  takes.add({.names = "--expectations",
             .target = &o.expectations,
             .help = "Folder of <loop>.json files instead of those compiled in"});
  cli::add_loop_choices(takes, o.loop_choices);
  return [options] { return run(*options); };
}

}  // namespace

extern const Command command{
    .name = "run",
    .summary = "Measure the facts, run the scenarios against the loops, write the report",
    .setup = setup};

}  // namespace loopscope::commands::run
