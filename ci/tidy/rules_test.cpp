// Each tidy rule must be able to fail: bad snippets that it names, good ones that it leaves alone.
#include "ci/tidy/rules.hpp"

#include <doctest/doctest.h>

#include <string>

namespace loopscope::tidy {
namespace {

using Rule = Complaints (*)(const SourceFile&);

/// The names of the broken rules, in order: "C1 C3".
std::string broken(Rule rule, std::string_view path, std::string_view text) {
  std::string names;
  for (const Complaint& complaint : rule({std::string(path), std::string(text)})) {
    names += (names.empty() ? "" : " ") + std::string(complaint.rule);
  }
  return names;
}

struct Row {
  const char* what;
  const char* path;
  const char* text;
  const char* want;
};

void check_rows(Rule rule, std::span<const Row> rows) {
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    CHECK(broken(rule, row.path, row.text) == std::string(row.want));
  }
}

std::string function_of(unsigned statements) {
  std::string text = "// A file.\nvoid f(int n) {\n";
  for (unsigned i = 0; i < statements; ++i) text += "  if (n) { g(n); }\n";
  return text + "}\n";
}

}  // namespace

TEST_CASE("text: columns, tabs, trailing spaces and the first comment are seen") {
  const std::string wide = "// A file.\n" + std::string(101, 'x') + "\n";
  const std::string fits = "// A file.\n" + std::string(100, 'x') + "\n";
  const std::string accents = "// A file.\n" + std::string(98, 'x') + "\xC3\xA9\xC3\xA9\n";
  const std::string link = "// A file.\n// https://example.org/" + std::string(120, 'x') + "\n";
  const Row rows[] = {
      {"101 columns", "a.cpp", wide.c_str(), "columns"},
      {"100 columns", "a.cpp", fits.c_str(), ""},
      {"100 characters in 102 bytes", "a.cpp", accents.c_str(), ""},
      {"a link cannot be broken", "a.cpp", link.c_str(), ""},
      {"a tab", "a.cpp", "// A file.\n\tx\n", "tab"},
      {"a trailing space", "a.cpp", "// A file. \n", "trailing space"},
      {"no comment", "a.cpp", "#include <span>\n", "first line"},
      {"an empty comment", "a.cpp", "//\nint x;\n", "first line"},
      {"a script", "a", "#!/bin/sh\n# Does something.\n", ""},
      {"a bare script", "a", "#!/bin/sh\nexit 0\n", "first line"},
  };
  check_rows(check_text, rows);
}

TEST_CASE("text: a file of 801 lines is too long") {
  std::string text = "// A file.\n";
  for (int i = 0; i < 799; ++i) text += "x\n";
  CHECK(broken(check_text, "a.cpp", text) == "");
  CHECK(broken(check_text, "a.cpp", text + "x\n") == "file length");
}

TEST_CASE("functions: the limit counts from brace to brace, nested blocks included") {
  CHECK(broken(check_functions, "a.cpp", function_of(68)) == "");
  CHECK(broken(check_functions, "a.cpp", function_of(69)) == "function length");
  const std::string inside = "namespace a {\nstruct B {\n" + function_of(80) + "};\n}\n";
  CHECK(broken(check_functions, "a.cpp", inside) == "function length");
  std::string table = "constexpr Row kRows[] = {\n";
  for (int i = 0; i < 100; ++i) table += "    {\"a\", f({1, 2})},\n";
  CHECK(broken(check_functions, "a.cpp", table + "};\n") == "");
}

