// Text and JSON of facts: the same facts in both, valid for any octets, and within the width.
#include "probe/render.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "probe/measure.hpp"
#include "probe/statistics.hpp"

using namespace loopscope;
using Json = nlohmann::json;

namespace {

MeasuredFact fact(std::string id, FactResult result) {
  return {.id = std::move(id),
          .question = "Is it?",
          .source = "man 2 test",
          .mechanism = "test",
          .group = "B0",
          .why = "because",
          .result = std::move(result),
          .took_ns = 12};
}

std::vector<MeasuredFact> examples() {
  return {
      fact("test.yes", {.value = true}),
      fact("test.no",
           {.value = false, .reason = Reason::denied, .evidence = {{"open(it)", "-1 EPERM", 1}}}),
      fact("test.null", {.reason = Reason::timeout, .note = "too slow"}),
      fact("test.time",
           {.value = std::int64_t{1'075'000}, .unit = Unit::nanoseconds, .samples = {3, 1, 2, 4}}),
      fact("test.size", {.value = std::int64_t{65536}, .unit = Unit::bytes}),
      fact("test.huge", {.value = 9.223372036854775807e18, .unit = Unit::seconds}),
      fact("test.words", {.value = std::vector<std::string>{"one", "two"}}),
      fact("test.octets", {.value = std::string("\xff\xfe broken"), .note = "\x80"}),
      fact("test.table", {.value = std::int64_t{1},
                          .unit = Unit::count,
                          .table = {{"pipe", {{"select", "r"}, {"epoll", "EPERM"}}}}}),
      fact("test.elsewhere", {.reason = Reason::not_applicable, .note = "needs a test"}),
  };
}

const HostBlock kHost{{"os", std::string("Linux")}, {"kernel", std::string("1.2")}};

}  // namespace

TEST_CASE("the JSON of a fact has the fields of the journal's fact line") {
  const std::vector<MeasuredFact> facts = examples();
  const Json time = Json::parse(fact_json(facts[3]));
  CHECK(time["id"] == "test.time");
  CHECK(time["value"] == 1'075'000);
  CHECK(time["unit"] == "ns");
  CHECK(time["reason"] == "none");
  CHECK(time["method"] == "tried");
  CHECK(time["took_ns"] == 12);
  CHECK(time["samples"]["n"] == 4);
  CHECK(time["samples"]["p50"] == 2);
  CHECK(time["samples"]["max"] == 4);
  const Json refused = Json::parse(fact_json(facts[1]));
  CHECK(refused["value"] == false);
  CHECK(refused["evidence"][0]["errno_name"] == "EPERM");
  CHECK(refused["samples"].is_null());
  CHECK(Json::parse(fact_json(facts[2]))["value"].is_null());
  CHECK(Json::parse(fact_json(facts[8]))["table"][0]["cells"]["epoll"] == "EPERM");
  CHECK(fact_json(facts[7]).find('\n') == std::string::npos);
}

TEST_CASE("text and JSON list the same facts") {
  const std::vector<MeasuredFact> facts = examples();
  const Json document = Json::parse(probe_json(facts, kHost, std::chrono::seconds(1)));
  CHECK(document["schema"] == "loopscope.probe/1");
  CHECK(document["host"]["os"] == "Linux");
  std::set<std::string> in_json;
  for (const Json& one : document["facts"]) in_json.insert(one["id"]);
  const std::string text = probe_text(facts, kHost, std::chrono::seconds(1));
  for (const MeasuredFact& one : facts) CHECK(in_json.contains(one.id));
  for (const std::string& id : in_json) {
    CAPTURE(id);
    CHECK(text.find(id) != std::string::npos);
  }
  // Every word of the text that looks like an id is in the JSON.
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word.ends_with(':')) word.pop_back();
    if (word.starts_with("test.")) CHECK(in_json.contains(word));
  }
}

