// Tests of expectations: which entry applies, and what a verdict means against it.
#include "harness/expectation.hpp"

#include <doctest/doctest.h>

namespace loopscope {
namespace {

constexpr std::string_view kGood = R"({"schema": "loopscope.expectations/1", "expectations": [
  {"scenario": "timer.*", "platform": "linux *", "outcome": "fail",
   "why": "counts milliseconds", "source": "docs.libuv.org"},
  {"scenario": "old.gone", "platform": "*", "outcome": "hang", "why": "x", "source": "y"}]})";

TEST_CASE("a sound file is read, and the first entry that applies is found") {
  const Result<std::vector<Expectation>> read = parse_expectations(kGood);
  REQUIRE(read.ok());
  const std::vector<Expectation>& list = read.value();
  REQUIRE(list.size() == 2);
  const Expectation* found = find_expectation(list, "timer.never_early", "linux 6.1 x86_64");
  REQUIRE(found != nullptr);
  CHECK(found->outcome == Outcome::fail);
  CHECK(found->why == "counts milliseconds");
  CHECK(find_expectation(list, "timer.never_early", "darwin 23 arm64") == nullptr);
  CHECK(find_expectation(list, "sched.soon.fifo", "linux 6.1 x86_64") == nullptr);
}

TEST_CASE("an entry that names no scenario is unmatched") {
  const std::vector<Expectation> list = parse_expectations(kGood).value();
  const std::vector<std::string> ids = {"timer.never_early", "sched.soon.fifo"};
  const std::vector<Expectation> stale = unmatched(list, ids);
  REQUIRE(stale.size() == 1);
  CHECK(stale.front().scenario == "old.gone");
}

TEST_CASE("what is wrong with a bad file is said with the number of the entry") {
  struct Row {
    const char* what;
    std::string_view text;
    std::string_view says;
  };
  const Row rows[] = {
      {"no JSON", "{", "not JSON"},
      {"no schema", R"({"expectations": []})", "schema"},
      {"another schema", R"({"schema": "loopscope.expectations/9", "expectations": []})", "schema"},
      {"no list", R"({"schema": "loopscope.expectations/1"})", "no array"},
      {"an entry without a reason",
       R"({"schema": "loopscope.expectations/1", "expectations": [
          {"scenario": "a", "platform": "*", "outcome": "fail", "source": "x"}]})",
       "entry 0: \"why\""},
      {"an empty source",
       R"({"schema": "loopscope.expectations/1", "expectations": [
          {"scenario": "a", "platform": "*", "outcome": "fail", "why": "x", "source": ""}]})",
       "entry 0: \"source\""},
      {"a pass is nothing to expect",
       R"({"schema": "loopscope.expectations/1", "expectations": [
          {"scenario": "a", "platform": "*", "outcome": "pass", "why": "x", "source": "y"}]})",
       "\"pass\" is no outcome to expect"},
      {"a condition that is no text",
       R"({"schema": "loopscope.expectations/1", "expectations": [
          {"scenario": "a", "platform": "*", "outcome": "fail", "why": "x", "source": "y",
           "when": {"limit.nofile.soft": 64}}]})",
       "entry 0: \"when\": limit.nofile.soft"},
      {"an end that is no version",
       R"({"schema": "loopscope.expectations/1", "expectations": [
          {"scenario": "a", "platform": "*", "outcome": "fail", "why": "x", "source": "y",
           "before": "soon"}]})",
       "entry 0: \"before\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Result<std::vector<Expectation>> read = parse_expectations(row.text);
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().detail.find(row.says) != std::string::npos);
  }
}

TEST_CASE("an expectation with \"before\" holds for older versions of the library only") {
  struct Row {
    const char* before;
    const char* version;
    bool applies;
  };
  const Row rows[] = {{"", "1.44.2", true},       {"1.48.0", "1.44.2", true},
                      {"1.48.0", "1.9.1", true},  {"1.48.0", "1.48.0", false},
                      {"1.48.0", "1.47", true},   {"1.48.0", "1.48.1-dev", false},
                      {"1.48.0", "2.0.0", false}, {"1.48.0", "", true}};
  for (const Row& row : rows) {
    CAPTURE(row.before);
    CAPTURE(row.version);
    Expectation expectation;
    expectation.before = row.before;
    CHECK(applies_to(expectation, row.version) == row.applies);
  }
}

