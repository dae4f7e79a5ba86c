// Facts that hang, crash or are refused: the rest goes on, and nothing is left behind.
#include "probe/measure.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>

#include "probe/probe_context.hpp"

using namespace loopscope;
using namespace std::chrono_literals;

namespace {

FactResult answers(ProbeContext& cx) {
  cx.note("looked", "there");
  return count(7);
}
FactResult hangs(ProbeContext&) {
  for (std::atomic<unsigned> spin{0};; ++spin) {
  }
}
FactResult aborts(ProbeContext&) { std::abort(); }
FactResult leaves(ProbeContext&) { std::_Exit(3); }
FactResult throws(ProbeContext&) { throw std::runtime_error("no luck"); }
FactResult closes_everything(ProbeContext& cx) {
  for (int fd = 3; fd < 64; ++fd) (void)os::close_fd(fd);
  return hangs(cx);
}
FactResult floods(ProbeContext& cx) {
  for (int i = 0; i < 100'000; ++i) cx.note("again", "and again");
  return yes();
}
FactResult leaves_a_file(ProbeContext& cx) {
  std::ofstream(cx.temp_path("left")) << "behind";
  return words(cx.temp_dir());
}

constexpr Fact kGood[] = {{"test.before", "?", "test", answers},
                          {"test.after", "?", "test", answers}};
constexpr ProbeFile kGoodFile{.mechanism = "test", .group = "B0", .facts = kGood};

/// Asks `ask` between two facts that answer.
std::vector<MeasuredFact> measure_between(FactResult (*ask)(ProbeContext&)) {
  const Fact facts[] = {{"test.before", "?", "test", answers},
                        {"test.subject", "?", "test", ask},
                        {"test.after", "?", "test", answers}};
  const ProbeFile file{.mechanism = "test", .group = "B0", .facts = facts};
  const ProbeFile* const files[] = {&file, &kGoodFile};
  return measure_files(files, "", {.deadline = 500ms});
}

}  // namespace

// Goal: whatever a fact does, it has an answer, and the facts around it keep theirs.
TEST_CASE("a fact that hangs, crashes, leaves or throws costs its own answer only") {
  struct Row {
    const char* what;
    FactResult (*ask)(ProbeContext&);
    Reason reason;
    const char* note;
  };
  const Row rows[] = {{"hangs", hangs, Reason::timeout, "no answer in 500 ms"},
                      {"aborts", aborts, Reason::crashed, "killed by signal 6"},
                      {"leaves", leaves, Reason::crashed, "exit code 3"},
                      {"closes the pipe and hangs", closes_everything, Reason::crashed, ""},
                      {"throws", throws, Reason::failed, "no luck"},
                      {"floods", floods, Reason::none, ""}};
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::vector<MeasuredFact> facts = measure_between(row.ask);
    REQUIRE(facts.size() == 5);
    CHECK(name(facts[1].result.reason) == name(row.reason));
    CHECK(facts[1].result.note.find(row.note) != std::string::npos);
    for (const std::size_t other : {0, 2, 3, 4}) {
      CHECK(std::get<std::int64_t>(facts[other].result.value) == 7);
      CHECK(facts[other].result.evidence.size() == 1);
    }
    CHECK(facts[1].result.evidence.size() <= 64);
  }
}

TEST_CASE("the folder of a fact is gone when its file has been measured") {
  const std::vector<MeasuredFact> facts = measure_between(leaves_a_file);
  const std::string folder = std::get<std::string>(facts[1].result.value);
  REQUIRE(!folder.empty());
  CHECK(!std::filesystem::exists(folder));
}

TEST_CASE("the facts of a file that does not apply are listed with the reason") {
  const Fact facts[] = {{"test.elsewhere", "?", "test", nullptr}};
  const ProbeFile file{
      .mechanism = "test", .group = "B0", .facts = facts, .absent_because = "needs a test"};
  const ProbeFile* const files[] = {&file};
  const std::vector<MeasuredFact> measured = measure_files(files, "");
  REQUIRE(measured.size() == 1);
  CHECK(measured[0].result.reason == Reason::not_applicable);
  CHECK(measured[0].result.note == "needs a test");
  CHECK(!fact_is_true(measured, "test.elsewhere"));
}

