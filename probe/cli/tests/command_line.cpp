// The command line from outside: exit codes, interruptions, cut journals, bad input.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "harness/build_info.hpp"
#include "harness/host.hpp"
#include "harness/journal.hpp"
#include "harness/posix/spawned.hpp"

namespace loopscope {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr int kInterrupt = 2, kKill = 9, kTerminate = 15;

struct TempDir {
  std::string path = host::make_temp_dir("loopscope-test").value();
  ~TempDir() { host::remove_tree(path); }
  std::string file(std::string_view name) const { return path + "/" + std::string(name); }
};

struct Ended {
  int code = -1;
  std::string text;
};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Spawned::Options options_for(const TempDir& dir, std::vector<std::string> arguments) {
  Spawned::Options options{.output = dir.file("output")};
  options.argv = std::move(arguments);
  options.argv.insert(options.argv.begin(), LOOPSCOPE_EXECUTABLE);
  options.environment["TMPDIR"] = dir.path;
  return options;
}

Ended ended(const Spawned::Options& options) {
  Spawned process = Spawned::start(options).value();
  const int code = process.wait();
  return {code, contents(options.output)};
}

Ended loopscope(const TempDir& dir, std::vector<std::string> arguments) {
  return ended(options_for(dir, std::move(arguments)));
}

Ended run_of(const TempDir& dir, const std::string& scenario, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"run",    "--loop", "poll",         "--scenario",
                                        scenario, "--out",  dir.file("out")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return loopscope(dir, std::move(arguments));
}

bool has(const Ended& ended, std::string_view text) {
  return ended.text.find(text) != std::string::npos;
}

void wait_until(const char* what, const std::function<bool()>& done) {
  const TimePoint end = now() + 60s;
  while (!done()) {
    if (now() > end) FAIL("not within a minute: ", what);
    std::this_thread::sleep_for(2ms);
  }
}

TEST_CASE("shards share a run's scenarios out among them, balanced by an earlier run") {
  const TempDir dir;
  CHECK(run_of(dir, "sched.soon.*").code == 0);
  const std::string whole = contents(dir.file("out/journal.ndjson"));
  std::multiset<std::string> dealt;
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    CAPTURE(shard);
    const TempDir part;
    CHECK(run_of(part, "sched.soon.*", {"--shard", shard, "--durations", dir.file("out")}).code ==
          0);
    const JournalState state = read_journal(part.file("out/journal.ndjson")).value();
    CHECK(state.cells.size() > 0);
    for (const JournalCell& cell : state.cells) dealt.insert(cell.scenario);
    CHECK(contents(part.file("out/journal.ndjson")).find("\"deal\":\"") != std::string::npos);
  }
  const JournalState all = read_journal(dir.file("out/journal.ndjson")).value();
  CHECK(dealt.size() == all.cells.size());
  for (const JournalCell& cell : all.cells) CHECK(dealt.count(cell.scenario) == 1);
  CHECK(whole.find("\"shard\":null") != std::string::npos);

  const Ended wrong = run_of(dir, "sched.soon.*", {"--shard", "4/3"});
  CHECK(wrong.code == 64);
  CHECK(has(wrong, "LS001"));
  CHECK(run_of(dir, "sched.soon.*", {"--shard", "1/2", "--durations", dir.file("none")}).code ==
        64);
}

TEST_CASE("the exit code of a run is the one that its cells deserve") {
  struct Row {
    const char* scenario;
    int code;
    std::string_view says;
  };
  const Row rows[] = {
      {"selftest.pass", 0, "green"},         {"selftest.diverges", 0, "green"},
      {"selftest.fail", 1, "LS101"},         {"selftest.leak_descriptor", 1, "LS102"},
      {"selftest.hang", 1, "LS103"},         {"selftest.crash", 1, "LS104"},
      {"selftest.exit", 1, "exit code 7"},   {"selftest.silent", 2, "LS031"},
      {"selftest.fallback", 2, "fallback:"}, {"selftest.peer_failure", 2, "LS105"},
      {"selftest.inconclusive", 2, "LS106"}, {"selftest.skip", 4, ""},
      {"selftest.noisy", 0, "green"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.scenario);
    const TempDir dir;
    const Ended end = run_of(dir, row.scenario);
    CHECK_MESSAGE(end.code == row.code, end.text);
    CHECK_MESSAGE(has(end, row.says), end.text);
    if (row.code == 1) CHECK_MESSAGE(has(end, " cell --loop poll --scenario "), end.text);
    const JournalState journal = read_journal(dir.file("out/journal.ndjson")).value();
    CHECK(journal.has_footer);
    CHECK(fs::exists(dir.file("out/report.json")));
    CHECK(fs::exists(dir.file("out/report.html")));
  }
}

