// Reading journals: what is refused and by which line, and that a cut one stays readable.
#include "reports/load.hpp"

#include <doctest/doctest.h>

#include <cerrno>

#include "reports/tally.hpp"
#include "reports/test_journals.hpp"

using namespace loopscope;
using namespace loopscope::reports;

// Goal: each kind of damage is refused, and the message names the line. Method: one table.
TEST_CASE("load: bad input is refused by its line number") {
  struct Row {
    const char* what;
    std::string text;
    const char* want;
  };
  const std::string start = kHeader + kCatalogue + kPlan;
  const Row rows[] = {
      {"an empty file", "", "line 1: the journal is empty"},
      {"no header", kCatalogue, "line 1: a journal begins with a header"},
      {"another schema", R"({"header":{"schema":"other/1"}})", "line 1: the schema is \"other/1\""},
      {"no version", R"({"header":{"schema":"loopscope.journal/x"}})", "has no version number"},
      {"a newer major", R"({"header":{"schema":"loopscope.journal/2"}})", "use a newer one"},
      {"not an object", kHeader + "[]\n", "line 2: not a JSON object"},
      {"garbage in the middle", kHeader + "{\"cell\":\n" + kCatalogue, "line 2: not JSON"},
      {"garbage with its line end", kHeader + "{\"cell\":\n", "line 2: not JSON"},
      {"a key of the wrong type", kHeader + R"({"fact":{"id":7}})", "line 2: \"id\" must be a str"},
      {"a fact without an id", kHeader + R"({"fact":{}})", "line 2: a fact needs an \"id\""},
      {"an unknown outcome", start + cell_line("poll", "great"),
       "line 4: unknown outcome \"great\""},
      {"an unknown decision",
       kHeader + R"({"plan":{"cells":[{"loop":"a","scenario":"b","decision":"maybe"}]}})",
       "line 2: unknown decision \"maybe\""},
      {"an unplanned cell", start + cell_line("epoll", "pass"),
       "line 4: a result for a.b on epoll"},
      {"a second result", start + cell_line("poll", "pass") + cell_line("poll", "fail"),
       "line 5: a second result for a.b on poll"},
      {"a second plan", start + kPlan, "line 4: a second plan"},
      {"invalid UTF-8", kHeader + "{\"x\":\"\xff\"}\n", "line 2: not JSON"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Result<Run> run = load_text(row.text);
    REQUIRE_FALSE(run.ok());
    CHECK(run.error().is(Errc::protocol));
    CHECK_MESSAGE(run.error().detail.find(row.want) != std::string::npos, run.error().detail);
  }
}

TEST_CASE("load: unknown keys and unknown kinds of line are ignored") {
  const std::string text = kHeader + kCatalogue + kPlan + R"({"weather":{"rain":true}})" + "\n" +
                           cell_line("poll", "pass", R"(,"mood":"good")") +
                           cell_line("libuv", "pass") + kFooter;
  const Run run = load_text(text).value();
  CHECK(run.complete);
  CHECK(run.cells.size() == 3);
  CHECK(verdict(run) == "green");
}

// Goal: a journal may end anywhere, as after a kill, and is then readable, incomplete and without
// a verdict. Method: cut a whole journal after every single byte.
TEST_CASE("load: a journal that is cut anywhere is readable and says that it is incomplete") {
  const std::string whole = kHeader + kCatalogue + kPlan + cell_line("poll", "pass") +
                            cell_line("libuv", "fail") + kFooter;
  const std::size_t last_line = whole.size() - 1;  // without its line end the footer is whole
  for (std::size_t size = kHeader.size(); size < last_line; ++size) {
    CAPTURE(size);
    const Result<Run> run = load_text(whole.substr(0, size));
    REQUIRE(run.ok());
    CHECK_FALSE(run->complete);
    CHECK(verdict(*run) == "unknown");
    CHECK_FALSE(run->incomplete_because.empty());
  }
  CHECK(load_text(whole).value().complete);
}

TEST_CASE("load: planned cells without a result are notrun, decided ones carry the decision") {
  const Run run = load_text(kHeader + kCatalogue + kPlan + cell_line("poll", "pass")).value();
  REQUIRE(run.cells.size() == 3);
  CHECK(run.cells[0].outcome == Outcome::pass);
  CHECK(run.cells[0].ran);
  CHECK(run.cells[1].outcome == Outcome::notrun);
  CHECK(run.cells[2].outcome == Outcome::skip);
  CHECK(run.cells[2].missing_fact == "pidfd.open");
  CHECK_FALSE(run.cells[2].ran);
  CHECK(run.incomplete_because == "the journal has no footer; 1 planned cells have no result");
}

TEST_CASE("load: a resumed run may follow a cut line and may repeat a result") {
  const std::string text = kHeader + kCatalogue + kPlan + cell_line("poll", "hang") +
                           "{\"cell\":{\"loop\":\"lib\n" + "{\"resumed\":{}}\n" +
                           cell_line("poll", "pass") + cell_line("libuv", "pass") + kFooter;
  const Run run = load_text(text).value();
  CHECK(run.resumed == 1);
  CHECK(run.complete);
  CHECK(run.cells[0].outcome == Outcome::pass);
}

TEST_CASE("load: an interrupted run is incomplete although it has a footer") {
  const std::string footer = R"({"footer":{"verdict":"green","interrupted":true}})";
  const Run run = load_text(kHeader + kCatalogue + kPlan + cell_line("poll", "pass") +
                            cell_line("libuv", "pass") + footer)
                      .value();
  CHECK_FALSE(run.complete);
  CHECK(run.incomplete_because == "the run was interrupted");
}

TEST_CASE("load: the evidence of every kind of cell arrives") {
  const Run run = stored_run("golden.ndjson");
  CHECK(run.complete);
  const Cell* hang = run.find("libuv", "life.stop.batch_finishes");
  REQUIRE(hang != nullptr);
  REQUIRE(hang->dossier.has_value());
  CHECK(hang->dossier->threads.at(0).wchan == "ep_poll");
  CHECK(hang->end->killed_at_limit);
  const Cell* leak = run.find("select", "rw.level_triggered");
  REQUIRE(leak != nullptr);
  CHECK(leak->leaks.at(0).what == "7 -> pipe:[123456]");
  const Cell* broken = run.find("epoll", "rw.bad_fd");
  REQUIRE(broken != nullptr);
  CHECK(broken->backend->effective == "poll");
  CHECK_FALSE(broken->backend->proved);
  CHECK(text_of(broken->counters, "waits.epoll_pwait2") != "");
  const Fact* kinds = run.fact("poll.kind_matrix");
  REQUIRE(kinds != nullptr);
  CHECK(kinds->table.size() == 10);
  CHECK(run.fact("wait.poll.granularity")->samples->n == 200);
}

TEST_CASE("load_file: an unreadable file gives the system's error") {
  const Result<Run> missing = load_file("/nonexistent/journal.ndjson");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().is_errno(ENOENT));
  const Result<Run> folder = load_file(LOOPSCOPE_TESTDATA);
  REQUIRE_FALSE(folder.ok());
  CHECK(folder.error().is_errno(EISDIR));
}
