// The facts of this machine against what other sources say of it.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "loops/base/clock.hpp"
#include "probe/measure.hpp"
#include "probe/render.hpp"

using namespace loopscope;

namespace {

/// Measured once for all the tests here. The deadline is generous: a loaded machine and the
/// sanitizers are slow, and these tests judge the answers.
const std::vector<MeasuredFact>& all_facts() {
  static const std::vector<MeasuredFact> facts =
      measure_facts("", {.deadline = std::chrono::seconds(10)});
  return facts;
}

std::int64_t number(std::string_view id) {
  const MeasuredFact* fact = find_fact(all_facts(), id);
  REQUIRE(fact != nullptr);
  const auto* value = std::get_if<std::int64_t>(&fact->result.value);
  REQUIRE(value != nullptr);
  return *value;
}

std::string word(std::string_view id) {
  const MeasuredFact* fact = find_fact(all_facts(), id);
  REQUIRE(fact != nullptr);
  const auto* value = std::get_if<std::string>(&fact->result.value);
  return value != nullptr ? *value : std::string();
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// The soft limit as /proc/self/limits prints it; empty where there is no /proc.
std::string proc_limit(const std::string& name) {
  std::istringstream lines(read("/proc/self/limits"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream rest(line.substr(name.size()));
    std::string soft;
    rest >> soft;
    return soft;
  }
  return {};
}

}  // namespace

TEST_CASE("every registered fact has one answer, and a null has a reason") {
  std::size_t registered = 0;
  for (const ProbeFile* file : all_probe_files()) registered += file->facts.size();
  CHECK(all_facts().size() == registered);
  for (const MeasuredFact& fact : all_facts()) {
    CAPTURE(fact.id);
    const bool null = std::holds_alternative<std::monostate>(fact.result.value);
    CHECK((!null || fact.result.reason != Reason::none));
    CHECK(fact.result.reason != Reason::crashed);
    CHECK(fact.result.reason != Reason::timeout);
    // A fact that was asked shows what it did; a table is its own evidence.
    const bool asked =
        fact.result.reason != Reason::not_applicable && fact.result.reason != Reason::not_asked;
    CHECK((!asked || !fact.result.evidence.empty() || !fact.result.table.empty()));
  }
}

TEST_CASE("limits are what /proc/self/limits prints") {
  const std::string files = proc_limit("Max open files");
  if (files.empty()) return;  // no /proc here: nothing to compare with
  CHECK(value_text(find_fact(all_facts(), "limit.nofile.soft")->result) == files);
  const std::string pending = proc_limit("Max pending signals");
  CHECK(value_text(find_fact(all_facts(), "limit.sigpending")->result) == pending);
}

TEST_CASE("waits are never shorter than asked, and the fine ones are finer than a millisecond") {
  for (const char* id : {"wait.poll.granularity", "wait.select.granularity"}) {
    CAPTURE(id);
    CHECK(number(id) >= 1'000'000);
  }
  for (const char* id : {"wait.ns.ppoll", "wait.ns.pselect"}) {
    CAPTURE(id);
    CHECK(number(id) >= 300'000);
  }
}

TEST_CASE("no mechanism ends its wait early, and each has a point for what it can be asked") {
  std::size_t measured = 0;
  for (const MeasuredFact& fact : all_facts()) {
    if (!fact.id.starts_with("wait.late.")) continue;
    CAPTURE(fact.id);
    if (std::holds_alternative<std::monostate>(fact.result.value)) continue;
    ++measured;
    for (const CurvePoint& point : fact.result.curve) {
      CHECK((point.value.has_value() || point.reason == Reason::invalid));
      for (const double late : point.samples) CHECK(late >= 0);
    }
  }
  CHECK(measured >= 5);
}

TEST_CASE("a curve over descriptors has its six points, each with samples or a reason") {
  for (const char* id : {"cost.select", "cost.poll", "cost.epoll", "cost.io_uring"}) {
    CAPTURE(id);
    const MeasuredFact* fact = find_fact(all_facts(), id);
    REQUIRE(fact != nullptr);
    if (std::holds_alternative<std::monostate>(fact->result.value)) continue;
    CHECK(fact->result.curve_over == "descriptors");
    std::vector<double> over;
    for (const CurvePoint& point : fact->result.curve) {
      over.push_back(point.x);
      CHECK(point.value.has_value() == !point.samples.empty());
      CHECK(point.value.has_value() == (point.reason == Reason::none));
    }
    CHECK(bool(over == std::vector<double>{10, 100, 512, 1000, 5000, 10'000}));
  }
}

TEST_CASE("one thing that two facts say is said alike") {
  const auto is_true = [](const char* id) { return fact_is_true(all_facts(), id); };
  // A file that epoll refuses is refused in both places.
  const auto& outcomes = find_fact(all_facts(), "fs.async.readiness_of_regular")->result.value;
  const auto* list = std::get_if<std::vector<std::string>>(&outcomes);
  REQUIRE(list != nullptr);
  const std::set<std::string> said(list->begin(), list->end());
  CHECK(is_true("epoll.regular_file") == !said.contains("epoll: EPERM"));
  CHECK((!is_true("uring.file") || is_true("uring.setup")));
  CHECK((!is_true("uring.seccomp_suspected") || !is_true("uring.setup")));
  CHECK((!is_true("pidfd.poll") || is_true("pidfd.open")));
  CHECK((!is_true("eventfd.semaphore") || is_true("eventfd")));
  CHECK(number("limit.nofile.hard") >= number("limit.nofile.soft"));
}

TEST_CASE("the table of kinds has a cell for every mechanism in every row") {
  const MeasuredFact* fact = find_fact(all_facts(), "poll.kind_matrix");
  REQUIRE(fact != nullptr);
  CHECK(fact->result.table.size() >= 25);
  for (const FactRow& row : fact->result.table) {
    CAPTURE(row.name);
    REQUIRE(row.cells.size() == 4);
    for (const auto& [mechanism, cell] : row.cells) {
      CAPTURE(mechanism);
      CHECK(!cell.empty());
    }
  }
}

TEST_CASE("the host block says the same as the facts") {
  const HostBlock host = host_environment();
  const auto field = [&](std::string_view name) {
    for (const auto& [key, value] : host) {
      if (key == name) return value;
    }
    return FactValue{};
  };
  CHECK(std::get<std::string>(field("libc")) == word("env.libc"));
  CHECK(std::get<std::string>(field("container")) == word("env.container"));
  CHECK(std::get<std::int64_t>(field("cpus")) == number("env.cpu_count_effective"));
  CHECK(std::get<std::int64_t>(field("cpus")) <=
        static_cast<std::int64_t>(std::thread::hardware_concurrency()));
  CHECK(nlohmann::json::parse(host_json(host))["arch"].is_string());
}
