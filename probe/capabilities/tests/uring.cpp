// The facts of io_uring against other sources, and where io_uring or its use is refused.
#include <doctest/doctest.h>
#include <linux/io_uring.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <map>
#include <set>

#include "loops/os/linux/refused_call.hpp"
#include "probe/capabilities/linux_calls.hpp"
#include "probe/measure.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/render.hpp"

using namespace loopscope;
using namespace loopscope::probes;

namespace {

/// What is compared of a fact, as text: "yes", "denied", the note.
struct Answer {
  std::string value, reason, note;
};
using Answers = std::map<std::string, Answer>;

constexpr std::chrono::seconds kDeadline{10};  // A loaded machine is slow.

Answers answers_of(const std::vector<MeasuredFact>& facts) {
  Answers answers;
  for (const MeasuredFact& fact : facts) {
    answers[fact.id] = {value_text(fact.result), std::string(name(fact.result.reason)),
                        fact.result.note};
  }
  return answers;
}

/// Measured once for all the tests here.
const std::vector<MeasuredFact>& here() {
  static const std::vector<MeasuredFact> facts =
      measure_facts("uring.*,poll.kind_matrix", {.deadline = kDeadline});
  return facts;
}
const FactResult& result_of(std::string_view id) {
  const MeasuredFact* fact = find_fact(here(), id);
  REQUIRE(fact != nullptr);
  return fact->result;
}
bool is_true(std::string_view id) { return fact_is_true(here(), id); }

/// The facts as a process sees them that has done `change` to itself.
Answers answers_after(const std::function<bool()>& change) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    (void)::close(ends[0]);
    std::string text;
    if (change()) {
      for (const auto& [id, answer] :
           answers_of(measure_facts("uring.*", {.deadline = kDeadline}))) {
        text += id + '\t' + answer.value + '\t' + answer.reason + '\t' + answer.note + '\n';
      }
    }
    const char* at = text.data();
    for (std::size_t left = text.size(); left > 0;) {
      const ssize_t n = ::write(ends[1], at, left);
      if (n <= 0) break;
      at += n;
      left -= static_cast<std::size_t>(n);
    }
    ::_exit(0);
  }
  (void)::close(ends[1]);
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t n; (n = ::read(ends[0], chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
  (void)::close(ends[0]);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  Answers answers;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string id;
    Answer answer;
    std::getline(fields, id, '\t');
    std::getline(fields, answer.value, '\t');
    std::getline(fields, answer.reason, '\t');
    std::getline(fields, answer.note, '\t');
    answers[id] = answer;
  }
  return answers;
}

/// Makes one system call fail from now on, for this process and all that it starts.
bool refuse(long call, int error) {
  return os::refuse_call(static_cast<unsigned>(call), static_cast<unsigned>(error));
}

bool names_the_filter(const Answer& answer) {
  return answer.note.find("seccomp") != std::string::npos;
}

/// A ring by the system's own header instead of ours. -1: none.
int second_ring(io_uring_params& parameters) {
  return static_cast<int>(::syscall(kIoUringSetup, 8, &parameters));
}

}  // namespace

// Goal: a filter in front of io_uring is named, and never taken for the kernel's own answer.
TEST_CASE("where a filter refuses rings, all is unknown but the refusal itself") {
  for (const int error : {EPERM, ENOSYS}) {
    CAPTURE(error);
    const Answers answers = answers_after([&] { return refuse(kIoUringSetup, error); });
    REQUIRE(answers.size() > 40);
    const std::string reason = error == EPERM ? "denied" : "not_implemented";
    for (const auto& [id, answer] : answers) {
      CAPTURE(id);
      if (id == "uring.sysctl") continue;  // a file, which no filter hides
      if (id == "uring.seccomp_suspected") {
        CHECK(answer.value == "yes");
        continue;
      }
      CHECK(answer.value == std::string(id == "uring.setup" ? "no" : "-"));
      CHECK(answer.reason == reason);
      CHECK(names_the_filter(answer));
    }
  }
}

