// The house rules, held against every file of the repository.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "ci/tidy/rules.hpp"

namespace loopscope::tidy {
namespace {

namespace fs = std::filesystem;

bool is_checked(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string extension = path.extension().string();
  if (name == "CMakeLists.txt") return true;
  for (const char* known : {".cpp", ".hpp", ".cmake", ".py", ".sh", ".mjs"}) {
    if (extension == known) return true;
  }
  return extension.empty() && path.parent_path().filename() == "ci";
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Every source, script and CMake file of the five components, in order of their paths.
std::vector<SourceFile> sources() {
  std::vector<SourceFile> files;
  const fs::path root = LOOPSCOPE_SOURCE_DIR;
  for (const char* component : {"loops", "harness", "probe", "reports", "ci"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / component)) {
      if (!entry.is_regular_file() || !is_checked(entry.path())) continue;
      files.push_back({fs::relative(entry.path(), root).generic_string(), read(entry.path())});
    }
  }
  files.push_back({"CMakeLists.txt", read(root / "CMakeLists.txt")});
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

void report(const Complaints& complaints) {
  for (const Complaint& c : complaints) {
    FAIL_CHECK(c.file << ":" << c.line << ": " << c.rule << ": " << c.text);
  }
}

}  // namespace

TEST_CASE("every file keeps the rules for its kind") {
  const std::vector<SourceFile> files = sources();
  REQUIRE(files.size() > 40);
  for (const SourceFile& file : files) report(check_file(file));
}

TEST_CASE("every .cpp is named by a line of its component's CMakeLists.txt") {
  std::vector<SourceFile> code;
  std::vector<SourceFile> cmake;
  for (SourceFile& file : sources()) {
    if (file.path.ends_with("/CMakeLists.txt"))
      cmake.push_back(std::move(file));
    else if (file.path.ends_with(".cpp") && !file.path.starts_with("ci/"))
      code.push_back(std::move(file));
  }
  REQUIRE(cmake.size() == 5);
  report(check_listed(code, cmake));
}

}  // namespace loopscope::tidy
