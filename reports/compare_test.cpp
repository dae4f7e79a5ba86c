// Verdicts, relations, causes, why-chains, the API table and the documented limits.
#include "reports/compare.hpp"

#include <doctest/doctest.h>

#include "reports/api_table.hpp"
#include "reports/limits.hpp"
#include "reports/tally.hpp"
#include "reports/test_journals.hpp"

using namespace loopscope;
using namespace loopscope::reports;

namespace {

Run run_of(const std::string& poll, const std::string& libuv, const std::string& more = "") {
  return load_text(kHeader + kCatalogue + kPlan + cell_line("poll", poll, more) +
                   cell_line("libuv", libuv, R"(,"standing":"as_expected")") + kFooter)
      .value();
}

const LimitResult& limit(const std::vector<LimitResult>& results, std::string_view id) {
  for (const LimitResult& row : results) {
    if (row.limit->id == id) return row;
  }
  FAIL("no limit " << id);
  return results.front();
}

}  // namespace

TEST_CASE("verdict: the cells outrank a footer that is kinder than they are") {
  CHECK(verdict(run_of("pass", "pass")) == "green");
  CHECK(verdict(run_of("diverges", "pass")) == "green");
  for (const char* red : {"fail", "leak", "hang", "crash"}) {
    CAPTURE(red);
    const Run run = run_of(red, "pass", R"(,"standing":"unexpected")");
    CHECK(verdict(run) == "red");
    CHECK(contradictions(run).size() == 1);
    CHECK(needs_attention(run.cells[0]));
  }
  CHECK(verdict(run_of("broken", "pass")) == "unknown");
  CHECK(verdict(run_of("fail", "pass", R"(,"standing":"as_expected")")) == "green");
  CHECK(verdict(run_of("pass", "pass", R"(,"standing":"stale_expectation")")) == "red");
  CHECK(verdict(run_of("inconclusive", "pass", R"(,"level":"must")")) == "unknown");
  CHECK(verdict(run_of("inconclusive", "pass", R"(,"level":"should")")) == "green");
}

TEST_CASE("relation: what the reference does in the same scenario") {
  const auto of = [](const std::string& poll, const std::string& libuv) {
    const Run run = run_of(poll, libuv);
    return relation(run, run.cells[0], reference_loop(run));
  };
  CHECK(of("pass", "pass") == Relation::none);
  CHECK(of("fail", "pass") == Relation::only_this_loop);
  CHECK(of("fail", "diverges") == Relation::also_reference);
  CHECK(of("pass", "fail") == Relation::only_reference);
  CHECK(of("fail", "inconclusive") == Relation::none);
}

TEST_CASE("divergences: loops that ran a scenario and do not agree; absent ones do not count") {
  CHECK(divergences(run_of("pass", "pass")).empty());
  CHECK(divergences(run_of("pass", "unsupported")).empty());
  CHECK(divergences(run_of("pass", "diverges")).size() == 1);
  const Run golden = stored_run("golden.ndjson");
  for (const Divergence& row : divergences(golden)) {
    if (row.scenario->id == "timer.order.equal_deadline")
      CHECK(row.pattern == "libuv alone differs");
    if (row.scenario->id == "sched.soon.fifo") CHECK(row.pattern == "poll alone differs");
  }
  CHECK(divergences(golden).size() == 6);
}

TEST_CASE("why-chain: from the cell over the fact to the errno") {
  const Run run = stored_run("golden.ndjson");
  const auto chain = why_chain(run, *run.find("poll", "sig.fork_in_thread"));
  REQUIRE(chain.size() == 3);
  CHECK(chain[0].what == "sig.fork_in_thread on poll");
  CHECK(chain[1].what == "needs the fact pidfd.open");
  CHECK(chain[1].answer == "no (not_implemented)");
  CHECK(chain[2].answer == "pidfd_open(4711, 0): -1 ENOSYS");
  const auto absent = why_chain(run, *run.find("kqueue", "sched.soon.fifo"));
  REQUIRE(absent.size() == 2);
  CHECK(absent[1].answer == "is absent: needs macOS or a BSD");
  CHECK(why_chain(run, *run.find("epoll", "sched.soon.fifo")).empty());
}