TEST_CASE("compare: an expected failure is green, one that passes is stale, another is red") {
  const Expectation expected{.scenario = "a", .platform = "*", .outcome = Outcome::fail};
  struct Row {
    Outcome outcome;
    Standing alone, with;
  };
  const Row rows[] = {
      {Outcome::pass, Standing::as_expected, Standing::stale_expectation},
      {Outcome::diverges, Standing::as_expected, Standing::stale_expectation},
      {Outcome::fail, Standing::unexpected, Standing::as_expected},
      {Outcome::hang, Standing::unexpected, Standing::unexpected},
      {Outcome::crash, Standing::unexpected, Standing::unexpected},
      {Outcome::leak, Standing::unexpected, Standing::unexpected},
      {Outcome::broken, Standing::unexpected, Standing::unexpected},
      {Outcome::inconclusive, Standing::unexpected, Standing::unexpected},
      {Outcome::skip, Standing::as_expected, Standing::as_expected},
      {Outcome::unsupported, Standing::as_expected, Standing::as_expected},
  };
  for (const Row& row : rows) {
    CAPTURE(name(row.outcome));
    CHECK(name(compare({row.outcome, ""}, nullptr)) == name(row.alone));
    CHECK(name(compare({row.outcome, ""}, &expected)) == name(row.with));
  }
}

TEST_CASE("an expectation with \"when\" holds where all its facts have that answer") {
  const Result<std::vector<Expectation>> read = parse_expectations(
      R"({"schema": "loopscope.expectations/1", "expectations": [
        {"scenario": "a", "platform": "*", "outcome": "fail", "why": "x", "source": "y",
         "when": {"uring.setup": "no E*", "limit.nofile.soft": "64"}}]})");
  REQUIRE(read.ok());
  const Expectation& expected = read->front();
  CHECK(holds(expected, {{"uring.setup", "no EPERM"}, {"limit.nofile.soft", "64"}}));
  CHECK_FALSE(holds(expected, {{"uring.setup", "no EPERM"}, {"limit.nofile.soft", "1024"}}));
  CHECK_FALSE(holds(expected, {{"uring.setup", "yes"}, {"limit.nofile.soft", "64"}}));
  CHECK_FALSE(holds(expected, {{"limit.nofile.soft", "64"}}));
  CHECK(holds(Expectation{}, {}));

  Expectation elsewhere;
  elsewhere.when.emplace_back("env.layers", "!*gvisor*");
  CHECK(holds(elsewhere, {{"env.layers", "container"}}));
  CHECK(holds(elsewhere, {}));
  CHECK_FALSE(holds(elsewhere, {{"env.layers", "container, gvisor"}}));
}

TEST_CASE("the expectations that are compiled in are sound") {
  for (const ExpectationFile& file : embedded_expectations()) {
    CAPTURE(file.loop);
    const Result<std::vector<Expectation>> read = parse_expectations(file.text);
    const std::string why = read.ok() ? "" : read.error().detail;
    CHECK_MESSAGE(read.ok(), why);
  }
}

}  // namespace
TEST_CASE("a leak of something else than the one that is named is not covered") {
  Expectation expected;
  expected.outcome = Outcome::leak;
  const Leak job{"descriptor", "7 -> Job", "absent", "present"};
  const Leak thread{"thread", "id 9", "absent", "running"};
  CHECK(covers(expected, Outcome::leak, std::vector{job, thread}));
  expected.leaks = "descriptor * -> Job";
  CHECK(covers(expected, Outcome::leak, std::vector{job}));
  CHECK(!covers(expected, Outcome::leak, std::vector{job, thread}));
  CHECK(covers(expected, Outcome::pass, {}));
}

TEST_CASE("what is expected only sometimes makes neither its outcome nor a better one unexpected") {
  Expectation expected;
  expected.outcome = Outcome::fail;
  expected.sometimes = true;
  CHECK(compare({Outcome::fail, ""}, &expected) == Standing::as_expected);
  CHECK(compare({Outcome::pass, ""}, &expected) == Standing::as_expected);
  CHECK(compare({Outcome::hang, ""}, &expected) == Standing::unexpected);
  CHECK(compare({Outcome::diverges, ""}, &expected) == Standing::as_expected);
}

}  // namespace loopscope
