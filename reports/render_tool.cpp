// Test tool: renders a journal in one format, so that scripts can look at documents.
//   loopscope_render FORMAT JOURNAL > FILE
#include <fmt/format.h>

#include <cstdio>

#include "reports/format.hpp"
#include "reports/load.hpp"

int main(int argc, char** argv) {
  using namespace loopscope;
  if (argc != 3) {
    fmt::print(stderr, "usage: loopscope_render FORMAT JOURNAL\n");
    return 64;
  }
  const Result<reports::Run> run = reports::load_file(argv[2]);
  if (!run) {
    fmt::print(stderr, "{}\n", to_string(run.error()));
    return 64;
  }
  const Result<std::string> page = reports::render(argv[1], *run);
  if (!page) {
    fmt::print(stderr, "{}\n", to_string(page.error()));
    return 64;
  }
  fmt::print("{}", *page);
  return std::fflush(stdout) == 0 ? 0 : 70;
}
