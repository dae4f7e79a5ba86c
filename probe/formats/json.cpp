// Probe format "json": everything, for programs; see reports/schema/probe.schema.json.
#include "probe/format.hpp"

namespace loopscope::probe_formats::json {

extern const ProbeFormat format{.name = "json",
                                .description = "everything, for programs, with a schema",
                                .render = [](const Probed& probed, const ProbeTextOptions&) {
                                  return probe_json(probed.facts, probed.host, probed.took);
                                }};

}  // namespace loopscope::probe_formats::json