TEST_CASE("an expected failure is green, one that passes is red, an entry for nothing is code 3") {
  const TempDir dir;
  const auto expect = [&](std::string_view scenario, std::string_view outcome) {
    fs::create_directories(dir.file("expected"));
    std::ofstream(dir.file("expected/poll.json"), std::ios::trunc)
        << R"({"schema":"loopscope.expectations/1","expectations":[{"scenario":")" << scenario
        << R"(","platform":"*","outcome":")" << outcome << R"(","why":"w","source":"s"}]})";
  };
  const auto code_of = [&](const std::string& scenario) {
    return run_of(dir, scenario, {"--expectations", dir.file("expected")}).code;
  };
  expect("*.fail", "fail");
  CHECK(code_of("selftest.fail") == 3);  // no scenario of the catalogue ends in .fail
  expect("*", "fail");
  CHECK(code_of("selftest.fail") == 0);
  CHECK(code_of("selftest.pass") == 1);
  expect("*", "hang");
  CHECK(code_of("selftest.fail") == 1);
  expect("*", "pass");
  CHECK(code_of("selftest.pass") == 64);
}

TEST_CASE("repetitions that differ are code 5 when asked for") {
  const TempDir dir;
  CHECK(run_of(dir, "selftest.flaky", {"--repeat", "2"}).code == 0);
  const Ended strict = run_of(dir, "selftest.flaky", {"--repeat", "2", "--flaky", "fail"});
  CHECK(strict.code == 5);
  CHECK(has(strict, "LS108"));
}

TEST_CASE("a body knows the limit that a run has scaled, and the command to run it again says so") {
  const TempDir dir;
  CHECK(run_of(dir, "selftest.limit", {"--limit-scale", "3"}).code == 0);
  const std::string journal = contents(dir.file("out/journal.ndjson"));
  CHECK(journal.find("\"limit\":{\"value\":21000000000") != std::string::npos);
  CHECK(journal.find("--limit-scale 3") != std::string::npos);
}

TEST_CASE("what changed between two runs can be a gate") {
  const TempDir before, after;
  CHECK(run_of(before, "selftest.flaky", {"--seed", "2"}).code == 0);
  CHECK(run_of(after, "selftest.flaky,selftest.pass", {"--seed", "1"}).code == 0);
  const auto compared = [&](const TempDir& older, const TempDir& newer, std::string fail_on) {
    return loopscope(after, {"diff", older.file("out"), newer.file("out"), "--fail-on", fail_on});
  };
  const Ended forward = compared(before, after, "regressions");
  CHECK(has(forward, "poll selftest.pass"));
  CHECK(has(forward, "appeared 1"));
  const Ended back = compared(after, before, "regressions");
  CHECK(has(back, "vanished 1"));
  // The outcome goes one way forward and the other way back: it is a regression of one of them.
  CHECK_MESSAGE(forward.code + back.code == 6, forward.text, back.text);
  CHECK((forward.code == 6) == has(forward, "regressed 1"));
  CHECK((back.code == 6) == has(back, "regressed 1"));
  CHECK(compared(before, after, "any").code == 6);
  CHECK(compared(before, after, "none").code == 0);
  CHECK(compared(before, before, "any").code == 0);
}

