// Reading journals and writing documents, with messages for a person. They stop the command.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "probe/cli/options.hpp"
#include "reports/kills.hpp"
#include "reports/query.hpp"
#include "reports/redact.hpp"

namespace loopscope::cli {

/// The journal that was named, or that of the folder that was named.
std::string journal_path(const std::string& given);
/// A journal, a report.json or a merged document. Stops with LS020 when it cannot be read, with
/// LS021 when it is none of them.
reports::Report load_report(const std::string& path);
/// What a self-test wrote. Stops as load_report does.
reports::Kills load_kills(const std::string& path);
/// Warns, LS022, of what is incomplete.
void warn_if_incomplete(const reports::Report& report, const std::string& path);
/// The scenarios that a query matches; stops with LS012 when it cannot be understood.
std::vector<std::string> matching_scenarios(const std::string& query, reports::Legs legs);
/// Stops with LS012.
reports::Query parse_query(const std::string& query, const reports::QueryWords& words);
/// The names that are taken out of what is shared: of this user and this machine.
reports::LocalNames local_names();
/// --no-redact
void add_redaction(Options& options, bool& no_redact);
/// To a file, or to standard output for "-". Written beside it and renamed: a reader never sees
/// half a document, and a write that fails leaves the old one. Stops with LS060.
void write_document(const std::string& path, const std::string& text);
/// The same for what is made while it is written. When `write` returns false, nothing is kept.
void write_document(const std::string& path, const std::function<bool(std::ostream&)>& write);

}  // namespace loopscope::cli
