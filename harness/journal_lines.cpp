// The lines of the journal as JSON text.
#include <nlohmann/json.hpp>

#include "harness/build_info.hpp"
#include "harness/journal.hpp"
#include "loops/api_index.hpp"

namespace loopscope {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// Whatever a child wrote, the line is valid UTF-8.
std::string line(const char* kind, OrderedJson value) {
  return OrderedJson{{kind, std::move(value)}}.dump(-1, ' ', false,
                                                    OrderedJson::error_handler_t::replace);
}

OrderedJson names(std::span<const std::string_view> list) {
  OrderedJson result = OrderedJson::array();
  for (const std::string_view name : list) result.push_back(name);
  return result;
}

OrderedJson capability_ids(CapSet set) {
  OrderedJson result = OrderedJson::array();
  for (const CapInfo& capability : all_caps()) {
    if (set.has(capability.cap)) result.push_back(capability.id);
  }
  return result;
}

OrderedJson loop_row(const LoopDescriptor& loop) {
  return {{"name", loop.name},
          {"family", name(loop.family)},
          {"mechanism", loop.mechanism},
          {"version", library_version(loop)},
          {"native", capability_ids(loop.native)},
          {"emulated", capability_ids(loop.emulated)},
          {"absent_because", loop.absent_because},
          {"clock_resolution_ns", loop.clock_resolution.count()}};
}

OrderedJson scenario_row(const ScenarioFile& file, const Scenario& scenario,
                         const KillTable& kills) {
  const auto killed = kills.find(scenario.id);
  return {{"id", scenario.id},
          {"group", file.group},
          {"topic", file.topic},
          {"promise", scenario.promise},
          {"source", scenario.source},
          {"level", name(scenario.level)},
          {"authority", name(scenario.authority)},
          {"severity", name(scenario.severity)},
          {"needs", capability_ids(scenario.needs)},
          {"api", names(scenario.api)},
          {"facts", names(scenario.facts)},
          {"timing", scenario.timing},
          {"exclusive", scenario.exclusive != Resource::none},
          {"limit_ms", scenario.limit.count()},
          {"kills", killed == kills.end() ? OrderedJson::array() : OrderedJson(killed->second)}};
}

OrderedJson backend_object(const BackendProof& backend) {
  OrderedJson proof = OrderedJson::array();
  for (const Proof& one : backend.proof) proof.push_back({{"how", one.how}, {"value", one.value}});
  return {{"requested", backend.requested},
          {"effective", backend.effective},
          {"proved", backend.proved},
          {"proof", std::move(proof)}};
}

OrderedJson trace_array(const std::vector<TraceEvent>& trace, std::size_t from = 0) {
  OrderedJson result = OrderedJson::array();
  for (std::size_t i = from; i < trace.size(); ++i) {
    result.push_back({{"t_ns", trace[i].t_ns}, {"what", trace[i].what}});
  }
  return result;
}

OrderedJson notes_object(const std::vector<Note>& notes) {
  OrderedJson result = OrderedJson::object();
  for (const Note& note : notes) {
    OrderedJson value;
    std::visit([&](const auto& held) { value = held; }, note.value);
    result[note.key] = {{"value", std::move(value)}, {"unit", note.unit}};
  }
  return result;
}

OrderedJson leaks_array(const std::vector<Leak>& leaks) {
  OrderedJson result = OrderedJson::array();
  for (const Leak& leak : leaks) {
    result.push_back(
        {{"kind", leak.kind}, {"what", leak.what}, {"before", leak.before}, {"after", leak.after}});
  }
  return result;
}

OrderedJson counters_object(const CellStatement& said) {
  OrderedJson waited = OrderedJson::object();
  for (std::size_t i = 0; i < waits::kCalls; ++i) {
    if (said.waits.calls[i] == 0) continue;
    waited[std::string(waits::name(static_cast<waits::Call>(i)))] = said.waits.calls[i];
  }
  return {{"waits", std::move(waited)},
          {"cpu_ns", said.cpu.count()},
          {"max_rss_bytes", said.max_rss_bytes}};
}

template <class T>
OrderedJson or_null(const std::optional<T>& value) {
  return value ? OrderedJson(*value) : OrderedJson(nullptr);
}

/// Of a hang: threads, descriptors, last events. Of a crash: the frames, as one thread's stack.
OrderedJson dossier_object(const CellResult& result) {
  constexpr std::size_t kLastEvents = 50;
  if (result.child.dossier.threads.empty() && result.crash.empty()) return nullptr;
  OrderedJson threads = OrderedJson::array();
  for (const ThreadEvidence& thread : result.child.dossier.threads) {
    threads.push_back({{"tid", thread.tid},
                       {"name", thread.name},
                       {"state", thread.state},
                       {"wchan", thread.wchan},
                       {"stack", thread.stack}});
  }
  if (!result.crash.empty()) {
    threads.push_back(
        {{"tid", 0},
         {"name", result.crash.front()},
         {"state", "crashed"},
         {"wchan", ""},
         {"stack", std::vector<std::string>(result.crash.begin() + 1, result.crash.end())}});
  }
  const std::size_t events = result.trace.size();
  OrderedJson last = OrderedJson::array();
  for (std::size_t i = events > kLastEvents ? events - kLastEvents : 0; i < events; ++i) {
    last.push_back(std::to_string(result.trace[i].t_ns) + " ns " + result.trace[i].what);
  }
  return {{"threads", std::move(threads)},
          {"descriptors", result.child.dossier.descriptors},
          {"last_events", std::move(last)}};
}

OrderedJson control_object(const std::optional<HostControl::Seen>& control) {
  if (!control) return nullptr;
  return {{"worst_late_ns", control->worst.count()}, {"waits", control->waits}};
}

OrderedJson expectation_object(const std::optional<Expectation>& expectation) {
  if (!expectation) return nullptr;
  return {{"outcome", name(expectation->outcome)},
          {"why", expectation->why},
          {"source", expectation->source}};
}

}  // namespace

