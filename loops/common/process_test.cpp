// Tests of starting children and of both ways to learn of their end, on a real selector loop.
#include "loops/common/process.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>

#include "loops/selector/selector_loop.hpp"

using namespace loopscope;

namespace {

class Silent final : public SubprocessProtocol {
 public:
  explicit Silent(EventLoop& loop) : loop_(loop) {}
  void pipe_data_received(int, ByteView data) override { out += text(data); }
  void process_exited() override { ++exited; }
  void connection_lost(const Error*) override { loop_.stop(); }
  std::string out;
  int exited = 0;

 private:
  EventLoop& loop_;
};

std::unique_ptr<EventLoop> loop_with(ChildWatcher kind) {
  LoopOptions options;
  options.child_watcher = kind;
  auto loop = make_selector_loop<make_poll_selector>(options);
  REQUIRE(loop.ok());
  return std::move(loop).value();
}

os::SpawnRequest request_of(std::vector<std::string> argv) {
  os::SpawnRequest request;
  request.argv = std::move(argv);
  return request;
}

volatile std::sig_atomic_t handled = 0;
void count_one(int) { handled = handled + 1; }

constexpr ChildWatcher kBoth[] = {ChildWatcher::pidfd, ChildWatcher::sigchld};

}  // namespace

TEST_CASE("both watchers report exits, signals and output of many children") {
  for (const ChildWatcher kind : kBoth) {
    CAPTURE(static_cast<int>(kind));
    auto loop = loop_with(kind);
    for (int code = 0; code < 20; ++code) {
      const auto protocol = std::make_shared<Silent>(*loop);
      const std::string end = code % 2 == 0 ? "exit " + std::to_string(code) : "kill -9 $$";
      auto made = loop->subprocess_shell([&] { return protocol; }, "echo said; " + end);
      REQUIRE(loop->run_forever().ok());
      REQUIRE(made.result().ok());
      CHECK(made.result()->transport->get_returncode() == (code % 2 == 0 ? code : -SIGKILL));
      CHECK(protocol->out == "said\n");
      CHECK(protocol->exited == 1);
      CHECK(made.result()->transport->kill().error().is_errno(ESRCH));
    }
  }
}

TEST_CASE("the SIGCHLD watcher leaves the program's handler in place, and calls it") {
  auto* const before = std::signal(SIGCHLD, count_one);
  handled = 0;
  {
    auto loop = loop_with(ChildWatcher::sigchld);
    int seen = 0;
    const auto protocol = std::make_shared<Silent>(*loop);
    auto made = loop->subprocess_shell([&] { return protocol; }, "exit 0");
    REQUIRE(loop->run_forever().ok());
    CHECK(handled == 1);
    // A handler of the loop stands beside the watcher, and instead of the program's.
    REQUIRE(loop->add_signal_handler(SIGCHLD, [&] { ++seen; }).ok());
    auto again = loop->subprocess_shell([&] { return protocol; }, "exit 0");
    REQUIRE(loop->run_forever().ok());
    CHECK(seen == 1);
    CHECK(handled == 1);
  }
  const bool kept = std::signal(SIGCHLD, before) == count_one;
  CHECK(kept);
}

TEST_CASE("a program that ignores SIGCHLD keeps no zombies and is told of the end") {
  for (const ChildWatcher kind : kBoth) {
    CAPTURE(static_cast<int>(kind));
    auto* const before = std::signal(SIGCHLD, SIG_IGN);
    auto loop = loop_with(kind);
    loop->set_log_sink([](LogLevel, std::string_view) {});
    const auto protocol = std::make_shared<Silent>(*loop);
    auto made = loop->subprocess_shell([&] { return protocol; }, "exit 3");
    REQUIRE(loop->run_forever().ok());
    CHECK(made.result()->transport->get_returncode() == 255);
    loop.reset();
    const bool kept = std::signal(SIGCHLD, before) == SIG_IGN;
    CHECK(kept);
  }
}

TEST_CASE("a name is searched in the PATH that the child will have") {
  os::SpawnRequest request = request_of({"tool"});
  request.environment = {{"A=b", "PATH=/one::/two/"}};
  CHECK(os::search_path(request) == std::vector<std::string>{"/one/tool", "tool", "/two/tool"});
  request.environment = {{"A=b"}};
  CHECK(os::search_path(request) == std::vector<std::string>{"/bin/tool", "/usr/bin/tool"});
  request.executable = "./tool";
  CHECK(os::search_path(request) == std::vector<std::string>{"./tool"});
}

TEST_CASE("what no child can be started with is refused") {
  CHECK(os::check({}).error().is(Errc::invalid_argument));
  CHECK(os::check(request_of({std::string("a\0b", 3)})).error().is(Errc::invalid_argument));
  os::SpawnRequest request = request_of({"/bin/true"});
  CHECK(os::check(request).ok());
  request.environment = {{"no name"}};
  CHECK(os::check(request).error().is(Errc::invalid_argument));
  request.environment.reset();
  request.pass = {2};
  CHECK(os::check(request).error().is(Errc::invalid_argument));
  request.pass = {1'000'000};
  CHECK(os::check(request).error().is_errno(EBADF));
}

TEST_CASE("a failure names the step and its errno, and leaves no child") {
  const Result<int> missing = os::spawn(request_of({"/no/such/program"}));
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().is_errno(ENOENT));
  CHECK(missing.error().op == "execve");
  os::SpawnRequest request = request_of({"/bin/true"});
  request.directory = "/no/such/directory";
  const Result<int> lost = os::spawn(request);
  REQUIRE_FALSE(lost.ok());
  CHECK(lost.error().op == "chdir");
  CHECK_FALSE(os::collect(-1).value_or(os::ChildEnd{}).code.has_value());
}

TEST_CASE("a child leads its own session or group when that is asked for") {
  for (const bool session : {true, false}) {
    auto loop = loop_with(ChildWatcher::automatic);
    const auto protocol = std::make_shared<Silent>(*loop);
    ProcessOptions options;
    options.start_new_session = session;
    if (!session) options.process_group = 0;
    // Of stat: process id, name, state, parent, group, session.
    auto made = loop->subprocess_shell(
        [&] { return protocol; },
        "read p name state parent g s rest </proc/self/stat; echo $p $g $s", options);
    REQUIRE(loop->run_forever().ok());
    const std::string pid = std::to_string(made.result()->transport->get_pid());
    const std::string own_group = pid + " " + pid + " ";
    CHECK(protocol->out.substr(0, own_group.size()) == own_group);
    CHECK((protocol->out == own_group + pid + "\n") == session);
  }
}
