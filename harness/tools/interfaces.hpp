// Interfaces: which addresses this host has beside loopback.
#pragma once

#include <optional>

#include "loops/os/net.hpp"

namespace loopscope::tools {

/// A link-local IPv6 address (fe80::...) of an interface that is up, with its scope, port 0.
std::optional<Endpoint> link_local_address();

}  // namespace loopscope::tools