TEST_CASE("what leaves traces or takes long is asked on request only") {
  const Fact facts[] = {
      {.id = "test.looks", .question = "?", .source = "test", .ask = answers},
      {.id = "test.leaves",
       .question = "?",
       .source = "test",
       .ask = answers,
       .effect = Effect::traces},
      {.id = "test.slow", .question = "?", .source = "test", .ask = answers, .thorough = true}};
  const ProbeFile file{
      .mechanism = "test", .group = "B0", .facts = facts, .effect = Effect::process};
  const ProbeFile* const files[] = {&file};
  struct Row {
    ProbeOptions options;
    bool leaves, slow;
  };
  const Row rows[] = {{{}, false, false},
                      {{.thorough = true}, false, true},
                      {{.intrusive = true}, true, false},
                      {{.thorough = true, .intrusive = true}, true, true}};
  for (const Row& row : rows) {
    const std::vector<MeasuredFact> measured = measure_files(files, "", row.options);
    REQUIRE(measured.size() == 3);
    CHECK(measured[0].result.reason == Reason::none);
    CHECK((measured[1].result.reason == Reason::none) == row.leaves);
    CHECK((measured[2].result.reason == Reason::none) == row.slow);
    CHECK(name(measured[0].result.effect) == "process");
    CHECK(name(measured[1].result.effect) == "traces");
    for (const MeasuredFact& fact : measured) {
      const bool asked = fact.result.reason == Reason::none;
      CHECK((asked || fact.result.reason == Reason::not_asked));
      CHECK((asked || fact.result.note.find("--") != std::string::npos));
    }
  }
}

TEST_CASE("an answer says what asking did to the machine, and where two ways disagreed") {
  const std::vector<MeasuredFact> made = measure_between(leaves_a_file);
  CHECK(name(made[0].result.effect) == "none");
  CHECK(name(made[1].result.effect) == "files");
  const std::vector<MeasuredFact> torn = measure_between([](ProbeContext& cx) {
    cx.disagree("the label", "4", "the scale", "5");
    return count(5);
  });
  REQUIRE(torn[1].result.conflicts.size() == 1);
  CHECK(torn[1].result.conflicts[0].one == "the label");
  CHECK(torn[1].result.conflicts[0].other_says == "5");
  CHECK(torn[2].result.conflicts.empty());
}

TEST_CASE("a selection is an id, a glob, a prefix or a list of them") {
  struct Row {
    const char* selection;
    const char* id;
    bool selected;
  };
  const Row rows[] = {{"", "epoll.nested", true},
                      {"epoll.nested", "epoll.nested", true},
                      {"epoll.nested", "epoll.nested.more", false},
                      {"epoll.", "epoll.nested", true},
                      {"epoll", "epoll.nested", false},
                      {"*", "eventfd", true},
                      {"*.n*d", "epoll.nested", true},
                      {"*.n?d", "epoll.nested", false},
                      {"pipe2,epoll.*", "epoll.nested", true},
                      {"pipe2,", "epoll.nested", false}};
  for (const Row& row : rows) {
    CAPTURE(row.selection);
    CAPTURE(row.id);
    CHECK(selects(row.selection, row.id) == row.selected);
  }
}

TEST_CASE("a need is met by true, by a number above zero and by words, never by null") {
  const auto fact = [](FactValue value) { return MeasuredFact{.result = {.value = value}}; };
  CHECK(fact_is_true(fact(true)));
  CHECK(!fact_is_true(fact(false)));
  CHECK(!fact_is_true(fact({})));
  CHECK(fact_is_true(fact(std::int64_t{1024})));
  CHECK(!fact_is_true(fact(std::int64_t{0})));
  CHECK(fact_is_true(fact(std::string("v2"))));
  CHECK(!fact_is_true(fact(std::vector<std::string>{})));
}

TEST_CASE("every errno has the reason that its kind stands for") {
  struct Row {
    int number;
    Reason reason;
  };
  const Row rows[] = {{0, Reason::none},
                      {ENOSYS, Reason::not_implemented},
                      {EPERM, Reason::denied},
                      {EACCES, Reason::denied},
                      {EINVAL, Reason::invalid},
                      {EOPNOTSUPP, Reason::not_supported},
                      {ENOTSUP, Reason::not_supported},
                      {EAFNOSUPPORT, Reason::not_supported},
                      {EPROTONOSUPPORT, Reason::not_supported},
                      {ENOPROTOOPT, Reason::not_supported},
                      {ENOTTY, Reason::not_supported},
                      {EMFILE, Reason::failed},
                      {EIO, Reason::failed}};
  for (const Row& row : rows) {
    CAPTURE(row.number);
    CHECK(name(reason_of_errno(row.number)) == name(row.reason));
  }
}

TEST_CASE(
    "every registered fact has an id of its own, a question, a source, and a way to ask it here") {
  std::set<std::string_view> ids;
  std::size_t here = 0;
  for (const ProbeFile* file : all_probe_files()) {
    CHECK(!file->mechanism.empty());
    for (const Fact& fact : file->facts) {
      CAPTURE(std::string(fact.id));
      CHECK(ids.insert(fact.id).second);
      CHECK(fact.question.ends_with('?'));
      CHECK(!fact.source.empty());
      CHECK(!fact.why.empty());
      // Without a way to ask, the file says where the fact belongs.
      CHECK(bool(fact.ask) == file->absent_because.empty());
      if (file->absent_because.empty()) ++here;
    }
  }
  CHECK(here >= 90);
}