TEST_CASE("a query selects scenarios, and the exit code is the verdict of those") {
  const TempDir dir;
  CHECK(run_of(dir, "selftest.pass,selftest.fail").code == 1);
  const auto asked = [&](std::string query) {
    return loopscope(dir, {"report", dir.file("out"), "--query", query});
  };
  const Ended pass = asked("poll:pass"), fail = asked("poll:fail -pass"), none = asked("poll:hang");
  CHECK_MESSAGE(pass.code == 0, pass.text);
  CHECK(has(pass, "query \"poll:pass\": 1 of 2 scenarios"));
  CHECK_MESSAGE(fail.code == 1, fail.text);
  CHECK(none.code == 4);
  const Ended bad = asked("poll:fial");
  CHECK(bad.code == 64);
  CHECK(has(bad, "\"fial\" at character 6; near: fail"));
  const auto listed = [&](std::string query) {
    return loopscope(dir, {"list", "scenarios", "--query", query});
  };
  CHECK(has(listed("area(sched) level(must) fifo"), "sched.soon.fifo"));
  CHECK(listed("area(sched) -level(*)").code == 4);
  CHECK(listed("epoll:fail").code == 64);
  CHECK(loopscope(dir, {"list", "loops", "--query", "x"}).code == 64);
  const auto compared = [&](std::string query) {
    return loopscope(dir, {"diff", dir.file("out"), dir.file("out"), "--query", query});
  };
  CHECK(has(compared("poll:fail"), "1 unchanged"));
  CHECK(compared("poll:hang").code == 4);
}

TEST_CASE("runs are merged into one document, or the old one stays") {
  const TempDir one, two, again;
  CHECK(run_of(one, "selftest.pass").code == 0);
  CHECK(run_of(two, "selftest.fail").code == 1);
  CHECK(run_of(again, "selftest.pass").code == 0);
  const std::string out = one.file("all.ndjson");
  const auto merge = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "merge");
    words.insert(words.end(), {"--out", out});
    return loopscope(one, words);
  };
  const Ended both = merge({one.file("out"), two.file("out/report.json")});
  CHECK_MESSAGE(both.code == 0, both.text);
  CHECK(has(both, "2 legs, 2 cells"));
  const std::string whole = contents(out);
  const Ended report = loopscope(one, {"report", out});
  CHECK(report.code == 1);
  CHECK(has(report, "red  2/2 cells reported"));
  CHECK(merge({out, two.file("out")}).code == 0);
  CHECK(contents(out) == whole);
  // The page of two platforms compares them, with the one that was asked for.
  CHECK(merge({"here=" + one.file("out"), "there=" + two.file("out")}).code == 0);
  const auto beside = [&](std::string word) {
    return loopscope(one, {"report", out, "--format", "html", "--beside", word});
  };
  CHECK(has(beside("there"), "cells are otherwise than on there"));
  CHECK(has(beside("there:here"), "cells are otherwise than on here"));
  for (const char* unknown : {"nowhere", "there:nowhere", "nowhere:there", "there:", ":there"}) {
    CAPTURE(unknown);
    CHECK(beside(unknown).code == 64);
    CHECK(has(beside(unknown), "here, there"));
  }
  CHECK(loopscope(one, {"report", out, "--beside", "there"}).code == 64);
  CHECK(merge({one.file("out"), two.file("out")}).code == 0);
  // Refused: nothing is written, and nothing is left beside it.
  std::ofstream(one.file("bad")) << "no journal\n";
  const Ended bad = merge({one.file("out"), one.file("bad")});
  CHECK(bad.code == 64);
  CHECK(has(bad, "LS027"));
  CHECK(has(bad, one.file("bad") + ": line 1: not JSON"));
  CHECK(merge({one.file("bad"), "--keep-going"}).code == 64);
  CHECK(has(merge({one.file("out"), again.file("out")}), "has a result on"));
  CHECK(merge({"A B=" + again.file("out")}).code == 64);
  CHECK(contents(out) == whole);
  CHECK_FALSE(fs::exists(out + ".part"));
  const Ended rest = merge({one.file("out"), one.file("bad"), "--keep-going"});
  CHECK_MESSAGE(rest.code == 2, rest.text);
  CHECK(has(rest, "1 legs, 1 cells"));
  CHECK(merge({one.file("out"), "again=" + again.file("out")}).code == 0);
  const Ended missing = merge({one.file("out"), "--expect-legs", "windows-x86_64"});
  CHECK(missing.code == 2);
  CHECK(has(missing, "LS028"));
  CHECK(loopscope(one, {"report", out}).code == 2);
  CHECK(has(loopscope(one, {"diff", out, one.file("out")}), "windows-x86_64: present -> absent"));
}

