// Run: everything that one journal says, as values. Report: one run, or several as its legs.
// Documents are computed from it and from nothing else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "harness/outcome.hpp"

namespace loopscope::reports {

/// A value of a free-form field. Null is an answer too.
using Scalar =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>>;
/// Free-form fields in the order of the journal's keys.
using Fields = std::vector<std::pair<std::string, Scalar>>;

/// A scalar as a reader would write it: "yes", "-", "1.5", "a, b".
std::string to_text(const Scalar& value);
/// A field by its key as text; empty when it is missing.
std::string text_of(const Fields& fields, std::string_view key);

struct Header {
  std::string schema, run_id, started_utc;
  Fields tool;  // version, commit, compiler, build_type
  Fields host;  // os, kernel, arch, libc, cpus ...
  std::int64_t slack_ms = 0, jobs = 0, repeat = 1;
  double limit_scale = 1.0;
  std::vector<std::string> argv, selected_loops, selected_scenarios;
  Fields environment_options;
  std::int64_t shard_index = 0, shard_count = 0;  // 0: all scenarios
  std::string shard_deal;                         // shards of one run have the same
  friend bool operator==(const Header&, const Header&) = default;
};

struct LoopRow {
  std::string name, family, mechanism, version, absent_because;
  std::vector<std::string> native, emulated;  // capability ids
  std::int64_t clock_resolution_ns = 0;
  friend bool operator==(const LoopRow&, const LoopRow&) = default;
};

struct ScenarioRow {
  std::string id, group, topic, promise, source, level, authority, severity, file;
  std::vector<std::string> needs, api, facts, kills;
  bool timing = false, exclusive = false;
  std::int64_t limit_ms = 0;
  friend bool operator==(const ScenarioRow&, const ScenarioRow&) = default;
};

struct CapabilityRow {
  std::string id, title, anchor;
  friend bool operator==(const CapabilityRow&, const CapabilityRow&) = default;
};

struct ApiGroupRow {
  std::string title;
  std::vector<std::string> entries;
  friend bool operator==(const ApiGroupRow&, const ApiGroupRow&) = default;
};

struct Catalogue {
  std::vector<LoopRow> loops;  // in column order
  std::vector<ScenarioRow> scenarios;
  std::vector<CapabilityRow> capabilities;
  std::vector<ApiGroupRow> api;
  friend bool operator==(const Catalogue&, const Catalogue&) = default;
};

struct FactEvidence {
  std::string call, result, errno_name;
  std::int64_t errno_value = 0;
  friend bool operator==(const FactEvidence&, const FactEvidence&) = default;
};

struct FactTableRow {
  std::string name;
  std::vector<std::pair<std::string, std::string>> cells;
  friend bool operator==(const FactTableRow&, const FactTableRow&) = default;
};

struct Samples {
  std::int64_t n = 0;
  double min = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
  friend bool operator==(const Samples&, const Samples&) = default;
};

struct CurvePoint {
  double x = 0;
  std::optional<double> value;  // null: the reason says why
  std::string reason, note;
  std::optional<Samples> samples;
  friend bool operator==(const CurvePoint&, const CurvePoint&) = default;
};

struct Curve {
  std::string over;  // what x counts
  std::vector<CurvePoint> points;
  friend bool operator==(const Curve&, const Curve&) = default;
};

struct FactConflict {
  std::string one, one_says, other, other_says;
  friend bool operator==(const FactConflict&, const FactConflict&) = default;
};

struct Fact {
  std::string id, question, source, mechanism, group, why, how;
  Scalar value;
  std::string unit, reason, method, effect, privilege, note;
  std::vector<FactEvidence> evidence;
  std::vector<FactTableRow> table;
  std::optional<Samples> samples;
  std::optional<Curve> curve;
  std::vector<FactConflict> conflicts;
  std::int64_t took_ns = 0;
  friend bool operator==(const Fact&, const Fact&) = default;
};

struct TraceEvent {
  std::int64_t t_ns = 0;
  std::string what;
  friend bool operator==(const TraceEvent&, const TraceEvent&) = default;
};

struct Note {
  std::string key;
  Scalar value;
  std::string unit;
  friend bool operator==(const Note&, const Note&) = default;
};

struct Proof {
  std::string how, value;
  friend bool operator==(const Proof&, const Proof&) = default;
};

struct Backend {
  std::string requested, effective;
  bool proved = false;
  std::vector<Proof> proof;
  friend bool operator==(const Backend&, const Backend&) = default;
};

struct Leak {
  std::string kind, what, before, after;
  friend bool operator==(const Leak&, const Leak&) = default;
};

struct End {
  std::optional<std::int64_t> exit_code, signal;
  bool killed_at_limit = false;
  friend bool operator==(const End&, const End&) = default;
};

struct ThreadState {
  std::int64_t tid = 0;
  std::string name, state, wchan;
  std::vector<std::string> stack;
  friend bool operator==(const ThreadState&, const ThreadState&) = default;
};

/// What was recorded of a child that hung, before it was killed, or that crashed.
struct Dossier {
  std::vector<ThreadState> threads;
  std::vector<std::string> descriptors, last_events;
  friend bool operator==(const Dossier&, const Dossier&) = default;
};

struct Expectation {
  std::string outcome, why, source;
  friend bool operator==(const Expectation&, const Expectation&) = default;
};

/// One planned cell and its result. A skip or an unsupported one has only the plan's words.
struct Cell {
  std::string loop, scenario;
  std::int64_t repeat = 0, seed = 0;
  Outcome outcome = Outcome::notrun;
  bool ran = false;  // the journal has a result line; false: the plan decided, or it is missing
  std::string reason, missing_cap, missing_fact;
  std::string level, authority, what, expected, observed, where, variant;
  std::optional<Backend> backend;
  std::vector<TraceEvent> trace;
  std::int64_t trace_dropped = 0;
  std::vector<Note> notes;
  Fields counters;  // nested ones are flattened: "waits.epoll_pwait2"
  std::vector<Leak> leaks;
  std::optional<End> end;
  std::string err, out;  // what it wrote, bounded
  std::optional<Dossier> dossier;
  Fields control;
  std::int64_t took_ns = 0, limit_ms = 0, pid = 0;
  std::string standing;  // "as_expected", "unexpected", "stale_expectation"
  std::optional<Expectation> expectation;
  std::string rerun;
  friend bool operator==(const Cell&, const Cell&) = default;
};

struct Footer {
  std::int64_t planned = 0, reported = 0, exit_code = 0, took_ns = 0;
  Fields by_outcome;
  std::string verdict, ended_utc;
  bool interrupted = false;
  friend bool operator==(const Footer&, const Footer&) = default;
};

/// What a query left of a run.
struct Restriction {
  std::string query;
  std::size_t scenarios = 0, of = 0;  // planned and shown, of how many planned
  friend bool operator==(const Restriction&, const Restriction&) = default;
};

/// What was taken out of a run before it was shared.
struct Redaction {
  std::vector<std::string> fields;  // where something was replaced: "header.argv", "cell.stderr"
  friend bool operator==(const Redaction&, const Redaction&) = default;
};

/// One run on one machine. In a report of several it is a leg.
struct Run {
  /// Where it ran, and with which mechanisms withheld: "linux-x86_64", "linux-x86_64+uring=plain",
  /// or what the person who merged calls it. Lower-case letters, digits, "_", ".", "+", "=", "-".
  std::string platform;
  Header header;
  Catalogue catalogue;
  std::vector<Fact> facts;
  std::vector<Cell> cells;  // in the order of the plan, one for each planned cell
  std::optional<Footer> footer;
  /// False when the journal has no footer, when the run was interrupted, or when a planned cell
  /// has no result; `incomplete_because` says which.
  bool complete = false;
  std::string incomplete_because;
  std::int64_t resumed = 0;            // how often the run was taken up again
  std::optional<Redaction> redaction;  // none: its texts are as they were recorded

