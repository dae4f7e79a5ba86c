// Redaction: names of people and machines are taken out of what is written to be shared.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reports/kills.hpp"
#include "reports/model.hpp"

namespace loopscope::reports {

/// Names that are known besides those that a document itself gives away.
struct LocalNames {
  std::vector<std::string> users, hosts, homes;  // "bob", "buildbox", "/data/people/bob"
};

/// Takes user names, host names and home folders out of the free text of a run: "/home/bob/x" and
/// "C:\Users\bob\x" become "~/x" and "~\x", a user's name elsewhere "[user]", a machine's "[host]".
///
/// Known are the names given, those in home folders that the run mentions, and those of keys such
/// as "hostname" and "USER". Words that name no person or machine ("root", "runner", "localhost")
/// and those of one or two letters are kept outside of folders, as are ids: loops, scenarios,
/// capabilities, facts. Doing it again changes nothing.
///
/// Afterwards run.redaction names the fields in which something was replaced.
void redact(Run& run, const LocalNames& names);
void redact(Report& report, const LocalNames& names);
/// The same for a kill matrix; known are also the names that the runs give away, as long as they
/// are not redacted themselves.
void redact(Kills& kills, std::span<const Run> beside, const LocalNames& names);

/// "names and home folders were taken out of header.argv, cell.stderr"; empty when of nothing.
std::string redaction_text(Legs legs);
std::string redaction_text(const Kills& kills);

}  // namespace loopscope::reports
