// Tests of outcomes: how a child ended outranks what it said.
#include "harness/outcome.hpp"

#include <doctest/doctest.h>

#include <set>

namespace loopscope {
namespace {

constexpr Outcome kAll[] = {Outcome::pass,        Outcome::diverges, Outcome::fail,
                            Outcome::leak,        Outcome::hang,     Outcome::crash,
                            Outcome::unsupported, Outcome::skip,     Outcome::inconclusive,
                            Outcome::broken,      Outcome::notrun};

// Goal: each way a child can end maps to one outcome, and a child that dies after it reported
// success is never counted as a pass. Method: one table, one call per row.
TEST_CASE("classify: how the child ended outranks what it said") {
  struct Row {
    const char* what;
    ChildEnd end;
    std::optional<Outcome> said;
    Outcome want;
  };
  const Row rows[] = {
      {"clean pass", {.exit_code = 0}, Outcome::pass, Outcome::pass},
      {"clean divergence", {.exit_code = 0}, Outcome::diverges, Outcome::diverges},
      {"clean failure", {.exit_code = 0}, Outcome::fail, Outcome::fail},
      {"leak found by the child", {.exit_code = 0}, Outcome::leak, Outcome::leak},
      {"skip at run time", {.exit_code = 0}, Outcome::skip, Outcome::skip},
      {"make() refused", {.exit_code = 0}, Outcome::unsupported, Outcome::unsupported},
      {"not decidable", {.exit_code = 0}, Outcome::inconclusive, Outcome::inconclusive},
      {"fallback", {.exit_code = 0}, Outcome::broken, Outcome::broken},
      {"silent exit 0", {.exit_code = 0}, std::nullopt, Outcome::broken},
      {"claims to hang", {.exit_code = 0}, Outcome::hang, Outcome::broken},
      {"claims to have crashed", {.exit_code = 0}, Outcome::crash, Outcome::broken},
      {"claims not to have run", {.exit_code = 0}, Outcome::notrun, Outcome::broken},
      {"segfault after pass", {.signal = 11}, Outcome::pass, Outcome::crash},
      {"segfault before anything", {.signal = 11}, std::nullopt, Outcome::crash},
      {"sanitizer's exit code after pass", {.exit_code = 1}, Outcome::pass, Outcome::crash},
      {"exit code after a failed check", {.exit_code = 3}, Outcome::fail, Outcome::crash},
      {"access violation", {.nt_status = 0xC0000005U}, Outcome::pass, Outcome::crash},
      {"killed by us", {.signal = 9, .killed_at_limit = true}, std::nullopt, Outcome::hang},
      {"killed by us after pass",
       {.signal = 9, .killed_at_limit = true},
       Outcome::pass,
       Outcome::hang},
      {"could not be started", {.not_started = true}, std::nullopt, Outcome::broken},
      {"nothing is known", {}, Outcome::pass, Outcome::broken},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Verdict verdict = classify(row.end, row.said);
    CHECK(name(verdict.outcome) == name(row.want));
    const bool explained = row.said == verdict.outcome || !verdict.reason.empty();
    CHECK(explained);
  }
}

TEST_CASE("every outcome has its own name and letter, and can be found by its name") {
  std::set<char> letters;
  for (const Outcome outcome : kAll) {
    CAPTURE(name(outcome));
    CHECK(outcome_by_name(name(outcome)) == outcome);
    CHECK(letters.insert(letter(outcome)).second);
    CHECK_FALSE((is_red(outcome) && is_unknown(outcome)));
  }
  CHECK_FALSE(outcome_by_name("passed").has_value());
  CHECK_FALSE(outcome_by_name("").has_value());
}

TEST_CASE("only a must with a published text can fail") {
  for (const Authority authority :
       {Authority::posix, Authority::man_page, Authority::vendor_doc, Authority::asyncio_doc}) {
    CHECK(can_fail(Level::must, authority));
    CHECK_FALSE(can_fail(Level::should, authority));
    CHECK_FALSE(can_fail(Level::info, authority));
  }
  CHECK_FALSE(can_fail(Level::must, Authority::de_facto));
  CHECK_FALSE(can_fail(Level::must, Authority::ours));
}

}  // namespace
}  // namespace loopscope
