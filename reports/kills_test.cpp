// The document of the self-test: read, written, refused.
#include "reports/kills.hpp"

#include <doctest/doctest.h>

#include "reports/test_journals.hpp"

using namespace loopscope;
using namespace loopscope::reports;

TEST_CASE("kills: what is read is written again, byte for byte") {
  const std::string text = stored("kills.json");
  const Kills kills = kills_from_json(text).value();
  CHECK(kills.loops.size() == 2);
  REQUIRE(kills.trials.size() == 3);
  CHECK_FALSE(kills.trials[0].right);
  CHECK(kills.trials[2].must_fail);
  CHECK(to_json(kills) == text);
}

TEST_CASE("kills: another document, a newer one and a broken one are refused with the reason") {
  const auto why = [](const std::string& text) {
    const Result<Kills> kills = kills_from_json(text);
    REQUIRE_FALSE(kills.ok());
    CHECK(kills.error().is(Errc::protocol));
    return kills.error().detail;
  };
  CHECK(why("{}") == "the schema is not loopscope.kills/1");
  CHECK(why("[]") == "the schema is not loopscope.kills/1");
  CHECK(why("{\"schema\": \"loopscope.kills/2\"}") == "the schema is not loopscope.kills/1");
  CHECK(why("{\"schema\": \"loopscope.kills/1\"}").find("loops") != std::string::npos);
  const std::string whole = stored("kills.json");
  CHECK(why(whole.substr(0, whole.size() / 2)).find("parse error") != std::string::npos);
  CHECK(why("{\"schema\": 7}").find("type") != std::string::npos);
}
