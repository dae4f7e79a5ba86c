// Tables of loops, scenario files, faulty loops, probe files, commands and formats as Markdown.
#include "ci/tidy/tables.hpp"

#include "ci/tidy/source.hpp"
#include "harness/scenario.hpp"
#include "harness/testing/faulty.hpp"
#include "loops/descriptor.hpp"
#include "probe/format.hpp"
#include "probe/probe.hpp"
#include "reports/format.hpp"

namespace loopscope::tidy {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string text(std::string_view view) { return std::string(view); }

Rows loop_rows() {
  Rows rows;
  for (const LoopDescriptor* loop : all_loops()) {
    const std::string_view how = loop->make == nullptr ? loop->absent_because : loop->mechanism;
    rows.push_back({text(loop->name), text(name(loop->family)), text(how)});
  }
  return rows;
}

/// A file with a condition and no WHY is no row of the registry where the condition does not hold.
bool is_left_out_elsewhere(std::string_view cmake, std::string_view file) {
  for (const std::string_view line : lines_of(cmake)) {
    if (line.find("(" + text(file) + " ON ") != line.npos) return line.find(" WHY ") == line.npos;
  }
  return false;
}

Rows scenario_rows(std::string_view cmake) {
  Rows rows;
  const auto known = all_scenario_files();
  std::size_t elsewhere = 0;
  const std::vector<std::string> files = first_arguments(cmake, "loopscope_scenarios");
  for (const std::string& file : files) elsewhere += is_left_out_elsewhere(cmake, file) ? 1U : 0U;
  const bool all_here = files.size() == known.size();
  const bool same = all_here || files.size() - elsewhere == known.size();
  std::size_t next = 0;
  for (const std::string& file : files) {
    const bool here = same && (all_here || !is_left_out_elsewhere(cmake, file));
    const ScenarioFile* row = here ? known[next++] : nullptr;
    rows.push_back({file, row ? text(row->group) : "", row ? text(row->topic) : ""});
  }
  return rows;
}

Rows faulty_rows() {
  Rows rows;
  for (const testing::FaultyFile* file : testing::all_faulty_files()) {
    for (const testing::FaultyLoop& loop : file->loops) {
      rows.push_back({text(loop.loop.name), text(loop.defect)});
    }
  }
  return rows;
}

Rows probe_rows(std::string_view cmake) {
  Rows rows;
  const std::vector<std::string> stems = first_arguments(cmake, "loopscope_probe");
  const auto known = all_probe_files();
  for (std::size_t i = 0; i < stems.size(); ++i) {
    const bool same = stems.size() == known.size();
    rows.push_back(
        {stems[i], same ? text(known[i]->group) : "", same ? text(known[i]->mechanism) : ""});
  }
  return rows;
}

Rows command_rows(std::string_view cmake) {
  Rows rows;
  for (const std::string& stem : first_arguments(cmake, "loopscope_command"))
    rows.push_back({stem});
  return rows;
}

Rows format_rows() {
  Rows rows;
  for (const reports::Format* format : all_formats()) {
    rows.push_back({text(format->name), text(format->extension), text(format->description)});
  }
  return rows;
}

Rows probe_format_rows() {
  Rows rows;
  for (const ProbeFormat* format : all_probe_formats()) {
    rows.push_back({text(format->name), text(format->description)});
  }
  return rows;
}

std::string line_of(const std::vector<std::string>& cells, bool header) {
  std::string line = "|";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += i == 0 && !header ? " `" + cells[i] + "` |" : " " + cells[i] + " |";
  }
  return line + "\n";
}

}  // namespace

std::vector<std::string> first_arguments(std::string_view cmake, std::string_view function) {
  std::vector<std::string> found;
  for (const std::string_view line : lines_of(cmake)) {
    if (!line.starts_with(function) || line.substr(function.size(), 1) != "(") continue;
    const std::string_view rest = line.substr(function.size() + 1);
    found.emplace_back(rest.substr(0, rest.find_first_of(" )")));
  }
  return found;
}

bool replace_table(std::string& markdown, const Table& table) {
  const std::string marker = "<!-- rows: " + table.name + " -->\n";
  const std::size_t begin = markdown.find(marker);
  if (begin == markdown.npos) return false;
  const std::size_t end = markdown.find("<!-- end -->", begin);
  if (end == markdown.npos) return false;
  std::string block = line_of(table.columns, true) + "|";
  for (std::size_t i = 0; i < table.columns.size(); ++i) block += "---|";
  block += "\n";
  // Only the first cell is known of a row of another platform: its line stays as it is.
  const std::string_view old = std::string_view(markdown).substr(begin, end - begin);
  for (const std::vector<std::string>& row : table.rows) {
    const std::string start = line_of({row.front()}, false);
    const std::size_t kept =
        row.back().empty() ? old.find(start.substr(0, start.size() - 1)) : old.npos;
    block += kept == old.npos ? line_of(row, false)
                              : std::string(old.substr(kept, old.find('\n', kept) - kept + 1));
  }
  const std::size_t from = begin + marker.size();
  markdown.replace(from, end - from, block);
  return true;
}

std::vector<Table> registry_tables(std::string_view harness_cmake, std::string_view probe_cmake) {
  return {
      {"loops/README.md", "loops", {"loop", "family", "mechanism"}, loop_rows()},
      {"harness/README.md", "scenarios", {"file", "group", "topic"}, scenario_rows(harness_cmake)},
      {"harness/README.md", "faulty", {"loop", "defect"}, faulty_rows()},
      {"probe/README.md", "probes", {"file", "group", "mechanism"}, probe_rows(probe_cmake)},
      {"probe/README.md", "probe_formats", {"format", "what"}, probe_format_rows()},
      {"probe/README.md", "commands", {"command"}, command_rows(probe_cmake)},
      {"reports/README.md", "formats", {"format", "file", "what"}, format_rows()},
  };
}

}  // namespace loopscope::tidy