TEST_CASE("what is passed on has no names of users and machines, unless it is asked to keep them") {
  const TempDir dir;
  Spawned::Options options = options_for(
      dir, {"run", "--loop", "poll", "--scenario", "selftest.pass", "--out", dir.file("out")});
  options.environment["LOOPSCOPE_SEED"] = "7";
  options.environment["LOOPSCOPE_EXPECTATIONS"] = "";
  options.environment["USER"] = "mallory";
  options.environment["LOOPSCOPE_SLACK_MS"] = "251";
  CHECK(ended(options).code == 0);
  // The journal keeps the path of its folder; a home is put into it.
  std::string journal = contents(dir.file("out/journal.ndjson"));
  const std::size_t at = journal.find(dir.path);
  REQUIRE(at != std::string::npos);
  for (std::size_t found = at; found != std::string::npos; found = journal.find(dir.path, found)) {
    journal.replace(found, dir.path.size(), "/home/mallory/x");
  }
  std::ofstream(dir.file("journal")) << journal;
  for (const char* format : {"json", "rows", "html"}) {
    CAPTURE(format);
    const std::vector<std::string> words{"report", dir.file("journal"), "--format", format};
    CHECK_FALSE(has(loopscope(dir, words), "mallory"));
    std::vector<std::string> kept = words;
    kept.emplace_back("--no-redact");
    CHECK(has(loopscope(dir, kept), "mallory") == (std::string_view(format) != "rows"));
  }
  const auto merged = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"merge", dir.file("journal"), "--out", dir.file("merged")});
    CHECK(loopscope(dir, more).code == 0);
    return contents(dir.file("merged"));
  };
  CHECK(merged({}).find("mallory") == std::string::npos);
  CHECK(merged({}).find("\"fields\":[\"header.argv\"") != std::string::npos);
  CHECK(merged({"--no-redact"}).find("/home/mallory/x") != std::string::npos);
}

/// Runs that end as the selftest scenarios do; in the older one, what fails now passed.
void run_twice(const TempDir& old, const TempDir& now) {
  CHECK(run_of(old, "selftest.pass,selftest.fail").code == 1);
  CHECK(run_of(now, "selftest.pass,selftest.fail").code == 1);
  std::string before = contents(old.file("out/journal.ndjson"));
  const std::string failed = "\"outcome\":\"fail\"";
  const std::size_t at = before.find(failed);
  REQUIRE(at != std::string::npos);
  before.replace(at, failed.size(), "\"outcome\":\"pass\"");
  std::ofstream(old.file("out/journal.ndjson")) << before;
}

Ended page_of(const TempDir& dir, std::vector<std::string> more, const char* format = "html") {
  more.insert(more.begin(), {"report", dir.file("out"), "--format", format});
  return loopscope(dir, more);
}

TEST_CASE("a self-test writes its kill matrix, and the page shows it without names") {
  const TempDir dir;
  CHECK(run_of(dir, "selftest.pass").code == 0);
  const std::string kills = dir.file("kills.json");
  const Ended proved = loopscope(dir, {"selftest", "faulty.lifo_soon", "--out", kills});
  CHECK_MESSAGE(proved.code == 0, proved.text);
  const std::string matrix = contents(kills);
  for (const char* part : {R"("schema": "loopscope.kills/1")", R"("name": "faulty.lifo_soon")",
                           R"("must": "fail")", R"("redaction")"}) {
    CAPTURE(part);
    CHECK(matrix.find(part) != std::string::npos);
  }
  CHECK(matrix.find("\"right\": false") == std::string::npos);
  CHECK_FALSE(fs::exists(kills + ".part"));
  const auto lists = [&](const char* faulty, std::string out) {
    return loopscope(dir, {"selftest", faulty, "--registry", "--no-redact", "--out", out});
  };
  const Ended shown = lists("faulty.lifo_soon", "-");
  CHECK(shown.code == 0);
  CHECK(shown.text.rfind("{\n \"schema\": \"loopscope.kills/1\"", 0) == 0);
  CHECK_FALSE(has(shown, "redaction"));
  CHECK(has(lists("faulty.lifo_soon", "/proc/nowhere"), "LS060"));
  CHECK(lists("faulty.nothing_like_it", "-").code == 4);

  CHECK_FALSE(has(page_of(dir, {}), "<section id=\"kills\">"));
  const Ended page = page_of(dir, {"--kills", kills});
  CHECK(page.code == 0);
  CHECK(has(page, "<section id=\"kills\">"));
  CHECK(has(page, "faulty.lifo_soon"));
  std::string named = matrix;
  const std::string reason = "\"reason\": \"";
  named.insert(named.find(reason) + reason.size(), "/home/mallory/x: ");
  std::ofstream(dir.file("named")) << named;
  CHECK_FALSE(has(page_of(dir, {"--kills", dir.file("named")}), "mallory"));
  CHECK(has(page_of(dir, {"--kills", dir.file("named"), "--no-redact"}), "/home/mallory/x: "));
  CHECK(page_of(dir, {"--kills", dir.file("nothing")}).code == 64);
  CHECK(has(page_of(dir, {"--kills", dir.file("nothing")}), "LS020"));
  CHECK(has(page_of(dir, {"--kills", dir.file("out/report.json")}), "LS021"));
  const Ended other = page_of(dir, {"--kills", kills}, "console");
  CHECK(other.code == 64);
  CHECK(has(other, "--baseline, --beside and --kills are for the page"));
}

