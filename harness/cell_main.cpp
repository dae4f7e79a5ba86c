// The cell: make the loop, run the body, take everything down, and say what happened.
#include "harness/cell_main.hpp"

#include <fmt/format.h>

#include <map>
#include <thread>

#include "harness/backend_proof.hpp"
#include "harness/cell_channel.hpp"
#include "harness/host.hpp"
#include "harness/snapshot.hpp"

namespace loopscope {
namespace {

Finding broken(std::string why) { return {.outcome = Outcome::broken, .what = std::move(why)}; }

/// A promise that an exception broke: red only where the promise is one of a published text.
Finding escaped(const Scenario& scenario, std::string what, std::string observed) {
  const bool red = can_fail(scenario.level, scenario.authority);
  return {.outcome = red ? Outcome::fail : Outcome::diverges,
          .what = std::move(what),
          .variant = red ? "" : std::string(name(scenario.level)) + " not kept",
          .expected = "no exception",
          .observed = std::move(observed)};
}

/// Runs `step`; what it throws becomes a finding, in the words of `what`.
template <class Step>
std::optional<Finding> guarded(const Scenario& scenario, std::string_view what, Step step) {
  try {
    step();
    return std::nullopt;
  } catch (const CheckFailed&) {
    return std::nullopt;  // The Context has the finding.
  } catch (const HostLacks& lack) {
    return Finding{.outcome = Outcome::skip, .what = lack.reason()};
  } catch (const PeerFailure& failure) {
    return broken("harness: " + to_string(failure.error()));
  } catch (const ExitException& exit) {
    return escaped(scenario, std::string(what), exit.reason());
  } catch (const std::exception& error) {
    return escaped(scenario, std::string(what), error.what());
  } catch (...) {
    return escaped(scenario, std::string(what), "an exception of an unknown type");
  }
}

/// make() refused: a limit of this system is an answer, anything else is a fault.
Finding refused_to_start(const Error& error) {
  const bool system_says_no = error.is(Errc::not_supported) ||
                              error.code == std::errc::function_not_supported ||
                              error.code == std::errc::operation_not_permitted ||
                              error.code == std::errc::permission_denied ||
                              error.code == std::errc::operation_not_supported;
  return {.outcome = system_says_no ? Outcome::unsupported : Outcome::broken,
          .what = (system_says_no ? "" : "start: ") + to_string(error)};
}

void collect(const Context& cx, CellStatement& statement) {
  statement.notes = cx.notes();
  statement.control = cx.control();
  statement.trace = cx.trace().events();
  if (statement.trace.size() > Trace::kSent) {
    statement.trace_dropped = statement.trace.size() - Trace::kSent;
  }
}

/// Body and teardown. The subject and the Context are gone when this returns.
void run_body(const CellRequest& request, CellStatement& statement, BackendEvidence& evidence) {
  const Scenario& scenario = *request.scenario;
  const std::map<os::NativeSocket, std::string> before_make = descriptor_links();
  std::optional<Context> cx;
  try {
    cx.emplace(*request.loop, scenario, request.seed, request.slack,
               scaled(scenario.limit, request.limit_scale));
  } catch (const Failure& failure) {
    statement.finding = refused_to_start(failure.error());
    return;
  }
  evidence = look_at(cx->loop(), before_make);
  const auto conclude = [&](std::optional<Finding> finding) {
    if (finding) cx->conclude(std::move(*finding));
  };
  conclude(guarded(scenario, "no exception leaves the scenario's body", [&] {
    scenario.body(*cx);
    cx->join_threads();
  }));
  conclude(guarded(scenario, "the scenario's threads end", [&] { cx->join_threads(); }));
  if (!cx->finding()) cell::say("{\"said\":\"pass\"}");
  conclude(guarded(scenario, "no exception leaves close()",
                   [&] { cx->ok(cx->close_subject(), "the loop closes after the scenario"); }));
  statement.finding = cx->finding();
  collect(*cx, statement);
}

/// ThreadSanitizer starts a thread of its own with the first that a forked process starts: not a
/// leak of a loop's.
void start_sanitizer() {
#if defined(__SANITIZE_THREAD__)
  std::thread([] {}).join();
#endif
}

/// A library's first loop sets up what it keeps for the life of the process. That is no leak; a
/// second loop that leaves more is one. Loops of ours keep nothing, and get no such grace.
void warm_up(const LoopDescriptor& descriptor, CapSet needs) {
  if (descriptor.family != Family::reference) return;
  Result<std::unique_ptr<EventLoop>> made = descriptor.make(LoopOptions{});
  if (!made.ok()) return;  // the cell's own loop will tell what is wrong
  EventLoop& loop = **made;
  // A pool that the library has for the whole process is started by the first job or lookup.
  constexpr CapSet kPooled{Cap::run_in_executor, Cap::getaddrinfo, Cap::create_connection,
                           Cap::create_server};
  if (descriptor.native.has(Cap::run_in_executor) && !(needs & kPooled).empty()) {
    (void)loop.run_until_complete(loop.run_in_executor([] {}));
  }
  (void)loop.close();
}

void judge(CellStatement& statement) {
  if (statement.finding) {
    statement.outcome = statement.finding->outcome;
    statement.reason = statement.finding->what;
  }
  const bool kept = statement.outcome == Outcome::pass || statement.outcome == Outcome::diverges;
  if (kept && !statement.leaks.empty()) {
    statement.outcome = Outcome::leak;
    statement.reason = describe_leaks(statement.leaks);
  }
  const bool ran = statement.outcome != Outcome::unsupported && statement.outcome != Outcome::skip;
  if (ran && !statement.backend.fallback.empty()) {
    statement.outcome = Outcome::broken;
    statement.reason = statement.backend.fallback;
  }
}

void prove_backend(const CellRequest& request, BackendEvidence& evidence,
                   CellStatement& statement) {
  statement.waits = evidence.waits = waits::inside_loops();
  const bool claims = evidence.monitored && !request.loop->wait_calls.empty();
  if (evidence.seen && claims && evidence.waits.total() == 0) {
    statement.sibling_hangs = !turn_sibling(*request.loop);
    evidence.sibling_waits = waits::inside_loops();
  }
  statement.backend = judge_backend(*request.loop, evidence);
  if (request.allow_fallback) statement.backend.fallback.clear();
}

}  // namespace

std::string describe_leaks(const std::vector<Leak>& leaks) {
  const Leak& first = leaks.front();
  const std::string more = leaks.size() == 1 ? "" : fmt::format(", and {} more", leaks.size() - 1);
  return fmt::format("left behind: {} {}{}", first.kind, first.what, more);
}

CellStatement run_cell(const CellRequest& request) {
  using namespace std::chrono_literals;
  start_sanitizer();
  warm_up(*request.loop, request.scenario->needs);
  CellStatement statement;
  BackendEvidence evidence;
  const Snapshot before = take_snapshot();
  cell::begin_clock();
  run_body(request, statement, evidence);
  statement.leaks = differences(before, settle_snapshot(before, 200ms));
  prove_backend(request, evidence, statement);
  statement.cpu = host::process_cpu_time();
  statement.max_rss_bytes = host::max_resident_bytes();
  judge(statement);
  return statement;
}

}  // namespace loopscope
