// Machine: what is known of one machine, measured now or read from a report of another one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loops/base/result.hpp"
#include "probe/environment.hpp"
#include "probe/probe.hpp"
#include "probe/statistics.hpp"

namespace loopscope {

/// True for a yes, a number above zero, a text or a set that is not empty.
bool holds(const FactValue& value);

/// A fact without its evidence.
struct KnownFact {
  std::string id;
  FactValue value{};
  std::string unit, reason, note;  // as the JSON has them
  std::optional<Quantiles> samples{};
};

struct Machine {
  HostBlock host;
  std::vector<KnownFact> facts;  // in the order of the report
  /// By exact id; null when the report does not have it.
  const KnownFact* find(std::string_view id) const;
  /// A field of the host block as text; empty when it is missing.
  std::string host_text(std::string_view field) const;
};

/// What was measured, without the evidence.
Machine machine_of(std::span<const MeasuredFact> facts, HostBlock host);

/// Reads what `loopscope probe --format json` or the report.json of a run says, in one pass; what
/// is not asked for here, evidence and cells, is skipped and takes no memory.
/// errors  Errc::protocol; the detail is "line N: " and what is wrong there: no JSON, another
///         schema, no host, no facts, a fact without an id or an answer, or with two answers.
Result<Machine> read_machine(std::string_view json);
/// The same for a file; an unreadable one gives the system's error.
Result<Machine> read_machine_file(const std::string& path);

}  // namespace loopscope