TEST_CASE("the page shows what changed since a baseline") {
  const TempDir old, dir;
  run_twice(old, dir);
  const Ended plain = page_of(dir, {}), beside = page_of(dir, {"--baseline", old.file("out")});
  CHECK(plain.code == 1);
  CHECK_FALSE(has(plain, "<section id=\"diff\">"));
  CHECK(beside.code == 1);
  CHECK(has(beside, "<section id=\"diff\">"));
  CHECK(has(beside, "1 regressed, 1 unchanged"));
  // Restricted alike: what the query leaves out has not changed either.
  const Ended passed = page_of(dir, {"--baseline", old.file("out"), "--query", "poll:pass"});
  CHECK(passed.code == 0);
  CHECK(has(passed, "1 unchanged"));
  CHECK_FALSE(has(passed, "regressed"));
  CHECK(has(page_of(dir, {"--baseline", dir.file("nothing")}), "LS020"));
  std::ofstream(dir.file("text")) << "no journal\n";
  CHECK(has(page_of(dir, {"--baseline", dir.file("text")}), "LS021"));
  const Ended other = page_of(dir, {"--baseline", old.file("out")}, "json");
  CHECK(other.code == 64);
  CHECK(has(other, "--baseline, --beside and --kills are for the page"));
}

TEST_CASE("bad input gives one message with an id, code 64, and no traceback") {
  const TempDir dir;
  std::ofstream(dir.file("text")) << "no journal\n";
  struct Row {
    std::vector<std::string> arguments;
    std::string_view says;
  };
  const Row rows[] = {
      {{"run", "--scenario", "sched.son.fifo"}, "sched.soon.fifo"},
      {{"run", "--loop", "epol"}, "epoll"},
      {{"run", "--jobs", "many"}, "LS001"},
      {{"run", "--flaky", "perhaps"}, "LS001"},
      {{"run", "--out", "/proc/nowhere"}, "LS030"},
      {{"run", "--out", dir.file("text")}, "LS030"},
      {{"run", "--resume", dir.file("nothing")}, "LS020"},
      {{"run", "--resume", dir.file("text")}, "LS021"},
      {{"run", "--expectations", dir.file("nothing")}, "LS020"},
      {{"report", dir.file("nothing")}, "LS020"},
      {{"report", dir.file("text")}, "LS021"},
      {{"report", dir.file("text"), "--format", "papyrus"}, "papyrus"},
      {{"diff", dir.file("text"), dir.file("nothing")}, "LS021"},
      {{"diff", dir.file("nothing"), dir.file("text")}, "LS020"},
      {{"diff", dir.file("text")}, "LS001"},
      {{"cell", "--loop", "poll", "--scenario", "nothing.like.it"}, "LS010"},
      {{"explain", "sched.soon.fif"}, "sched.soon.fifo"},
      {{"probe", "--fact", "nothing.like.it"}, "LS010"},
      {{"probe", "--explain", "epoll.exclusiv"}, "epoll.exclusive"},
      {{"probe", "--deadline-ms", "0"}, "LS001"},
      {{"list", "everything"}, "LS001"},
      {{"rnu"}, "run"},
      {{}, "LS001"},
  };
  for (const Row& row : rows) {
    const Ended end = loopscope(dir, row.arguments);
    CAPTURE(end.text);
    CHECK(end.code == 64);
    CHECK(has(end, "error LS0"));
    CHECK(has(end, row.says));
  }
}

