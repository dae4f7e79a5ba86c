// Which machine a report is about: told by what was measured, because names of versions repeat.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "probe/environment.hpp"
#include "probe/probe.hpp"

namespace loopscope {

/// True for a field of the host block that stays the same however the probe was started: the
/// kernel, the libraries, the layers, the privilege; not the limits of the shell.
bool identifies(std::string_view host_field);
/// True for a fact that stays the same between two probes of a machine: answered with yes or no,
/// and not about the streams that this process was given.
bool identifies(std::string_view fact, const FactValue& value);

/// Sixteen hexadecimal digits over all that identifies, the same on every machine that computes
/// them. Two probes of one machine under one user agree, as long as the same facts were asked.
std::string identity_of(std::span<const MeasuredFact> facts, const HostBlock& host);
/// The same of answers that identify, in any order.
std::string identity_of(std::vector<std::pair<std::string_view, bool>> answers,
                        const HostBlock& host);

}  // namespace loopscope
