// The tables of the folder READMEs, made from the registries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loopscope::tidy {

/// A table between `<!-- rows: NAME -->` and `<!-- end -->`. The first cell of a row stands in
/// backticks and is what the registries know the row by.
struct Table {
  std::string file;  // "loops/README.md"
  std::string name;  // "loops"
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Every table that a README has to carry. The scenario and command files are known to CMake
/// alone, so the text of those two lists is needed.
std::vector<Table> registry_tables(std::string_view harness_cmake, std::string_view probe_cmake);

/// Puts the table between its markers; false when the markers are missing.
bool replace_table(std::string& markdown, const Table& table);

/// The first arguments of every call of a function in a CMake text, in order.
std::vector<std::string> first_arguments(std::string_view cmake, std::string_view function);

}  // namespace loopscope::tidy