TEST_CASE("P1: platform macros and headers stay in their places") {
  const Row rows[] = {
      {"a macro", "harness/plan.cpp", "#if defined(__linux__)\n", "P1"},
      {"a macro in a comment", "harness/plan.cpp", "// #if defined(__linux__)\n", ""},
      {"the one place", "loops/os/native.hpp", "#ifdef _WIN32\n", ""},
      {"a macro in a backend", "loops/selector/epoll.cpp", "#ifdef __APPLE__\n", "P1"},
      {"a header", "harness/plan.cpp", "#include <sys/socket.h>\n", "P1"},
      {"another header", "loops/task.cpp", "#  include <unistd.h>\n", "P1"},
      {"a backend", "loops/selector/poll.cpp", "#include <poll.h>\n", ""},
      {"a platform folder", "loops/os/linux/waker.cpp", "#include <sys/eventfd.h>\n", ""},
      {"a probe", "probe/capabilities/epoll.cpp", "#include <sys/epoll.h>\n", ""},
      {"a scenario", "harness/scenarios/pipes/pty.cpp", "#include <termios.h>\n", "P1"},
      {"ours", "harness/plan.cpp", "#include \"loops/os/fd.hpp\"\n#include <csignal>\n", ""},
  };
  check_rows(check_platform, rows);
}

TEST_CASE("C1: a statement with co_await holds names only") {
  const Row rows[] = {
      {"names", "a.cpp", "Coro<void> f() { auto x = co_await y; co_await g(a, b[1]); }", ""},
      {"a lambda", "a.cpp", "Coro<void> f() { co_await g([&] { h(); }); }", "C1"},
      {"braces", "a.cpp", "Coro<void> f() { co_await g({1, 2}); }", "C1"},
      {"designated", "a.cpp", "Coro<void> f() { co_await g(Options{.x = 1}); }", "C1"},
      {"on the line before", "a.cpp", "Coro<void> f() { h(Options{.x = 1},\n  co_await g()); }",
       "C1"},
      {"inside braces", "a.cpp", "Coro<void> f() { Pair p{co_await g(), 1}; }", "C1"},
      {"as a condition", "a.cpp", "Coro<void> f() { if (co_await g) { h({1}); } }", ""},
      {"after a block", "a.cpp", "Coro<void> f() { if (a) { h(); } co_await g; }", ""},
      {"after a table", "a.cpp", "Coro<void> f() { int t[] = {1}; co_await g; }", ""},
      {"in a comment", "a.cpp", "// co_await g({1});\n", ""},
  };
  check_rows(check_coroutines, rows);
}

TEST_CASE("C2 and C3: no captures in a coroutine lambda, no binding of an awaited value") {
  const Row rows[] = {
      {"captures", "a.cpp", "void f() { auto c = [&]() -> Coro<void> { co_await g; }; }", "C2"},
      {"no captures", "a.cpp", "void f() { auto c = [](int a) -> Coro<void> { co_await g(a); }; }",
       ""},
      {"a callback that starts one", "a.cpp", "Coro<void> f() { l([&] { h(); });\n co_await g; }",
       ""},
      {"binding", "a.cpp", "Coro<void> f() { auto [a, b] = co_await g; }", "C3"},
      {"reference binding", "a.cpp", "Coro<void> f() { auto&& [a, b] = co_await g; }", "C3"},
      {"subscript", "a.cpp", "Coro<void> f() { table[1] = co_await g; }", ""},
      {"a name first", "a.cpp", "Coro<void> f() { auto r = co_await g; auto& [a, b] = r; }", ""},
  };
  check_rows(check_coroutines, rows);
}

TEST_CASE("library code: new, delete, assert and printing are seen where they are uses") {
  const Row rows[] = {
      {"new", "loops/x.cpp", "auto* p = new Thing;", "library"},
      {"delete", "loops/x.cpp", "delete p;", "library"},
      {"deleted", "loops/x.hpp", "X(const X&) = delete;", ""},
      {"include", "loops/x.hpp", "#include <new>\n", ""},
      {"placement", "loops/x.hpp", "::new (at) T(1);", ""},
      {"assert", "loops/x.cpp", "assert(a == b);", "library"},
      {"static_assert", "loops/x.cpp", "static_assert(a == b);", ""},
      {"cout", "reports/x.cpp", "std::cout << 1;", "library"},
      {"printf", "reports/x.cpp", "std::printf(\"x\");", "library"},
      {"snprintf", "reports/x.cpp", "std::snprintf(b, n, \"x\");", ""},
      {"a word in a literal", "reports/x.cpp", "f(\"a new loop; free(it)\");", ""},
      {"a member", "reports/x.cpp", "pool.free(it);", ""},
      {"an exception with a reason", "loops/base/callback.hpp", "auto* p = ::new Held(x);", ""},
  };
  check_rows(check_library, rows);
}

