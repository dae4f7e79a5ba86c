// Profiles and rankings: errors with their line, and that nothing unknown counts as satisfied.
#include "probe/requirements.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "loops/event_loop.hpp"

using namespace loopscope;

namespace {

const Vocabulary& vocabulary() {
  static const Vocabulary words = [] {
    Vocabulary all;
    for (const ProbeFile* file : all_probe_files()) {
      for (const Fact& fact : file->facts) all.facts.emplace_back(fact.id);
    }
    for (const CapInfo& cap : all_caps()) all.capabilities.emplace_back(cap.id);
    return all;
  }();
  return words;
}

Profile profile(std::string_view toml) {
  Result<Profile> read = read_profile(toml, "test", vocabulary());
  INFO((read.ok() ? std::string() : read.error().detail));
  REQUIRE(read.ok());
  return std::move(read).value();
}

std::string complaint(std::string_view toml) {
  const Result<Profile> read = read_profile(toml, "test", vocabulary());
  REQUIRE_FALSE(read.ok());
  return read.error().detail;
}

KnownFact fact(std::string id, FactValue value, std::string reason = "none") {
  return {.id = std::move(id),
          .value = std::move(value),
          .unit = "",
          .reason = std::move(reason),
          .note = ""};
}

/// A loop that exists and waits with epoll; and one that this build lacks.
Result<std::unique_ptr<EventLoop>> never(const LoopOptions&) {
  return make_error(Errc::not_supported, "make");
}
constexpr std::array<std::string_view, 1> kEpoll{"epoll_pwait2"}, kSelect{"pselect"};
const LoopDescriptor kFast{.name = "fast",
                           .family = Family::selector,
                           .mechanism = "epoll_pwait2",
                           .native = {Cap::call_soon, Cap::pipes},
                           .wait_calls = kEpoll,
                           .make = never};
const LoopDescriptor kOld{.name = "old",
                          .family = Family::selector,
                          .mechanism = "pselect",
                          .native = {Cap::call_soon},
                          .emulated = {Cap::pipes},
                          .wait_calls = kSelect,
                          .make = never};
const LoopDescriptor kAbsent{.name = "absent",
                             .family = Family::reference,
                             .mechanism = "",
                             .native = CapSet::all(),
                             .absent_because = "the library was not found"};
const LoopDescriptor* const kLoops[] = {&kAbsent, &kOld, &kFast};

Machine machine() {
  return {
      .host = {{"os", std::string("Linux")}},
      .facts = {
          fact("epoll.create1", true),
          fact("eventfd", false, "denied"),
          fact("inotify", std::monostate(), "timeout"),
          fact("kqueue.filters", std::monostate(), "not_applicable"),
          fact("limit.nofile.hard", std::int64_t{5000}),
          fact("select.fd_setsize", std::int64_t{1024}),
          {.id = "wait.late.epoll_pwait2",
           .value = std::int64_t{100},
           .unit = "ns",
           .reason = "none",
           .samples = Quantiles{.n = 9, .min = 1, .p50 = 100, .p90 = 900, .p99 = 999, .max = 1000}},
          fact("wait.late.select", std::int64_t{300})}};
}

/// How one requirement stands on the loop that waits with epoll.
Met stands(std::string_view toml, std::string* because = nullptr) {
  const Machine of = machine();
  const auto ranking = rank(profile(toml), of, kLoops);
  for (const LoopFit& fit : ranking) {
    if (fit.loop != &kFast) continue;
    REQUIRE(fit.judged.size() == 2);
    if (because != nullptr) *because = fit.judged[1].because;
    CHECK(fit.fits() == (fit.judged[1].met == Met::satisfied));
    return fit.judged[1].met;
  }
  return Met::unknown;
}

}  // namespace

