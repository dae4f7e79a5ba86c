// Tests of results: from the end of a child and its words to a verdict.
#include "harness/result.hpp"

#include <doctest/doctest.h>

#include "harness/scenario.hpp"

namespace loopscope {
namespace {

const LoopDescriptor kLoop{.name = "poll", .family = Family::selector};
const Scenario kScenario{.id = "a.b"};
const PlannedCell kCell{.loop = &kLoop, .scenario = &kScenario};

/// The object behind "final", as the child's channel carries it.
CellStatement statement(Outcome outcome) {
  CellStatement said;
  said.outcome = outcome;
  said.reason = "the reason";
  return said;
}

CellResult interpreted(std::vector<std::string> lines, ChildEnd end = {.exit_code = 0}) {
  ChildReport report;
  report.end = end;
  report.lines = std::move(lines);
  return interpret(kCell, std::move(report), std::chrono::seconds(1));
}

TEST_CASE("a statement survives its way through the channel") {
  CellStatement said = statement(Outcome::leak);
  said.finding = Finding{.outcome = Outcome::pass,
                         .what = "w",
                         .variant = "v",
                         .expected = "e",
                         .observed = "o",
                         .where = "x.cpp:1"};
  said.leaks = {{"descriptor", "7 -> pipe:[1]", "absent", "present"}};
  said.backend = {.requested = "poll",
                  .effective = "poll",
                  .proved = true,
                  .proof = {{"wait calls", "ppoll x 1"}}};
  said.waits.calls[static_cast<std::size_t>(waits::Call::ppoll)] = 12;
  said.cpu = Duration(34);
  said.max_rss_bytes = 56;
  said.notes = {{.key = "lateness", .value = 7.5, .unit = "ns"},
                {.key = "text", .value = std::string("words"), .unit = ""}};
  said.control = HostControl::Seen{Duration(8), 9};
  said.trace_dropped = 10;
  const CellResult result = interpreted({encode(said)});
  CHECK(result.verdict.outcome == Outcome::leak);
  CHECK(result.verdict.reason == "the reason");
  CHECK(result.said.finding->variant == "v");
  CHECK(result.said.finding->where == "x.cpp:1");
  REQUIRE(result.said.leaks.size() == 1);
  CHECK(result.said.leaks[0].what == "7 -> pipe:[1]");
  CHECK(result.said.backend.proved);
  CHECK(result.said.backend.proof.front().value == "ppoll x 1");
  CHECK(result.said.waits.total() == 12);
  CHECK(result.said.cpu == Duration(34));
  CHECK(result.said.max_rss_bytes == 56);
  REQUIRE(result.said.notes.size() == 2);
  CHECK(std::get<double>(result.said.notes[0].value) == 7.5);
  CHECK(result.said.control->waits == 9);
  CHECK(result.said.trace_dropped == 10);
}

TEST_CASE("marks become the trace, and the last words of a dead child are kept") {
  const CellResult result = interpreted(
      {R"({"mark":"one","t_ns":5})", R"({"said":"fail","what":"w","expected":"e","observed":"o"})",
       R"({"crash":{"signal":11,"code":1,"address":"0x0","tid":7,"frames":["a+0x1 _ZN1a1bEv"]}})"},
      {.signal = 11});
  CHECK(result.verdict.outcome == Outcome::crash);
  REQUIRE(result.trace.size() == 1);
  CHECK(result.trace[0].what == "one");
  REQUIRE(result.crash.size() == 2);
  CHECK(result.crash[1] == "a+0x1 a::b()");
  REQUIRE(shown_finding(result) != nullptr);
  CHECK(shown_finding(result)->expected == "e");
}

TEST_CASE("a channel that carries nonsense makes the cell broken, not green") {
  const std::string final = encode(statement(Outcome::pass));
  for (const std::vector<std::string>& lines :
       {std::vector<std::string>{"nonsense", final},
        std::vector<std::string>{R"({"mark":7})", final}, std::vector<std::string>{final, final},
        std::vector<std::string>{R"({"final":{}})"}, std::vector<std::string>{R"({"final":[]})"}}) {
    CAPTURE(lines.front());
    CHECK(interpreted(lines).verdict.outcome == Outcome::broken);
  }
  CHECK(interpreted({final}).verdict.outcome == Outcome::pass);
}

TEST_CASE("a process that outlived a passing cell is a leak") {
  ChildReport report;
  report.end = {.exit_code = 0};
  report.lines = {encode(statement(Outcome::pass))};
  report.leftovers = {"pid 12 (sleep)"};
  const CellResult left = interpret(kCell, report, std::chrono::seconds(1));
  CHECK(left.verdict.outcome == Outcome::leak);
  report.leftovers.clear();
  report.pipes_held = true;
  CHECK(interpret(kCell, report, std::chrono::seconds(1)).verdict.outcome == Outcome::leak);
}

}  // namespace
}  // namespace loopscope
