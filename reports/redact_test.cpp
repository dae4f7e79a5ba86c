// Redaction: what is taken out, what stays, and that doing it twice is doing it once.
#include "reports/redact.hpp"

#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "reports/format.hpp"
#include "reports/test_journals.hpp"

using namespace loopscope;
using namespace loopscope::reports;
using Json = nlohmann::ordered_json;

namespace {

/// What becomes of a text in a run that mentions the home of "alice" and knows a host.
std::string clean(const std::string& text, const LocalNames& names = {}) {
  Run run;
  run.header.argv = {"/home/alice/bin/loopscope", text};
  run.header.host = {{"hostname", "forge7.example.org"}};
  redact(run, names);
  return run.header.argv.at(1);
}

/// The free texts of a journal with a home and a machine in each of them.
Json with_names(const Json& value, const std::string& key, const std::set<std::string>& free) {
  Json out = value;
  if (value.is_object()) {
    for (auto& [name, member] : out.items()) member = with_names(member, name, free);
  } else if (value.is_array()) {
    for (Json& member : out) member = with_names(member, key, free);
  } else if (value.is_string() && free.count(key) != 0) {
    if (key == "absent_because" && value.get<std::string>().empty()) return out;
    out = value.get<std::string>() + " /home/babbage/x babbage@wintermute";
  }
  return out;
}

std::string named_journal() {
  const std::map<std::string, std::set<std::string>> free{
      {"header", {"kernel", "argv", "loops", "scenarios", "LOOPSCOPE_JOBS", "compiler"}},
      {"catalogue", {"file", "absent_because", "version"}},
      {"fact", {"note", "call", "result", "reason"}},
      {"plan", {"reason"}},
      {"cell", {"reason",      "what",        "expected",  "observed",  "where", "value",  "before",
                "after",       "stderr",      "stdout",    "rerun",     "why",   "source", "stack",
                "descriptors", "last_events", "requested", "effective", "state", "wchan"}}};
  std::istringstream lines(stored("golden.ndjson"));
  std::string text, out;
  while (std::getline(lines, text)) {
    Json line = Json::parse(text);
    const std::string kind = line.begin().key();
    if (const auto found = free.find(kind); found != free.end()) {
      line[kind] = with_names(line[kind], "", found->second);
    }
    if (kind == "header") line[kind]["host"]["hostname"] = "wintermute";
    out += line.dump() + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("redact: homes, users and machines") {
  struct Row {
    const char *text, *want;
  };
  const Row rows[] = {
      {"/home/alice/src/x.cpp:3", "~/src/x.cpp:3"},
      {"at /Users/bob/x (/home/carol)", "at ~/x (~)"},
      {R"(C:\Users\Bob Jones\x)", R"(~ Jones\x)"},
      {R"(C:\\Users\\dave\\x)", R"(~\\x)"},
      {"file:///home/eve/x", "file://~/x"},
      {"/root/x, /root, /rootfs, /a/root", "~/x, ~, /rootfs, /a/root"},
      {"HOME=/home/alice", "HOME=~"},
      {"/var/home/alice/x", "/var/home/[user]/x"},
      {"alice@forge7:~$ id alice", "[user]@[host]:~$ id [user]"},
      {"forge7.example.org is forge7", "[host] is [host]"},
      {"malice, alice2, Alice", "malice, alice2, Alice"},
      {"/home/runner/work runner", "~/work runner"},
      {"/home", "/home"},
      {"/homes/alice_x/y", "/homes/alice_x/y"},
      {"", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(clean(row.text) == row.want);
    CHECK(clean(row.want) == row.want);
  }
}

TEST_CASE("redact: names of this machine are known without a word of the document") {
  const LocalNames names{
      .users = {"frank", "root", "me"}, .hosts = {"anvil"}, .homes = {"/data/fr"}};
  CHECK(clean("frank on anvil in /data/fr/x, /data/free", names) ==
        "[user] on [host] in ~/x, /data/free");
  CHECK(clean("root me", names) == "root me");
}

// Goal: no field is forgotten. Method: a name in every string of a journal, ids excepted, is gone
// from every format, and the outcomes are what they were.
TEST_CASE("redact: the names are gone from every format, and what was done is said") {
  Run run = load_text(named_journal()).value();
  const Run before = run;
  redact(run, {});
  REQUIRE(run.redaction.has_value());
  CHECK(run.redaction->fields.size() > 15);
  Run again = run;
  redact(again, {});
  CHECK(again == run);
  REQUIRE(run.cells.size() == before.cells.size());
  for (std::size_t i = 0; i < run.cells.size(); ++i) {
    CHECK(run.cells[i].outcome == before.cells[i].outcome);
    CHECK(run.cells[i].scenario == before.cells[i].scenario);
  }
  const Report raw = report_of(before), report = report_of(run);
  for (const Format* format : all_formats()) {
    CAPTURE(format->name);
    const std::string page = format->render(report, {}).value();
    for (const char* name : {"wintermute", "babbage", "/home/"}) {
      CAPTURE(name);
      CHECK(page.find(name) == std::string::npos);
    }
    if (format->name.substr(0, 5) == "badge") continue;
    CHECK(format->render(raw, {}).value().find("babbage") != std::string::npos);
  }
  for (const char* format : {"json", "summary", "console", "tap", "junit", "html"}) {
    CAPTURE(format);
    CHECK(render(format, report).value().find("cell.stderr") != std::string::npos);
  }
}

TEST_CASE("redact: the reasons of a kill matrix, with the names that the report beside it knows") {
  Kills kills = kills_from_json(stored("kills.json")).value();
  REQUIRE(kills.trials.size() > 1);
  const std::string faulty = kills.trials[0].faulty;
  kills.trials[0].reason = "cannot open /home/alice/x on forge7; alice, frank and gibson";
  const Kills before = kills;
  Run run;
  run.header.host = {{"hostname", "forge7.example.org"}};
  const LocalNames names{.users = {"frank"}, .hosts = {"gibson"}, .homes = {}};
  redact(kills, {&run, 1}, names);
  CHECK(kills.trials[0].reason == "cannot open ~/x on [host]; [user], [user] and [host]");
  CHECK(kills.trials[0].faulty == faulty);
  CHECK(kills.trials[1] == before.trials[1]);
  CHECK(to_json(kills).find("alice") == std::string::npos);
  CHECK(kills_from_json(to_json(kills)).value() == kills);
  Kills again = kills;
  redact(again, {&run, 1}, names);
  CHECK(again == kills);
  const Report golden = report_of(load_text(stored("golden.ndjson")).value());
  RenderOptions how;
  how.kills = &kills;
  const std::string page = find_format("html")->render(golden, how).value();
  CHECK(page.find("alice") == std::string::npos);
  CHECK(page.find("out of trials.reason") != std::string::npos);
  how.kills = &before;
  CHECK(find_format("html")->render(golden, how).value().find("alice") != std::string::npos);
}
