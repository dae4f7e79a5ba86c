// Probe format "text": a table for a reader.
#include "probe/format.hpp"

namespace loopscope::probe_formats::text {

extern const ProbeFormat format{
    .name = "text",
    .description = "a table for a reader",
    .render = [](const Probed& probed, const ProbeTextOptions& options) {
      return probe_text(probed.facts, probed.host, probed.took, options);
    }};

}  // namespace loopscope::probe_formats::text