TEST_CASE("causes: every cell that needs attention stands under one cause") {
  const Run run = stored_run("golden.ndjson");
  std::size_t listed = 0, want = 0;
  for (const Cause& cause : attention_by_cause(run)) listed += cause.cells.size();
  for (const Cell& cell : run.cells) want += needs_attention(cell) ? 1 : 0;
  CHECK(listed == want);
  CHECK(want == 6);
  REQUIRE(known_by_cause(run).size() == 1);
  CHECK(known_by_cause(run)[0].title == "libuv counts whole milliseconds");
}

TEST_CASE("api: the worst outcome counts, and what no scenario names is untested") {
  const Run run = run_of("leak", "pass");
  const std::vector<ApiRow> rows = api_table(run);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].capability == "pipes");
  CHECK(rows[0].cells[0].status == "leak");
  CHECK(rows[0].cells[0].support == "native");
  CHECK(rows[0].cells[1].status == "pass");
  CHECK(rows[0].cells[1].support == "emulated");
  CHECK(rows[1].entry == "connect_write_pipe");
  CHECK(rows[1].cells[0].status == "untested");
}

TEST_CASE("limits: thirty of them, each with a claim, versions and a source") {
  REQUIRE(limits().size() == 30);
  for (std::size_t i = 0; i < limits().size(); ++i) {
    const Limit& row = limits()[i];
    CHECK(row.id == "C" + std::to_string(i + 1));
    for (const std::string_view text : {row.claim, row.versions, row.source, row.later}) {
      CHECK_FALSE(text.empty());
    }
  }
}

TEST_CASE("limits: what the facts and the loops of this run show, and nothing else") {
  const Run run = stored_run("golden.ndjson");
  const auto results = judge_limits(run);
  const LimitResult& files = limit(results, "C1");
  CHECK(files.system.status == "mixed");
  CHECK(files.system.evidence.at(0).find("epoll EPERM") != std::string::npos);
  CHECK(files.loops.status == "shown");
  CHECK(limit(results, "C2").loops.status == "refuses");
  CHECK(limit(results, "C22").system.status == "permits");
  CHECK(limit(results, "C28").system.status == "refuses");
  const LimitResult& windows = limit(results, "C4");
  CHECK(windows.system.status == "not_measured");
  CHECK(windows.loops.text ==
        "not measured here: a claim about Windows, and this machine runs Linux");
  CHECK(limit(results, "C29").loops.text == "not measured here");
  for (const LimitResult& row : judge_limits(load_text(kHeader).value())) {
    CHECK(row.system.status == "not_measured");
    CHECK(row.loops.status == "not_measured");
  }
}

TEST_CASE("limits: a loop that is absent neither delivers nor refuses") {
  const auto tls_on_proactors = [](const std::string& io_uring) {
    const std::string text =
        R"({"header":{"schema":"loopscope.journal/1","host":{"os":"Windows"}}})"
        "\n"
        R"({"catalogue":{"loops":[{"name":"iocp","family":"proactor"},)"
        R"({"name":"io_uring","family":"proactor",)" +
        io_uring +
        R"(}],"scenarios":[{"id":"tls.echo_large"}]}})"
        "\n"
        R"({"plan":{"cells":[{"loop":"iocp","scenario":"tls.echo_large","decision":"run"},)"
        R"({"loop":"io_uring","scenario":"tls.echo_large","decision":"run"}]}})"
        "\n"
        R"({"cell":{"loop":"iocp","scenario":"tls.echo_large","outcome":"pass"}})"
        "\n"
        R"({"cell":{"loop":"io_uring","scenario":"tls.echo_large","outcome":"unsupported"}})"
        "\n" +
        kFooter;
    return limit(judge_limits(load_text(text).value()), "C10").loops.status;
  };
  CHECK(tls_on_proactors(R"("absent_because":"needs Linux")") == "delivers");
  CHECK(tls_on_proactors(R"("version":"1")") == "mixed");
}

TEST_CASE("text: durations, sizes and facts as a reader would write them") {
  CHECK(duration_text(812) == "812 ns");
  CHECK(duration_text(61200) == "61.2 us");
  CHECK(duration_text(19200000000) == "19.2 s");
  CHECK(size_text(512) == "512 bytes");
  CHECK(size_text(5242880) == "5 MiB");
  Fact fact;
  fact.reason = "denied";
  CHECK(fact_text(fact) == "no answer (denied)");
  fact = Fact{};
  fact.value = std::int64_t{65536};
  fact.unit = "bytes";
  CHECK(fact_text(fact) == "65536 bytes");
}
