// What platforms list of facts that they cannot ask: the same table, with the reason.
#include <doctest/doctest.h>

#include <algorithm>

#include "probe/measure.hpp"

namespace loopscope {
std::span<const ProbeFile* const> all_absent_files();  // generated, as on another platform
}

using namespace loopscope;

namespace {

const ProbeFile* file_of(std::string_view id) {
  for (const ProbeFile* file : all_probe_files()) {
    for (const Fact& fact : file->facts) {
      if (fact.id == id) return file;
    }
  }
  return nullptr;
}

const Fact& fact_of(const ProbeFile& file, std::string_view id) {
  return *std::find_if(file.facts.begin(), file.facts.end(),
                       [&](const Fact& fact) { return fact.id == id; });
}

}  // namespace

TEST_CASE("a file of facts that is not for a platform lists the same facts there, unasked") {
  std::size_t facts = 0;
  for (const ProbeFile* absent : all_absent_files()) {
    REQUIRE(!absent->facts.empty());
    const ProbeFile* here = file_of(absent->facts.front().id);
    REQUIRE(here != nullptr);
    CAPTURE(std::string(here->mechanism));
    CHECK(absent->mechanism == here->mechanism);
    CHECK(absent->group == here->group);
    CHECK(absent->effect == here->effect);
    CHECK(absent->absent_because == "needs a test");
    REQUIRE(absent->facts.size() == here->facts.size());
    for (const Fact& fact : absent->facts) {
      CAPTURE(std::string(fact.id));
      const Fact& twin = fact_of(*here, fact.id);
      CHECK(fact.question == twin.question);
      CHECK(fact.source == twin.source);
      CHECK(fact.why == twin.why);
      CHECK(fact.how == twin.how);
      CHECK(fact.privilege == twin.privilege);
      CHECK(bool(fact.effect == twin.effect));
      CHECK(!bool(fact.ask));
      ++facts;
    }
  }
  CHECK(facts >= 200);
  for (const MeasuredFact& fact : measure_files(all_absent_files(), "")) {
    CHECK(fact.result.reason == Reason::not_applicable);
  }
}
