// Test tool: renders a journal in one format, so that scripts can look at documents.
//   loopscope_render FORMAT JOURNAL... > FILE      several journals: one report of several legs
//       with --baseline FILE and --kills FILE for the page
//   loopscope_render merged FILE... > FILE         their merged document
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

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

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: loopscope_render FORMAT JOURNAL...\n");
    return 64;
  }
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