std::string library_version(const LoopDescriptor& loop) {
  if (loop.make == nullptr || loop.family != Family::reference) return {};
  Result<std::unique_ptr<EventLoop>> made = loop.make(LoopOptions{});
  if (!made.ok()) return {};
  std::string version = made.value()->backend().version;
  (void)made.value()->close();
  return version;
}

std::string header_line(const JournalHeader& header) {
  const BuildInfo build = build_info();
  OrderedJson environment = OrderedJson::object();
  for (const auto& [key, value] : header.environment_options) environment[key] = value;
  OrderedJson shard;
  if (header.shard) {
    shard = {{"index", header.shard->index}, {"count", header.shard->count}, {"deal", header.deal}};
  }
  return line("header", {{"schema", kJournalSchema},
                         {"run_id", header.run_id},
                         {"started_utc", header.started_utc},
                         {"loopscope",
                          {{"version", build.version},
                           {"commit", build.commit},
                           {"compiler", build.compiler},
                           {"build_type", build.build_type}}},
                         {"host", OrderedJson::parse(header.host_json)},
                         {"slack_ms", header.slack_ms},
                         {"jobs", header.jobs},
                         {"repeat", header.repeat},
                         {"limit_scale", header.limit_scale},
                         {"argv", header.argv},
                         {"selection", {{"loops", header.loops}, {"scenarios", header.scenarios}}},
                         {"environment_options", std::move(environment)},
                         {"shard", std::move(shard)}});
}

