// Facts as text for a reader and as JSON for a program.
#pragma once

#include <chrono>
#include <span>
#include <string>

#include "probe/environment.hpp"
#include "probe/probe.hpp"

namespace loopscope {

struct ProbeTextOptions {
  int width = 100;      // columns; 80 at least
  bool colour = false;  // escape sequences; the caller knows about NO_COLOR and terminals
};

/// The value with its unit, as a reader wants it: "65536 bytes", "1.08 ms", "yes", "-".
std::string value_text(const FactResult& result);

/// The bounds and quantiles of samples: "20 samples: min 9 us, p50 10 us, p90 12 us, max 20 us";
/// empty without samples.
std::string samples_text(std::span<const double> samples, Unit unit);
/// A point of a curve: "1000: 29 us (min 28.9 us, p90 29 us, max 31 us)", or why it is null.
std::string point_text(const CurvePoint& point, Unit unit);

/// A table grouped by mechanism, and the table facts after it.
/// What does not fit together stands between them.
std::string probe_text(std::span<const MeasuredFact> facts, const HostBlock& host,
                       std::chrono::nanoseconds took, const ProbeTextOptions& options = {});

/// The object of the journal's "fact" line, on one line. Always valid UTF-8.
std::string fact_json(const MeasuredFact& fact);
/// The object of the header's "host", on one line.
std::string host_json(const HostBlock& host);
/// The document "loopscope.probe/1", indented; see reports/schema/probe.schema.json.
std::string probe_json(std::span<const MeasuredFact> facts, const HostBlock& host,
                       std::chrono::nanoseconds took);

}  // namespace loopscope