TEST_CASE("what is unknown is neither satisfied nor missing") {
  CHECK(stands("must.facts = ['epoll.create1']") == Met::satisfied);
  CHECK(stands("must.facts = ['eventfd']") == Met::missing);
  CHECK(stands("must.no = ['eventfd']") == Met::satisfied);
  CHECK(stands("must.facts = ['inotify']") == Met::unknown);         // timed out
  CHECK(stands("must.no = ['inotify']") == Met::unknown);            // and no is not proved either
  CHECK(stands("must.facts = ['signalfd']") == Met::unknown);        // not in the report
  CHECK(stands("must.facts = ['kqueue.filters']") == Met::missing);  // of another system
  std::string because;
  CHECK(stands("must.numbers.'wait.late.select' = {at_most = 1, of = 'p99'}", &because) ==
        Met::unknown);
  CHECK(because == "the report has no samples of it");
  CHECK(stands("must.numbers.eventfd = {at_least = 1}") == Met::unknown);  // no number
}

TEST_CASE("bounds include their ends, and a quantile stands for its samples") {
  CHECK(stands("must.numbers.'limit.nofile.hard' = {at_least = 5000}") == Met::satisfied);
  CHECK(stands("must.numbers.'limit.nofile.hard' = {at_least = 5001}") == Met::missing);
  CHECK(stands("must.numbers.'limit.nofile.hard' = {at_most = 4999.5}") == Met::missing);
  CHECK(stands("must.numbers.'wait.late.{wait}' = {at_most = 100}") == Met::satisfied);
  CHECK(stands("must.numbers.'wait.late.{wait}' = {at_most = 100, of = 'p90'}") == Met::missing);
  CHECK(stands("must.numbers.'wait.late.{wait}' = {at_most = 900, of = 'p90'}") == Met::satisfied);
  CHECK(stands("must.descriptors = 5000") == Met::satisfied);
  CHECK(stands("must.descriptors = 5001") == Met::missing);
}

TEST_CASE("loops are ranked by what they lack, and one that is absent never fits") {
  const Machine of = machine();
  const auto order = [&](std::string_view toml) {
    std::vector<std::string> names;
    for (const LoopFit& fit : rank(profile(toml), of, kLoops)) {
      names.push_back(std::string(fit.loop->name) + (fit.fits() ? "+" : "-"));
    }
    return names;
  };
  using Names = std::vector<std::string>;
  CHECK(order("must.capabilities = ['call_soon']") == Names{"old+", "fast+", "absent-"});
  CHECK(order("want.capabilities = ['pipes']") == Names{"fast+", "old+", "absent-"});
  CHECK(order("must.descriptors = 2000") == Names{"fast+", "old-", "absent-"});
  CHECK(order("must.capabilities = ['signals']") == Names{"old-", "fast-", "absent-"});
  const auto refused = rank(profile("must.capabilities = ['call_soon']"), of, kLoops,
                            [](const LoopDescriptor& loop) {
                              return loop.name == "old" ? std::string("EPERM") : std::string();
                            });
  CHECK(refused[0].loop == &kFast);
  CHECK_FALSE(refused[1].fits());
}

TEST_CASE("a profile that makes no sense is refused with its line") {
  CHECK(complaint("title = 'x'\n[must]\nfacts = ['epol.exclusive']")
            .starts_with("line 3: no fact is called \"epol.exclusive\"; near: epoll.exclusive"));
  CHECK(complaint("[want]\n\ncapabilities = [\n  'call_soon',\n  'call_son']")
            .starts_with("line 5: no capability is called \"call_son\"; near: call_soon"));
  CHECK(complaint("[must]\nfacts = ['epoll.create1'\n[want]").starts_with("line 3: "));
  CHECK(complaint("[must]\nfacts = 'epoll.create1'").starts_with("line 2: "));
  CHECK(complaint("[must]\nfakts = []").starts_with("line 2: \"fakts\" is not known here"));
  CHECK(complaint("musts = 1").starts_with("line 1: "));
  CHECK(complaint("must = 1").starts_with("line 1: "));
  CHECK(complaint("[must]\nnumbers.eventfd = {}").starts_with("line 2: "));
  CHECK(complaint("[must]\nnumbers.eventfd = {at_least = 2, at_most = 1}").starts_with("line 2: "));
  CHECK(complaint("[must]\nnumbers.eventfd = {at_least = '2'}").starts_with("line 2: "));
  CHECK(complaint("[must]\nnumbers.eventfd = {at_least = 1, of = 'p95'}").starts_with("line 2: "));
  CHECK(complaint("[must]\ndescriptors = 'many'").starts_with("line 2: "));
  CHECK(complaint("[must]\nfacts = ['wait.early.{wait}']").starts_with("line 2: "));
  CHECK(complaint("title = 'nothing'").starts_with("line 1: it requires nothing"));
  CHECK(complaint("").find("it requires nothing") != std::string::npos);
}

