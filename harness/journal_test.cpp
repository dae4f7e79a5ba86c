// Tests of the journal: what is written is read again, whole lines only.
#include "harness/journal.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/host.hpp"

namespace loopscope {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

Result<std::unique_ptr<EventLoop>> never_made(const LoopOptions&) {
  return make_error(Errc::not_supported, "make");
}
const LoopDescriptor kLoop{.name = "poll", .family = Family::selector, .make = never_made};
const Scenario kFirst{.id = "a.first"};
const Scenario kSecond{.id = "b.second"};

struct TempDir {
  std::string path = host::make_temp_dir("loopscope-test").value();
  ~TempDir() { host::remove_tree(path); }
  std::string file(std::string_view name) const { return path + "/" + std::string(name); }
};

std::vector<PlannedCell> two_cells() {
  return {{.loop = &kLoop, .scenario = &kFirst}, {.loop = &kLoop, .scenario = &kSecond}};
}

CellResult result_of(const PlannedCell& cell, Outcome outcome) {
  CellResult result{.cell = cell, .verdict = {outcome, "because"}};
  result.child.end.exit_code = 0;
  return result;
}

/// A journal with header and plan of two cells, and a result for the first.
std::string write_half(const std::string& path) {
  std::unique_ptr<JournalWriter> writer = create_journal(path).value();
  const std::vector<PlannedCell> plan = two_cells();
  writer->append(header_line({.run_id = "r", .slack_ms = 99, .limit_scale = 2.0})).value();
  writer->append(plan_line(plan)).value();
  writer->append(cell_line(result_of(plan[0], Outcome::fail))).value();
  return path;
}

void append_raw(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file << text;
}

TEST_CASE("every line is one line of JSON, whatever the child wrote") {
  CellResult result = result_of(two_cells()[0], Outcome::crash);
  result.child.err = std::string("bad \xff\xfe utf-8, \n newline, \0 nul", 30);
  result.child.end = {.signal = 11};
  result.said.finding = Finding{.outcome = Outcome::fail, .expected = "\xc3\x28"};
  const std::string line = cell_line(result);
  CHECK(line.find('\n') == std::string::npos);
  const Json json = Json::parse(line);
  CHECK(json["cell"]["outcome"] == "crash");
  CHECK(json["cell"]["end"]["signal"] == 11);
  CHECK(json["cell"]["end"]["exit_code"].is_null());
  CHECK(json["cell"]["stderr"].get<std::string>().find("utf-8") != std::string::npos);
}

TEST_CASE("a journal that was stopped after a line says what is missing") {
  const TempDir dir;
  const Result<JournalState> state = read_journal(write_half(dir.file("j")));
  REQUIRE(state.ok());
  CHECK(state->header.slack_ms == 99);
  CHECK(state->header.limit_scale == 2.0);
  CHECK_FALSE(state->has_footer);
  CHECK(state->cut_size == 0);
  REQUIRE(state->cells.size() == 2);
  CHECK(state->cells[0].outcome == Outcome::fail);
  CHECK_FALSE(state->cells[1].outcome.has_value());
}

// Goal: no cut loses a complete line. Method: the same journal, cut at every byte of its last line.
TEST_CASE("a last line that was cut anywhere is left out, and the rest is kept") {
  const TempDir dir;
  const std::string whole = write_half(dir.file("whole"));
  std::ifstream in(whole, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::size_t last = text.rfind('\n', text.size() - 2) + 1;
  for (std::size_t size = last + 1; size < text.size(); size += 97) {
    CAPTURE(size);
    const std::string path = dir.file("cut");
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text.substr(0, size);
    const Result<JournalState> state = read_journal(path);
    REQUIRE(state.ok());
    CHECK(state->sound_size == last);
    CHECK(state->cut_size == size - last);
    CHECK_FALSE(state->cells[0].outcome.has_value());
  }
}

TEST_CASE("a continued journal cuts off the half line and goes on behind the last whole one") {
  const TempDir dir;
  const std::string path = write_half(dir.file("j"));
  append_raw(path, R"({"cell":{"loop":"po)");
  const JournalState cut = read_journal(path).value();
  REQUIRE(cut.cut_size > 0);
  {
    std::unique_ptr<JournalWriter> writer = continue_journal(path, cut.sound_size).value();
    writer->append(resumed_line("2026-01-01T00:00:00Z", 1)).value();
    writer->append(cell_line(result_of(two_cells()[1], Outcome::pass))).value();
    writer->append(footer_line({.planned = 2, .reported = 2, .verdict = "red"})).value();
  }
  const JournalState after = read_journal(path).value();
  CHECK(after.cut_size == 0);
  CHECK(after.has_footer);
  CHECK(after.cells[0].outcome == Outcome::fail);
  CHECK(after.cells[1].outcome == Outcome::pass);
}

TEST_CASE("what is no journal of ours is refused with the number of the line") {
  struct Row {
    const char* what;
    std::string text;
    std::string_view says;
  };
  const std::string header = header_line({.run_id = "r"}) + "\n";
  const Row rows[] = {
      {"another file", "hello\n", "line 1: not a JSON object"},
      {"JSON, but no header", "{\"cell\":{}}\n", "line 1: the first line is no header"},
      {"a newer schema", "{\"header\":{\"schema\":\"loopscope.journal/2\"}}\n",
       "loopscope.journal/2"},
      {"no plan", header, "there is no plan"},
      {"garbage in the middle", header + "garbage\n{\"plan\":{\"cells\":[]}}\n",
       "line 2: not a JSON object"},
      {"a result that was not planned",
       header + "{\"plan\":{\"cells\":[]}}\n"
                "{\"cell\":{\"loop\":\"x\",\"scenario\":\"y\",\"outcome\":\"pass\"}}\n",
       "line 3: a result for a cell that the plan does not have"},
      {"empty", "", "there is no plan"},
  };
  const TempDir dir;
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::string path = dir.file("j");
    std::ofstream(path, std::ios::binary | std::ios::trunc) << row.text;
    const Result<JournalState> state = read_journal(path);
    REQUIRE_FALSE(state.ok());
    CHECK_MESSAGE(state.error().detail.find(row.says) != std::string::npos, state.error().detail);
  }
  CHECK(read_journal(dir.file("none")).error().code == std::errc::no_such_file_or_directory);
}

TEST_CASE("an existing journal is never overwritten, and one writer at a time has it") {
  const TempDir dir;
  const std::string path = write_half(dir.file("j"));
  const auto size = fs::file_size(path);
  CHECK_FALSE(create_journal(path).ok());
  const Result<std::unique_ptr<JournalWriter>> first = continue_journal(path, size);
  REQUIRE(first.ok());
  CHECK_FALSE(continue_journal(path, 0).ok());
  CHECK(fs::file_size(path) == size);
}

}  // namespace
}  // namespace loopscope
