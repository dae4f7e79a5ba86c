// Journals for the tests: the stored ones, and small ones made of lines.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "reports/load.hpp"

namespace loopscope::reports {

inline std::string stored(const std::string& name) {
  std::ifstream file(std::string(LOOPSCOPE_TESTDATA) + "/" + name, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), "no test data " << name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline Result<Run> load_text(const std::string& text) {
  std::istringstream in(text);
  return load(in);
}

inline Run stored_run(const std::string& name) { return load_text(stored(name)).value(); }
inline Report stored_report(const std::string& name) { return report_of(stored_run(name)); }

inline const std::string kHeader =
    R"({"header":{"schema":"loopscope.journal/1","host":{"os":"Linux"}}})"
    "\n";
inline const std::string kCatalogue =
    R"({"catalogue":{"loops":[{"name":"poll","family":"selector","native":["pipes"]},)"
    R"({"name":"libuv","family":"reference","emulated":["pipes"]}],)"
    R"("scenarios":[{"id":"a.b","needs":["pipes"],"api":["connect_read_pipe"]},{"id":"a.c"}],)"
    R"("capabilities":[{"id":"pipes","title":"pipe transports"}],)"
    R"("api":[{"title":"IPC","entries":["connect_read_pipe","connect_write_pipe"]}]}})"
    "\n";
inline const std::string kPlan =
    R"({"plan":{"cells":[{"loop":"poll","scenario":"a.b","decision":"run"},)"
    R"({"loop":"libuv","scenario":"a.b","decision":"run"},)"
    R"({"loop":"poll","scenario":"a.c","decision":"skip","reason":"no pidfd",)"
    R"("missing_fact":"pidfd.open"}]}})"
    "\n";
inline const std::string kFooter = R"({"footer":{"verdict":"green","planned":3,"reported":3}})"
                                   "\n";

inline std::string cell_line(const std::string& loop, const std::string& outcome,
                             const std::string& more = "") {
  return R"({"cell":{"loop":")" + loop + R"(","scenario":"a.b","outcome":")" + outcome + "\"" +
         more + "}}\n";
}

}  // namespace loopscope::reports
