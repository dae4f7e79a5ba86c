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

Rows scenario_rows(std::string_view cmake) {
  Rows rows;
  const std::vector<std::string> files = first_arguments(cmake, "loopscope_scenarios");
  const auto known = all_scenario_files();
  for (std::size_t i = 0; i < files.size(); ++i) {
    const bool same = files.size() == known.size();  // else some file is for another platform
    rows.push_back(
        {files[i], same ? text(known[i]->group) : "", same ? text(known[i]->topic) : ""});
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
  for (const std::vector<std::string>& row : table.rows) block += line_of(row, false);
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