TEST_CASE("where a filter refuses the use of rings, what needs no use is still answered") {
  if (!is_true("uring.setup")) return;
  const Answers answers = answers_after([] { return refuse(kIoUringEnter, EPERM); });
  REQUIRE(answers.size() > 40);
  const std::set<std::string> need_no_use{
      "uring.setup",    "uring.enter",           "uring.sysctl",     "uring.seccomp_suspected",
      "uring.features", "uring.memlock_charged", "uring.iowq_limits"};
  for (const char* id : {"uring.setup", "uring.features", "uring.iowq_limits"}) {
    CAPTURE(id);
    CHECK(answers.at(id).value == value_text(result_of(id)));
  }
  CHECK(answers.at("uring.enter").value == "no");
  CHECK(answers.at("uring.enter").reason == "denied");
  CHECK(names_the_filter(answers.at("uring.enter")));
  CHECK(answers.at("uring.seccomp_suspected").value == "yes");
  for (const auto& [id, answer] : answers) {
    if (need_no_use.contains(id)) continue;
    CAPTURE(id);
    CHECK(answer.value == "-");
    CHECK(answer.reason == "denied");
    CHECK(names_the_filter(answer));
  }
}

TEST_CASE("where a filter refuses io_uring_register, operations are still proved by use") {
  const Answers answers = answers_after([] { return refuse(kIoUringRegister, ENOSYS); });
  REQUIRE(answers.size() > 40);
  for (const char* id : {"uring.op.recv", "uring.op.accept_multishot", "uring.op.timeout"}) {
    CAPTURE(id);
    CHECK(answers.at(id).value == value_text(result_of(id)));
  }
  for (const char* id : {"uring.iowq_limits", "uring.restrictions", "uring.op.files_update"}) {
    CAPTURE(id);
    CHECK(answers.at(id).value == "-");
    CHECK(names_the_filter(answers.at(id)));
  }
}

TEST_CASE("with few descriptors a fact is the same, or says that it does not know") {
  for (const rlim_t limit : {rlim_t{8}, rlim_t{12}}) {
    CAPTURE(limit);
    const Answers answers = answers_after([&] {
      const rlimit few{limit, limit};
      return ::setrlimit(RLIMIT_NOFILE, &few) == 0;
    });
    REQUIRE(answers.size() > 40);
    for (const auto& [id, answer] : answers) {
      const FactResult& wide = result_of(id);
      if (!std::holds_alternative<bool>(wide.value)) continue;
      CAPTURE(id);
      CAPTURE(answer.note);
      CHECK((answer.value == "-" || answer.value == value_text(wide)));
      CHECK(answer.reason != "timeout");
      CHECK(answer.reason != "crashed");
    }
  }
}

TEST_CASE("the switches and limits of the kernel are what their files say") {
  const auto disabled = read_number("/proc/sys/kernel/io_uring_disabled");
  CHECK(
      (value_text(result_of("uring.sysctl")) == std::to_string(disabled.value_or(0)) || !disabled));
  rlimit processes{};
  REQUIRE(::getrlimit(RLIMIT_NPROC, &processes) == 0);
  if (!is_true("uring.iowq_limits") || processes.rlim_cur > UINT32_MAX) return;
  const std::string unbounded = "unbounded: " + std::to_string(processes.rlim_cur);
  CHECK(value_text(result_of("uring.iowq_limits")).find(unbounded) != std::string::npos);
}

