// Test tool: renders a journal in one format, so that scripts can look at documents.
//   loopscope_render FORMAT JOURNAL... > FILE      several journals: one report of several legs
//   loopscope_render merged FILE... > FILE         their merged document
#include <fmt/format.h>

#include <cstdio>
#include <sstream>
#include <string_view>

#include "reports/format.hpp"
#include "reports/merge.hpp"
#include "reports/merged.hpp"

int main(int argc, char** argv) {
  using namespace loopscope;
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
  reports::Report report;
  for (int i = 2; i < argc; ++i) {
    Result<reports::Report> part = reports::load_report(argv[i]);
    if (!part) {
      fmt::print(stderr, "{}\n", to_string(part.error()));
      return 64;
    }
    for (reports::Run& leg : part->legs) report.legs.push_back(std::move(leg));
  }
  reports::sort_legs(report);
  const Result<std::string> page = reports::render(argv[1], report);
  if (!page) {
    fmt::print(stderr, "{}\n", to_string(page.error()));
    return 64;
  }
  fmt::print("{}", *page);
  return std::fflush(stdout) == 0 ? 0 : 70;
}