TEST_CASE("samples and curves are shown with their bounds, and a missing point with its reason") {
  const std::vector<double> samples{4'000'000, 1'000'000, 2'000'000};
  CHECK(samples_text(samples, Unit::nanoseconds) ==
        "3 samples: min 1 ms, p50 2 ms, p90 4 ms, max 4 ms");
  CHECK(samples_text({}, Unit::nanoseconds).empty());
  const CurvePoint there{.x = 100, .value = 2'000'000, .samples = samples};
  CHECK(point_text(there, Unit::nanoseconds) == "100: 2 ms (min 1 ms, p90 4 ms, max 4 ms)");
  const CurvePoint beyond{.x = 5000, .reason = Reason::denied, .note = "RLIMIT_NOFILE is 64"};
  CHECK(point_text(beyond, Unit::nanoseconds) == "5000: - (denied; RLIMIT_NOFILE is 64)");
  const std::vector<MeasuredFact> facts{
      fact("test.curve", {.value = std::int64_t{2'000'000},
                          .unit = Unit::nanoseconds,
                          .samples = samples,
                          .curve_over = "descriptors",
                          .curve = {there, beyond},
                          .conflicts = {{"declared", "1", "measured", "2"}}})};
  const std::string text = probe_text(facts, kHost, std::chrono::seconds(1));
  for (const char* part : {"3 samples: min 1 ms", "descriptors", "RLIMIT_NOFILE is 64",
                           "declared says 1, measured says 2"}) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
  const Json json = Json::parse(probe_json(facts, kHost, std::chrono::seconds(1)));
  const Json& points = json["facts"][0]["curve"]["points"];
  REQUIRE(points.size() == 2);
  CHECK(points[0]["x"] == 100);
  CHECK(points[0]["samples"]["max"] == 4'000'000);
  CHECK(points[1]["value"].is_null());
  CHECK(points[1]["reason"] == "denied");
  CHECK(json["facts"][0]["conflicts"][0]["other_says"] == "2");
  CHECK(json["checks"]["conflicts"][0] == "test.curve");
}

TEST_CASE("a value reads as a person would say it") {
  const std::vector<MeasuredFact> facts = examples();
  const char* want[] = {"yes", "no", "-", "1.07 ms", "65536 bytes", "9.22e+18 s", "one, two"};
  for (std::size_t i = 0; i < std::size(want); ++i) {
    CAPTURE(facts[i].id);
    if (i == 3) {
      CHECK(value_text(facts[i].result).ends_with(" ms"));
      continue;
    }
    CHECK(value_text(facts[i].result) == want[i]);
  }
}

TEST_CASE("the reason of a no and of a null stands beside it, with the call that told") {
  const std::string text = probe_text(examples(), kHost, std::chrono::seconds(1));
  CHECK(text.find("denied [open(it): -1 EPERM]") != std::string::npos);
  CHECK(text.find("timeout; too slow") != std::string::npos);
  CHECK(text.find("10 facts in 1 s") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  const std::string coloured =
      probe_text(examples(), kHost, std::chrono::seconds(1), {.colour = true});
  CHECK(coloured.find("\x1b[31mno") != std::string::npos);
}

TEST_CASE("lines keep to the width") {
  std::vector<MeasuredFact> facts = examples();
  for (MeasuredFact& one : facts) {
    for (int i = 0; i < 20; ++i) one.result.note += " some more words";
  }
  for (const int width : {80, 100, 120}) {
    CAPTURE(width);
    std::istringstream lines(probe_text(facts, kHost, std::chrono::seconds(1), {.width = width}));
    std::size_t longest = 0;
    for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
    CHECK(longest <= static_cast<std::size_t>(width));
  }
}

TEST_CASE("quantiles are values that were seen, by nearest rank") {
  CHECK(!quantiles({}));
  const std::vector<double> one{5};
  CHECK(quantiles(one)->p99 == 5);
  std::vector<double> hundred;
  for (int i = 100; i >= 1; --i) hundred.push_back(i);
  const auto q = quantiles(hundred);
  CHECK(q->n == 100);
  CHECK(q->min == 1);
  CHECK(q->p50 == 50);
  CHECK(q->p90 == 90);
  CHECK(q->p99 == 99);
  CHECK(q->max == 100);
}