TEST_CASE("the shipped profiles can be read, and name what every loop can be asked") {
  CHECK(shipped_profiles().size() == 5);
  for (const ShippedProfile& shipped : shipped_profiles()) {
    INFO(shipped.name);
    const Profile read = profile(shipped.toml);
    CHECK_FALSE(read.title.empty());
    CHECK_FALSE(read.about.empty());
    for (const std::string& id : facts_needed(read, all_loops())) {
      INFO(id);
      const auto& known = vocabulary().facts;
      CHECK(std::find(known.begin(), known.end(), id) != known.end());
    }
  }
}

TEST_CASE("a report is read without its evidence, and a damaged one is refused with its line") {
  const std::string good =
      "{\"schema\": \"loopscope.probe/1\", \"host\": {\"os\": \"Linux\", \"layers\": [\"a\", "
      "\"b\"]},\n"
      "\"facts\": [{\"id\": \"one\", \"value\": true, \"reason\": \"none\", \"evidence\": "
      "[{\"value\": 1}]},\n"
      "{\"id\": \"two\", \"value\": [\"x\", \"y\"], \"curve\": {\"points\": [{\"value\": "
      "null}]}},\n"
      "{\"id\": \"three\", \"value\": null, \"reason\": \"denied\", \"samples\": null},\n"
      "{\"id\": \"four\", \"value\": 1.5, \"samples\": {\"n\": 3, \"p99\": 7}}]}";
  const Result<Machine> read = read_machine(good);
  REQUIRE(read.ok());
  CHECK(read->facts.size() == 4);
  CHECK(read->host_text("layers") == "a, b");
  CHECK(std::get<bool>(read->find("one")->value));
  CHECK(std::get<std::vector<std::string>>(read->find("two")->value).size() == 2);
  CHECK(read->find("three")->reason == "denied");
  CHECK(read->find("four")->samples->p99 == 7);
  CHECK(read->find("five") == nullptr);

  const auto refused = [](std::string_view text) {
    const Result<Machine> machine = read_machine(text);
    return machine.ok() ? std::string("read") : machine.error().detail;
  };
  CHECK(refused(good.substr(0, good.size() - 3)).starts_with("line 5: not JSON"));
  CHECK(refused("").find("not JSON") != std::string::npos);
  CHECK(refused("[]") == "the document is no object");
  CHECK(refused("7") == "the document is no object");
  CHECK(refused("{}").starts_with("no schema"));
  CHECK(refused("{\"schema\": \"loopscope.probe/9\"}").find("probe/9") != std::string::npos);
  CHECK(refused("{\"schema\": \"loopscope.probe/1\", \"facts\": []}") == "no host");
  const std::string head =
      "{\"schema\": \"loopscope.probe/1\", \"host\": {\"os\": \"L\"}, \"facts\": ";
  CHECK(refused(head + "[]}") == "no facts");
  CHECK(refused(head + "[1]}") == "a fact is no object");
  CHECK(refused(head + "[{\"value\": 1}]}") == "a fact without an id");
  CHECK(refused(head + "[{\"id\": \"x\"}]}") == "the fact x has no value");
  CHECK(refused(head + "[{\"id\": \"x\", \"value\": null}]}").find("without a reason") !=
        std::string::npos);
  CHECK(refused(head + "[{\"id\": \"x\", \"value\": 1}, {\"id\": \"x\", \"value\": 1}]}")
            .find("twice") != std::string::npos);
  CHECK(refused(head + "{\"id\": \"x\"}}") != "read");
}