TEST_CASE("a bug in loopscope is code 70, never success") {
  const TempDir dir;
  const Ended end = loopscope(dir, {"selftest", "--bug"});
  CHECK(end.code == 70);
  CHECK(has(end, "LS070"));
}

TEST_CASE("one fact is explained: what, why, how, what no answer means, what follows") {
  const TempDir dir;
  struct Row {
    const char* fact;
    std::vector<const char*> says;
  };
  const Row rows[] = {
      {"poll.present", {"Does poll report", "why", "measured by pipe2", "no answer", "implied by"}},
      {"so.reuseport_balances", {"not_asked", "--intrusive", "traces", "implies     so.reuseport"}},
      {"win.build", {"not on this system: needs Windows", "not_applicable", "Which build"}},
      {"packet", {"CAP_NET_RAW"}}};
  for (const Row& row : rows) {
    const Ended end = loopscope(dir, {"probe", "--explain", row.fact});
    CAPTURE(end.text);
    CHECK(end.code == 0);
    CHECK(has(end, "fact " + std::string(row.fact)));
    for (const char* text : row.says) CHECK(has(end, text));
    // One sheet, whoever prints it.
    CHECK(has(loopscope(dir, {"explain", row.fact}), "why         "));
  }
}

TEST_CASE("what leaves traces is asked when that is wanted") {
  const TempDir dir;
  const auto asked = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"probe", "--fact", "vsock,netlink", "--format", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return loopscope(dir, arguments);
  };
  CHECK(has(asked({}), "not_asked"));
  CHECK(!has(asked({"--intrusive"}), "not_asked"));
}

TEST_CASE("a variable stands for an option, and the option outranks it") {
  const TempDir dir;
  Spawned::Options options = options_for(dir, {"run", "--loop", "poll"});
  options.environment["LOOPSCOPE_SCENARIO"] = "selftest.pass";
  options.environment["LOOPSCOPE_OUT"] = dir.file("by-variable");
  CHECK(ended(options).code == 0);
  CHECK(contents(dir.file("by-variable/journal.ndjson")).find("LOOPSCOPE_SCENARIO") !=
        std::string::npos);
  options.argv.insert(options.argv.end(), {"--scenario", "selftest.fail"});
  CHECK(ended(options).code == 1);
}

TEST_CASE("an earlier journal gets another name") {
  const TempDir dir;
  REQUIRE(run_of(dir, "selftest.pass").code == 0);
  const std::string first = contents(dir.file("out/journal.ndjson"));
  CHECK(has(run_of(dir, "selftest.pass"), "LS034"));
  REQUIRE(run_of(dir, "selftest.pass").code == 0);
  CHECK(contents(dir.file("out/journal.1.ndjson")) == first);
  CHECK(fs::exists(dir.file("out/journal.2.ndjson")));
}

TEST_CASE("few descriptors give a message and fewer jobs, not a loss of results") {
  const TempDir dir;
  Spawned::Options options =
      options_for(dir, {"run", "--loop", "poll", "--scenario", "selftest.pass", "--repeat", "20",
                        "--jobs", "50", "--out", dir.file("out")});
  options.descriptor_limit = 64;
  const Ended end = ended(options);
  CHECK_MESSAGE(end.code == 0, end.text);
  CHECK_MESSAGE(has(end, "LS033"), end.text);
}

// --- interruptions

/// Starts a run that takes a while: slow cells and quick ones, two at a time.
Spawned start_long_run(const TempDir& dir) {
  return Spawned::start(
             options_for(dir, {"run", "--loop", "poll", "--scenario", "selftest.pass,selftest.slow",
                               "--repeat", "40", "--jobs", "2", "--out", dir.file("out")}))
      .value();
}

std::size_t results_in(const std::string& journal) {
  const Result<JournalState> state = read_journal(journal);
  if (!state.ok()) return 0;
  return static_cast<std::size_t>(
      std::count_if(state->cells.begin(), state->cells.end(),
                    [](const JournalCell& cell) { return cell.outcome.has_value(); }));
}