TEST_CASE("a second ring by the system's own header says the same") {
  io_uring_params parameters{};
  const int ring = second_ring(parameters);
  CHECK(is_true("uring.setup") == (ring >= 0));
  if (ring < 0) return;
  const auto* features = std::get_if<std::vector<std::string>>(&result_of("uring.features").value);
  REQUIRE(features != nullptr);
  CHECK(static_cast<int>(features->size()) == __builtin_popcount(parameters.features));
  constexpr unsigned kOps = 256;
  std::vector<std::byte> memory(sizeof(io_uring_probe) + kOps * sizeof(io_uring_probe_op));
  auto* probe = reinterpret_cast<io_uring_probe*>(memory.data());
  REQUIRE(::syscall(kIoUringRegister, ring, IORING_REGISTER_PROBE, probe, kOps) == 0);
  std::size_t announced = 0;
  for (unsigned i = 0; i < probe->ops_len; ++i) {
    announced += (probe->ops[i].flags & IO_URING_OP_SUPPORTED) != 0 ? 1 : 0;
  }
  std::size_t listed = 0;
  for (const FactRow& row : result_of("uring.ops").table) {
    listed += row.cells.at(0).second == "yes" ? 1 : 0;
    CAPTURE(row.name);
    // Nothing works that the kernel does not know of.
    CHECK((row.cells.at(1).second != "yes" || row.cells.at(0).second == "yes"));
  }
  CHECK(listed == announced);
  (void)::close(ring);
  // A flag that the fact lists makes a ring here as well.
  const auto* flags = std::get_if<std::vector<std::string>>(&result_of("uring.setup_flags").value);
  REQUIRE(flags != nullptr);
  const std::pair<const char*, unsigned> known[] = {
      {"CLAMP", IORING_SETUP_CLAMP},
      {"SUBMIT_ALL", IORING_SETUP_SUBMIT_ALL},
      {"COOP_TASKRUN", IORING_SETUP_COOP_TASKRUN},
      {"SINGLE_ISSUER", IORING_SETUP_SINGLE_ISSUER},
      {"DEFER_TASKRUN", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN}};
  for (const auto& [flag, bits] : known) {
    CAPTURE(flag);
    io_uring_params wanted{};
    wanted.flags = bits;
    const int made = second_ring(wanted);
    const bool is_listed = std::find(flags->begin(), flags->end(), flag) != flags->end();
    CHECK(is_listed == (made >= 0));
    if (made >= 0) (void)::close(made);
  }
}

TEST_CASE("an operation's own fact and its row in the table of operations agree") {
  std::map<std::string, std::string> used;
  for (const FactRow& row : result_of("uring.ops").table) used[row.name] = row.cells.at(1).second;
  std::size_t compared = 0;
  for (const MeasuredFact& fact : here()) {
    if (!fact.id.starts_with("uring.op.")) continue;
    std::string name = fact.id.substr(std::string_view("uring.op.").size());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (!used.contains(name)) continue;  // a way to use another operation
    CAPTURE(name);
    CHECK((used.at(name) == "yes") == fact_is_true(fact));
    ++compared;
  }
  CHECK((compared >= 35 || !is_true("uring.setup")));
}

TEST_CASE("two tables that ask the same kinds by a poll request agree") {
  std::map<std::string, std::string> matrix;
  for (const FactRow& row : result_of("poll.kind_matrix").table) {
    for (const auto& [mechanism, cell] : row.cells) {
      if (mechanism == "io_uring") matrix[row.name] = cell;
    }
  }
  const std::vector<FactRow>& polls = result_of("uring.poll_kinds").table;
  CHECK((polls.size() == matrix.size() || !is_true("uring.enter")));
  for (const FactRow& row : polls) {
    CAPTURE(row.name);
    CHECK(row.cells.at(0).second == matrix[row.name]);
  }
}

TEST_CASE("what stays behind a close, and what raises SIGPIPE, is said with its control") {
  if (!is_true("uring.enter")) return;
  // The remedy of both is the same, so a ghost without it would be one that we made ourselves.
  for (const char* id : {"uring.close_ghost", "uring.listener_ghost"}) {
    CAPTURE(id);
    const FactResult& ghost = result_of(id);
    if (std::holds_alternative<std::monostate>(ghost.value)) continue;
    CHECK((!is_true(id) || ghost.note.find("cancelled first") != std::string::npos));
  }
  std::set<std::string> raising;
  for (const FactRow& row : result_of("uring.sigpipe_per_op").table) {
    CAPTURE(row.name);
    CHECK(row.cells.at(0).second == "EPIPE");
    if (row.cells.at(1).second == "raised") raising.insert(row.name);
  }
  CHECK(!raising.contains("SEND with MSG_NOSIGNAL to a socket"));
  const auto* said =
      std::get_if<std::vector<std::string>>(&result_of("uring.sigpipe_per_op").value);
  REQUIRE(said != nullptr);
  CHECK(std::set<std::string>(said->begin(), said->end()) == raising);
}

TEST_CASE("the facts leave no process and no thread behind") {
  (void)here();
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}