  const Cell* find(std::string_view loop, std::string_view scenario, std::int64_t repeat = 0) const;
  const Fact* fact(std::string_view id) const;
  const ScenarioRow* scenario(std::string_view id) const;
  const LoopRow* loop(std::string_view name) const;
  friend bool operator==(const Run&, const Run&) = default;
};

/// The label that a run has by itself, from its host and its environment options.
std::string platform_of(const Header& header);

/// Whether it may be a label: not empty, and of the characters that Run::platform has.
bool is_platform_name(std::string_view label);

/// What is rendered. Legs of the same platform are parts of one matrix, as shards are: no loop,
/// scenario and repeat has two results on one platform.
struct Report {
  std::vector<Run> legs;                   // by platform, then by start; at least one
  std::optional<Restriction> restriction;  // set when something was left out on request
};

/// The shards of one run that were seen, and which ones are not there.
class ShardsSeen {
 public:
  void add(const std::string& platform, const Header& header);
  struct Missing {
    std::string platform;
    std::int64_t index = 0, count = 0;
  };
  /// By platform, then by index.
  std::vector<Missing> missing() const;

 private:
  std::map<std::tuple<std::string, std::string, std::int64_t>, std::set<std::int64_t>> seen_;
};

/// A report of one run.
Report report_of(Run run);
/// By platform, then by start, then by id: the order that a report's legs have.
void sort_legs(Report& report);

/// A run, or the legs of a report: what most functions on reports take. Views, never owns.
class Legs {
 public:
  Legs(const Run& run) : runs_(&run, 1) {}            // NOLINT: implicit
  Legs(const Report& report) : runs_(report.legs) {}  // NOLINT: implicit
  explicit Legs(std::span<const Run> runs) : runs_(runs) {}
  auto begin() const { return runs_.begin(); }
  auto end() const { return runs_.end(); }
  std::size_t size() const { return runs_.size(); }
  const Run& front() const { return runs_.front(); }
  bool several() const { return runs_.size() > 1; }

  /// Those of each platform; precondition: sorted by platform, as in a Report.
  std::vector<Legs> by_platform() const;
  const std::string& platform() const { return front().platform; }
  /// The first leg's answer, or null.
  const Fact* fact(std::string_view id) const;
  /// The row of the leg that started last: newer rules replace older ones. Null when unknown.
  const ScenarioRow* scenario(std::string_view id) const;
  /// The first row in which the loop is present, or else any; null when unknown.
  const LoopRow* loop(std::string_view name) const;
  /// The union of the legs' catalogues: rows in the order of the first leg that has them.
  Catalogue catalogue() const;
  /// "epoll", and "epoll @ linux-x86_64" among several legs.
  std::string column(const Run& leg, std::string_view loop) const;
  bool complete() const;
  /// Empty when complete; with the platforms' names among several legs.
  std::string incomplete_because() const;
  std::size_t planned() const;  // cells

 private:
  std::span<const Run> runs_;
};

/// A cell, and the leg that it belongs to. Stands for the cell.
struct PlacedCell {
  const Run* leg = nullptr;
  const Cell* cell = nullptr;
  const Cell& operator*() const { return *cell; }
  const Cell* operator->() const { return cell; }
  operator const Cell*() const { return cell; }  // NOLINT: implicit
};
/// All cells of all legs, in their order.
std::vector<PlacedCell> cells_of(Legs legs);

}  // namespace loopscope::reports