std::string catalogue_line(std::span<const LoopDescriptor* const> loops,
                           std::span<const ScenarioFile* const> files, const KillTable& kills) {
  OrderedJson loop_rows = OrderedJson::array(), scenario_rows = OrderedJson::array();
  OrderedJson capabilities = OrderedJson::array(), api = OrderedJson::array();
  for (const LoopDescriptor* loop : loops) loop_rows.push_back(loop_row(*loop));
  for (const ScenarioFile* file : files) {
    for (const Scenario& scenario : file->scenarios) {
      scenario_rows.push_back(scenario_row(*file, scenario, kills));
    }
  }
  for (const CapInfo& capability : all_caps()) {
    capabilities.push_back(
        {{"id", capability.id}, {"title", capability.title}, {"anchor", capability.anchor}});
  }
  for (const ApiGroup& group : api_index()) {
    api.push_back({{"title", group.title}, {"entries", names(group.entries)}});
  }
  return line("catalogue", {{"loops", std::move(loop_rows)},
                            {"scenarios", std::move(scenario_rows)},
                            {"capabilities", std::move(capabilities)},
                            {"api", std::move(api)}});
}

std::string fact_line(std::string_view fact_object) {
  return "{\"fact\":" + std::string(fact_object) + "}";
}

std::string plan_line(std::span<const PlannedCell> cells) {
  OrderedJson rows = OrderedJson::array();
  for (const PlannedCell& cell : cells) {
    rows.push_back({{"loop", cell.loop->name},
                    {"scenario", cell.scenario->id},
                    {"repeat", cell.repeat},
                    {"seed", cell.seed},
                    {"decision", name(cell.decision)},
                    {"reason", cell.reason},
                    {"missing_cap", cell.missing_cap},
                    {"missing_fact", cell.missing_fact}});
  }
  return line("plan", {{"cells", std::move(rows)}});
}

std::string cell_line(const CellResult& result) {
  const Finding none;
  const Finding* found = shown_finding(result);
  const Finding& finding = found == nullptr ? none : *found;
  const Scenario& scenario = *result.cell.scenario;
  return line("cell", {{"loop", result.cell.loop->name},
                       {"scenario", scenario.id},
                       {"repeat", result.cell.repeat},
                       {"seed", result.cell.seed},
                       {"outcome", name(result.verdict.outcome)},
                       {"reason", result.verdict.reason},
                       {"level", name(scenario.level)},
                       {"authority", name(scenario.authority)},
                       {"what", finding.what},
                       {"expected", finding.expected},
                       {"observed", finding.observed},
                       {"where", finding.where},
                       {"variant", finding.variant},
                       {"backend", backend_object(result.said.backend)},
                       {"trace", trace_array(result.trace)},
                       {"trace_dropped", result.said.trace_dropped},
                       {"notes", notes_object(result.said.notes)},
                       {"counters", counters_object(result.said)},
                       {"leaks", leaks_array(result.said.leaks)},
                       {"end",
                        {{"exit_code", or_null(result.child.end.exit_code)},
                         {"signal", or_null(result.child.end.signal)},
                         {"killed_at_limit", result.child.end.killed_at_limit}}},
                       {"stderr", result.child.err},
                       {"stdout", result.child.out},
                       {"dossier", dossier_object(result)},
                       {"control", control_object(result.said.control)},
                       {"took_ns", result.child.took.count()},
                       {"limit_ms", result.limit.count() / 1'000'000},
                       {"pid", result.child.pid},
                       {"standing", name(result.standing)},
                       {"expectation", expectation_object(result.expectation)},
                       {"rerun", result.rerun}});
}

std::string footer_line(const JournalFooter& footer) {
  OrderedJson counts = OrderedJson::object();
  for (const auto& [outcome, count] : footer.by_outcome) counts[std::string(name(outcome))] = count;
  return line("footer", {{"planned", footer.planned},
                         {"reported", footer.reported},
                         {"by_outcome", std::move(counts)},
                         {"verdict", footer.verdict},
                         {"exit_code", value(footer.exit_code)},
                         {"interrupted", footer.interrupted},
                         {"ended_utc", footer.ended_utc},
                         {"took_ns", footer.took_ns}});
}

std::string resumed_line(std::string_view at_utc, std::size_t missing) {
  return line("resumed", {{"at_utc", at_utc}, {"missing", missing}});
}

}  // namespace loopscope
