// Test tool: renders a journal in one format, so that scripts can look at documents.
//   loopscope_render FORMAT JOURNAL... > FILE      several journals: one report of several legs
#include <fmt/format.h>

#include <cstdio>

#include "reports/format.hpp"
#include "reports/load.hpp"

int main(int argc, char** argv) {
  using namespace loopscope;
  if (argc < 3) {
    fmt::print(stderr, "usage: loopscope_render FORMAT JOURNAL...\n");
    return 64;
  }
  reports::Report report;
  for (int i = 2; i < argc; ++i) {
    Result<reports::Run> run = reports::load_file(argv[i]);
    if (!run) {
      fmt::print(stderr, "{}\n", to_string(run.error()));
      return 64;
    }
    report.legs.push_back(std::move(run).value());
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
