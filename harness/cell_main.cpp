// The cell: make the loop, run the body, take everything down, and say what happened.
#include "harness/cell_main.hpp"

#include <fmt/format.h>

#include "harness/cell_channel.hpp"
#include "harness/host.hpp"

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
void run_body(const CellRequest& request, CellStatement& statement) {
  const Scenario& scenario = *request.scenario;
  std::optional<Context> cx;
  try {
    cx.emplace(*request.loop, scenario, request.seed, request.slack);
  } catch (const Failure& failure) {
    statement.finding = refused_to_start(failure.error());
    return;
  }
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

void judge(CellStatement& statement) {
  if (statement.finding) {
    statement.outcome = statement.finding->outcome;
    statement.reason = statement.finding->what;
  }
  const bool kept = statement.outcome == Outcome::pass || statement.outcome == Outcome::diverges;
  if (kept && !statement.leaks.empty()) {
    statement.outcome = Outcome::leak;
    const Leak& first = statement.leaks.front();
    statement.reason = fmt::format(
        "left behind: {} {}{}", first.kind, first.what,
        statement.leaks.size() == 1 ? "" : fmt::format(" and {} more", statement.leaks.size() - 1));
  }
}

}  // namespace

CellStatement run_cell(const CellRequest& request) {
  cell::begin_clock();
  CellStatement statement;
  statement.backend.requested = std::string(request.loop->name);
  run_body(request, statement);
  statement.waits = waits::inside_loops();
  statement.cpu = host::process_cpu_time();
  statement.max_rss_bytes = host::max_resident_bytes();
  judge(statement);
  return statement;
}

}  // namespace loopscope
