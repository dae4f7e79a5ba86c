// measure_facts: asks the selected facts, each file of them in a process of its own.
#pragma once

#include <chrono>
#include <span>
#include <string_view>
#include <vector>

#include "probe/isolate.hpp"
#include "probe/probe.hpp"

namespace loopscope {

/// True when `selection` names the fact: an exact id, a glob ("epoll.*"), a prefix that ends with
/// a dot ("epoll."), or several of these separated by commas. Empty selects everything.
bool selects(std::string_view selection, std::string_view id);

/// Asks every selected fact of this build.
///
/// A fact that exceeds the deadline answers null/timeout, one whose process dies null/crashed;
/// the facts behind it are asked in a new process. Facts of other platforms answer
/// null/not_applicable; those that leave traces or take long, and were not asked for by the
/// options, null/not_asked. The order is that of the registry.
std::vector<MeasuredFact> measure_facts(std::string_view selection = {},
                                        const ProbeOptions& options = {});
/// The same over files that the caller names.
std::vector<MeasuredFact> measure_files(std::span<const ProbeFile* const> files,
                                        std::string_view selection,
                                        const ProbeOptions& options = {});

/// By exact id; null when it was not measured.
const MeasuredFact* find_fact(std::span<const MeasuredFact> facts, std::string_view id);
/// True for a true, a number above zero, a text or a set that is not empty. False for a fact that
/// is null or unknown.
bool fact_is_true(std::span<const MeasuredFact> facts, std::string_view id);
bool fact_is_true(const MeasuredFact& fact);

}  // namespace loopscope