TEST_CASE("scenarios: no sleeping, no names to resolve, no fixed ports or paths") {
  const Row rows[] = {
      {"sleep", "s.cpp", "std::this_thread::sleep_for(1ms);", "sleep"},
      {"localhost", "s.cpp", "connect(\"localhost\", 0);", "localhost"},
      {"port", "s.cpp", "Endpoint e; e.port = 8080;", "port"},
      {"port in text", "s.cpp", "connect(\"127.0.0.1:8080\");", "port"},
      {"port 0", "s.cpp", "Endpoint e; e.port = 0; f(port(peer));", ""},
      {"path", "s.cpp", "open(\"/tmp/x\");", "path"},
      {"a comment about it", "s.cpp", "// not /tmp, not localhost, no sleep_for\n", ""},
  };
  check_rows(check_scenario, rows);
}

TEST_CASE("what no CMake line names is found") {
  const SourceFile cmake[] = {
      {"loops/CMakeLists.txt", "loopscope_loop(poll FILE selector/poll.cpp ON UNIX)"},
      {"harness/CMakeLists.txt", "loopscope_scenarios(timers/later.cpp)\nloopscope_faulty(lifo)"}};
  const SourceFile sources[] = {
      {"loops/selector/poll.cpp", ""},         {"loops/selector/oll.cpp", ""},
      {"loops/selector/poll_test.cpp", ""},    {"harness/scenarios/timers/later.cpp", ""},
      {"harness/scenarios/timers/at.cpp", ""}, {"harness/testing/faulty/lifo.cpp", ""},
      {"harness/testing/faulty/li.cpp", ""}};
  std::string found;
  for (const Complaint& complaint : check_listed(sources, cmake)) found += complaint.file + "\n";
  CHECK(found ==
        "loops/selector/oll.cpp\nharness/scenarios/timers/at.cpp\n"
        "harness/testing/faulty/li.cpp\n");
}

TEST_CASE("tables and quirk lists are read as written") {
  const char* text =
      "| `no` | before |\n<!-- rows: loops -->\n| loop | what |\n|---|---|\n"
      "| `select` | a |\n| `poll` | b |\n<!-- end -->\n| `other` | c |\n";
  CHECK(table_rows(text, "loops") == std::vector<std::string>{"select", "poll"});
  CHECK(table_rows(text, "faulty").empty());
  const SourceFile backend{"loops/selector/poll.cpp",
                           "// poll.\n//\n//   poll.tick       counts ms.\n//   poll.hup  b\n"
                           "// e.g. this\n\n//   poll.later   not in the opening comment\n"};
  CHECK(quirk_ids(backend) == std::vector<std::string>{"poll.tick", "poll.hup"});
}

TEST_CASE("stripping keeps offsets, and knows raw strings and digit separators") {
  const std::string text =
      "int a = 10'000; // x\nf(R\"t(\" // )t\", '\\'', \"\\\"\"); /* y\n*/ g();";
  const std::string bare = strip(text);
  CHECK(bare.size() == text.size());
  CHECK(bare.find("10'000;") != bare.npos);
  CHECK(bare.find("//") == bare.npos);
  CHECK(bare.find("g();") == text.find("g();"));
  CHECK(line_at(bare, bare.find("g();")) == 3);
}

}  // namespace loopscope::tidy