TEST_CASE("an interrupted run writes a footer, keeps its results and leaves nobody behind") {
  for (const int signal : {kInterrupt, kTerminate}) {
    CAPTURE(signal);
    const TempDir dir;
    const std::string journal = dir.file("out/journal.ndjson");
    Spawned run = start_long_run(dir);
    wait_until("five results", [&] { return results_in(journal) >= 5; });
    run.send(signal);
    CHECK(run.wait() == 128 + signal);
    const JournalState state = read_journal(journal).value();
    CHECK(state.has_footer);
    CHECK(state.interrupted);
    CHECK(results_in(journal) >= 5);
    CHECK(processes_with("TMPDIR=" + dir.path).empty());
    CHECK(loopscope(dir, {"report", journal, "--format", "json"}).code != 0);
  }
}

// Goal: whenever the harness is killed, its journal is sound, its cells die with it, and a resumed
// run fills in what is missing and nothing else. Method: kill at random moments, several times.
TEST_CASE("a killed run can be resumed until it is complete") {
  const TempDir dir;
  const std::string journal = dir.file("out/journal.ndjson");
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto moment = [&] { return std::chrono::milliseconds(random() % 400); };
  {
    Spawned run = start_long_run(dir);
    wait_until("the plan", [&] { return read_journal(journal).ok(); });
    std::this_thread::sleep_for(moment());
    run.send(kKill);
    (void)run.wait();
  }
  wait_until("the cells die", [&] { return processes_with("TMPDIR=" + dir.path).empty(); });
  const auto resume = [&] {
    return Spawned::start(options_for(dir, {"run", "--resume", journal})).value();
  };
  for (int round = 0; round < 2; ++round) {
    const JournalState before = read_journal(journal).value();
    Spawned again = resume();
    std::this_thread::sleep_for(200ms + moment());
    again.send(kKill);
    (void)again.wait();
    const JournalState after = read_journal(journal).value();
    for (std::size_t i = 0; i < before.cells.size(); ++i) {
      if (before.cells[i].outcome) CHECK(after.cells[i].outcome == before.cells[i].outcome);
    }
  }
  Spawned last = resume();
  CHECK(last.wait() == 0);
  const JournalState state = read_journal(journal).value();
  CHECK(state.has_footer);
  REQUIRE(state.cells.size() == 80);
  for (const JournalCell& cell : state.cells) {
    CHECK(cell.outcome == Outcome::pass);
  }
  // Nothing ran twice: one result line for each cell.
  const std::string text = contents(journal);
  std::size_t lines = 0;
  for (std::size_t at = text.find("{\"cell\":"); at != std::string::npos;
       at = text.find("{\"cell\":", at + 1)) {
    ++lines;
  }
  CHECK(lines == 80);
}

TEST_CASE("a hang is described: threads, stacks, descriptors, last events") {
  const TempDir dir;
  REQUIRE(run_of(dir, "selftest.hang").code == 1);
  const std::string journal = contents(dir.file("out/journal.ndjson"));
  const std::size_t dossier = journal.find("\"dossier\":{");
  REQUIRE(dossier != std::string::npos);
  CHECK(journal.find("about to hang", dossier) != std::string::npos);
  CHECK(journal.find("hangs(loopscope::Context&)", dossier) != std::string::npos);
  CHECK(journal.find("\"killed_at_limit\":true") != std::string::npos);
}

TEST_CASE("a crash leaves the signal and the frames") {
  const TempDir dir;
  REQUIRE(run_of(dir, "selftest.crash").code == 1);
  if (!build_info().sanitizers.empty()) return;  // A sanitizer reports in its own way, and exits.
  const std::string journal = contents(dir.file("out/journal.ndjson"));
  CHECK(journal.find("(anonymous namespace)::crashes") != std::string::npos);
  CHECK(journal.find("\"signal\":11") != std::string::npos);
  CHECK(journal.find("signal 11, code 1, address 0x0") != std::string::npos);
}

TEST_CASE("what a cell leaves running is named, and killed") {
  for (const char* scenario : {"selftest.grandchild", "selftest.daemon", "selftest.leak_child"}) {
    CAPTURE(scenario);
    const TempDir dir;
    const Ended end = run_of(dir, scenario);
    CHECK(end.code == 1);
    CHECK(has(end, "LS102"));
    CHECK(processes_with("TMPDIR=" + dir.path).empty());
  }
}

}  // namespace
}  // namespace loopscope
