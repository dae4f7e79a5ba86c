// Test tool: renders a journal in one format, so that scripts can look at documents.
//   loopscope_render FORMAT JOURNAL... > FILE      several journals: one report of several legs
//       with --baseline FILE and --kills FILE for the page
//   loopscope_render merged FILE... > FILE         their merged document
//   loopscope_render diff FORMAT OLD NEW > FILE    what changed between two
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

#include "reports/diff.hpp"
#include "reports/format.hpp"
#include "reports/kills.hpp"
#include "reports/merge.hpp"
#include "reports/merged.hpp"

namespace {

using namespace loopscope;

reports::Report read_report(const char* path) {
  Result<reports::Report> report = reports::load_report(path);
  if (report.ok()) return std::move(report).value();
  fmt::print(stderr, "{}\n", to_string(report.error()));
  std::exit(64);
}

reports::Kills read_kills(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  Result<reports::Kills> kills = reports::kills_from_json(text.str());
  if (kills.ok()) return std::move(kills).value();
  fmt::print(stderr, "{}\n", to_string(kills.error()));
  std::exit(64);
}

int print_diff(std::string_view format, const char* old_path, const char* new_path) {
  const reports::Report before = read_report(old_path), after = read_report(new_path);
  const reports::RunDiff changes = reports::diff(before, after);
  for (const reports::DiffFormat& each : reports::diff_formats()) {
    if (each.name != format) continue;
    fmt::print("{}", each.render(before, after, changes));
    return std::fflush(stdout) == 0 ? 0 : 70;
  }
  fmt::print(stderr, "a diff has no format {}\n", format);
  return 64;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: loopscope_render FORMAT JOURNAL...\n");
    return 64;
  }
  if (std::string_view(argv[1]) == "diff" && argc == 5)
    return print_diff(argv[2], argv[3], argv[4]);
  if (std::string_view(argv[1]) == "merged") {
    std::vector<reports::MergeInput> inputs;
    for (int i = 2; i < argc; ++i) inputs.push_back({argv[i], ""});
    std::ostringstream document;
    const reports::MergeResult result = reports::merge(inputs, {}, document);
    for (const reports::Refusal& refusal : result.refused) {
      fmt::print(stderr, "{}\n", refusal.why);
    }
    fmt::print("{}", document.str());
    return result.refused.empty() && std::fflush(stdout) == 0 ? 0 : 64;
  }
  reports::Report report, baseline;
  reports::Kills kills;
  reports::RenderOptions options;
  for (int i = 2; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--kills" && i + 1 < argc) {
      kills = read_kills(argv[++i]);
      options.kills = &kills;
    } else if (word == "--baseline" && i + 1 < argc) {
      baseline = read_report(argv[++i]);
      options.baseline = &baseline;
    } else {
      reports::Report part = read_report(argv[i]);
      for (reports::Run& leg : part.legs) report.legs.push_back(std::move(leg));
    }
  }
  reports::sort_legs(report);
  const Result<std::string> page = reports::render(argv[1], report, options);
  if (!page) {
    fmt::print(stderr, "{}\n", to_string(page.error()));
    return 64;
  }
  fmt::print("{}", *page);
  return std::fflush(stdout) == 0 ? 0 : 70;
}
