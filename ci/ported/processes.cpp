// Ported programs: child processes. What they check: test_events.py, test_subprocess.py.
#include <csignal>
#include <map>

#include "ci/ported/recorders.hpp"

namespace loopscope::ported::processes {
namespace {

/// Keeps what it is told: how pipes and the exit interleave is nobody's promise. "lost" is.
class Child final : public SubprocessProtocol {
 public:
  explicit Child(Stage& stage) : s(stage) {}
  void connection_made(BaseTransport& made_for) override {
    transport = dynamic_cast<SubprocessTransport*>(&made_for);
    s.say("made");
  }
  void pipe_data_received(int fd, ByteView piece) override { data[fd] += text(piece); }
  void pipe_connection_lost(int fd, const Error* why) override { ended[fd] = word(why); }
  void process_exited() override { exited = true; }
  void connection_lost(const Error* why) override {
    lost = true;
    s.say("lost", why, "after the exit", exited);
  }
  void say_all() {
    for (const auto& [fd, text] : data) s.say("data", fd, text);
    for (const auto& [fd, why] : ended) s.say("ended", fd, why);
  }

  Stage& s;
  SubprocessTransport* transport = nullptr;
  std::map<int, std::string> data, ended;
  bool exited = false, lost = false;
};
struct Started {
  std::shared_ptr<SubprocessTransport> transport;
  std::shared_ptr<Child> child;
  SubprocessTransport* operator->() const { return transport.get(); }
};

Started start(Stage& s, ProcessOptions options) {
  const auto child = std::make_shared<Child>(s);
  auto made = s.loop().subprocess_exec([&] { return child; }, std::move(options));
  return {transport_of(s, made), child};
}
Started start_shell(Stage& s, std::string command, ProcessOptions options = {}) {
  const auto child = std::make_shared<Child>(s);
  auto made =
      s.loop().subprocess_shell([&] { return child; }, std::move(command), std::move(options));
  return {transport_of(s, made), child};
}
ProcessOptions command(std::vector<std::string> argv) {
  ProcessOptions options;
  options.argv = std::move(argv);
  return options;
}
std::string returncode(const Started& started) {
  const std::optional<int> code = started->get_returncode();
  return code ? std::to_string(*code) : "none";
}
void finish(Stage& s, const Started& started) {
  s.run_until([&] { return started.child->lost; });
  started.child->say_all();
  s.say("returncode", returncode(started));
}

void cat_echoes(Stage& s) {
  const Started cat = start(s, command({"cat"}));
  s.say("running", returncode(cat), cat->get_pid() > 0);
  const auto pipe = std::dynamic_pointer_cast<Transport>(cat->get_pipe_transport(0));
  pipe->write(view("hello "));
  pipe->write(view("child"));
  s.run_until([&] { return cat.child->data[1] == "hello child"; });
  pipe->close();
  finish(s, cat);
}

void shell_pipes(Stage& s) { finish(s, start_shell(s, "echo out; echo err >&2; exit 7")); }

void error_goes_with_output(Stage& s) {
  ProcessOptions options;
  options.std_err = Stdio::std_out();
  const Started both = start_shell(s, "echo out; echo err >&2", std::move(options));
  s.say("has", both->get_pipe_transport(1) != nullptr, both->get_pipe_transport(2) != nullptr);
  finish(s, both);
}

void null_streams(Stage& s) {
  ProcessOptions options = command({"cat"});
  options.std_in = options.std_out = options.std_err = Stdio::devnull();
  const Started cat = start(s, std::move(options));
  finish(s, cat);  // It may have ended already: what is asked afterwards is the same each time.
  s.say("has", cat->get_pipe_transport(0) != nullptr, cat->get_pipe_transport(1) != nullptr);
}

void by_signals(Stage& s) {
  const Started killed = start(s, command({"sleep", "600"}));
  s.say("kill", killed->kill().ok());
  finish(s, killed);
  const Started terminated = start(s, command({"sleep", "600"}));
  s.say("terminate", terminated->terminate().ok());
  finish(s, terminated);
  const Started signalled = start(s, command({"sleep", "600"}));
  s.say("send_signal", signalled->send_signal(SIGHUP).ok());
  finish(s, signalled);
}

void killed_too_late(Stage& s) {
  const Started done = start(s, command({"true"}));
  finish(s, done);
  s.say("kill", done->kill());
  s.say("terminate", done->terminate());
  s.say("send_signal", done->send_signal(SIGHUP));
}

void closed_kills(Stage& s) {
  const Started sleeper = start(s, command({"sleep", "600"}));
  s.say("closing", sleeper->is_closing());
  sleeper->close();
  s.say("closing", sleeper->is_closing());
  s.run_until([&] { return sleeper.child->lost; });
  s.say("returncode", returncode(sleeper));
}

void closed_after_the_end(Stage& s) {
  const Started done = start(s, command({"true"}));
  finish(s, done);
  done->close();
  done->close();
  s.say("returncode", returncode(done));
}

void cannot_start(Stage& s) {
  const auto attempt = [&s](ProcessOptions options) {
    const auto child = std::make_shared<Child>(s);
    auto made = s.loop().subprocess_exec([&] { return child; }, std::move(options));
    const Result<ProcessLink> link = s.loop().run_until_complete(made);
    return link.ok() ? std::string("started") : word(link.error());
  };
  s.say("missing", attempt(command({"/no/such/program"})));
  s.say("not in PATH", attempt(command({"no-such-program-anywhere"})));
  s.say("a folder", attempt(command({s.folder()})));
  ProcessOptions elsewhere = command({"true"});
  elsewhere.cwd = s.folder() + "/missing";
  s.say("no such cwd", attempt(std::move(elsewhere)));
}

void place_and_variables(Stage& s) {
  ProcessOptions options;
  options.cwd = "/";
  options.env = {{"GREETING=hello"}};
  finish(s, start_shell(s, "/bin/pwd; echo $GREETING; echo ${HOME-unset}", std::move(options)));
}

void own_session(Stage& s) {
  ProcessOptions options = command({"sleep", "600"});
  options.start_new_session = true;
  const Started sleeper = start(s, std::move(options));
  const Started shell =
      start_shell(s, "cut -d ' ' -f 6 /proc/" + std::to_string(sleeper->get_pid()) + "/stat");
  s.run_until([&] { return shell.child->lost; });
  s.say("leads it", shell.child->data[1] == std::to_string(sleeper->get_pid()) + "\n");
  (void)sleeper->kill();
  s.run_until([&] { return sleeper.child->lost; });
}

void input_ends_early(Stage& s) {
  const Started done = start(s, command({"true"}));
  const auto pipe = std::dynamic_pointer_cast<Transport>(done->get_pipe_transport(0));
  s.run_until([&] { return done.child->exited; });
  pipe->write(view("nobody reads this"));
  s.run_until([&] { return done.child->lost; });
  s.say("returncode", returncode(done));
}

constexpr Program kPrograms[] = {
    {"process.cat_echoes", cat_echoes},
    {"process.shell_pipes", shell_pipes},
    {"process.error_goes_with_output", error_goes_with_output},
    {"process.null_streams", null_streams},
    {"process.by_signals", by_signals},
    {"process.killed_too_late", killed_too_late},
    {"process.closed_kills", closed_kills},
    {"process.closed_after_the_end", closed_after_the_end},
    {"process.cannot_start", cannot_start},
    {"process.place_and_variables", place_and_variables},
    {"process.own_session", own_session},
    {"process.input_ends_early", input_ends_early},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::processes
