// Tests of what an io_uring proactor says where the system refuses one, and of its ladder.
#include "loops/proactor/io_uring_refusal.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <fstream>

#include "loops/os/linux/high_memory.hpp"
#include "loops/os/linux/refused_call.hpp"
#include "loops/os/temp_folder.hpp"
#include "loops/proactor/io_uring_testing.hpp"

using namespace loopscope;
using namespace loopscope::uring;

namespace {

/// From now on this process gets `error` from the call; with `argument`, when its second one is it.
void refuse_call(unsigned call, unsigned error, std::optional<unsigned> argument = std::nullopt) {
  if (!os::refuse_call(call, error, argument)) ::_exit(90);
}

/// In a child that `prepare` changes: a proactor must be refused with this errno, and words.
void check_refusal(int error, std::string_view op, std::string_view words,
                   const std::function<void()>& prepare) {
  CAPTURE(op);
  CAPTURE(words);
  const os::Pipe pipe = std::move(os::open_pipe().value());
  const int code = in_child([&] {
    prepare();
    const auto refused = make_io_uring_proactor({});
    if (refused.ok()) return 91;
    const std::string said = to_string(refused.error());
    (void)!::write(pipe.write.get(), said.data(), said.size());
    if (!refused.error().is_errno(error) || refused.error().op != op) return 92;
    return said.find(words) == std::string::npos ? 93 : 0;
  });
  REQUIRE(os::set_blocking(pipe.read.get(), false).ok());
  char said[2000] = "";
  (void)!::read(pipe.read.get(), said, sizeof said - 1);
  CAPTURE(std::string(said));
  CHECK(code == 0);
}

/// What the ladder finds in a child under a filter.
std::string words_under(const std::function<void()>& prepare, UringLevel level) {
  const os::Pipe pipe = std::move(os::open_pipe().value());
  (void)in_child([&] {
    prepare();
    const auto found = make(level, {});
    const std::string said = found.ok() ? (*found)->version() : to_string(found.error());
    return ::write(pipe.write.get(), said.data(), said.size()) < 0 ? 1 : 0;
  });
  REQUIRE(os::set_blocking(pipe.read.get(), false).ok());
  char said[4000] = "";
  (void)!::read(pipe.read.get(), said, sizeof said - 1);
  return said;
}

std::string cause(int error, const Evidence& evidence) {
  return explain_refusal(errno_error_of(error, "io_uring_setup"), evidence).detail;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("the cause of a refusal is told from the evidence, with the remedy") {
  CHECK(has(cause(EPERM, {.disabled = 2}), "io_uring_disabled is 2"));
  CHECK(has(cause(EPERM, {.disabled = 2}), "sysctl kernel.io_uring_disabled=0"));
  CHECK(has(cause(EPERM, {.disabled = 1, .group = 985}), "io_uring_group (985)"));
  CHECK(has(cause(EPERM, {.disabled = 1, .group = -1}), "none is set"));
  // The sysctl comes first: it refuses whatever the filter says.
  CHECK(has(cause(EPERM, {.disabled = 2, .seccomp = 2}), "io_uring_disabled is 2"));
  CHECK(has(cause(EPERM, {.disabled = 0, .seccomp = 2}), "seccomp filter"));
  CHECK(has(cause(EPERM, {.disabled = 0, .seccomp = 0}), "security module"));
  CHECK(has(cause(ENOSYS, {.seccomp = 2}), "seccomp filter"));
  CHECK(has(cause(ENOSYS, {.seccomp = 0, .kernel = "Linux 4.4.0"}), "Linux 4.4.0"));
  CHECK(has(cause(EMFILE, {.descriptors = 1024}), "1024"));
  CHECK(has(cause(ENFILE, {}), "fs.file-max"));
  CHECK(has(cause(ENOMEM, {.locked_bytes = 65536}), "65536"));
  CHECK(has(cause(ENOMEM, {.locked_bytes = 65536}), "ulimit -l"));
  CHECK(cause(EINVAL, {}).empty());
  const Error detailed = explain_refusal(errno_error_of(EMFILE, "socketpair", "for the end"), {});
  CHECK(detailed.detail.substr(0, 13) == "for the end: ");
  CHECK(detailed.op == "socketpair");
}

TEST_CASE("the evidence is what the system shows") {
  const Evidence evidence = gather_evidence();
  CHECK(has(evidence.kernel, "Linux "));
  CHECK(evidence.seccomp.has_value());
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(evidence.descriptors == limit.rlim_cur);
}

TEST_CASE("a filter that refuses the set-up, or only the use, is named") {
  for (const int error : {EPERM, ENOSYS}) {
    const auto number = static_cast<unsigned>(error);
    check_refusal(error, "io_uring_setup", "seccomp filter is in force (Seccomp: 2)",
                  [=] { refuse_call(SYS_io_uring_setup, number); });
    check_refusal(error, "io_uring_enter", "seccomp filter is in force (Seccomp: 2)",
                  [=] { refuse_call(SYS_io_uring_enter, number); });
  }
  // Also where what works was known before.
  check_refusal(EPERM, "io_uring_enter", "seccomp filter is in force (Seccomp: 2)", [] {
    if (!make_io_uring_proactor({}).ok()) ::_exit(94);
    refuse_call(SYS_io_uring_enter, EPERM);
  });
  check_refusal(EPERM, "io_uring_register(PROBE)", "seccomp filter",
                [] { refuse_call(SYS_io_uring_register, EPERM); });
}

TEST_CASE("a limit of descriptors is named, wherever it is met") {
  // The ring, its waker, and both ends of what tells of its end.
  constexpr int kNeeded = 4;
  for (int room = 0; room <= kNeeded; ++room) {
    CAPTURE(room);
    CHECK(in_child([&] {
            (void)make_io_uring_proactor({});  // so that it is known what works
            const rlimit limit{64, 20000};
            if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 90;
            std::vector<os::UniqueFd> all;
            for (;;) {
              auto opened = os::open_path("/dev/null");
              if (!opened.ok()) break;
              all.push_back(std::move(opened).value());
            }
            all.resize(all.size() - static_cast<std::size_t>(room));
            const auto made = make_io_uring_proactor({});
            if (made.ok()) return 1;
            const bool named = has(made.error().detail, "RLIMIT_NOFILE");
            // What it had opened is closed again.
            for (int i = 0; i < room; ++i) {
              auto opened = os::open_path("/dev/null");
              if (!opened.ok()) return 91;
              all.push_back(std::move(opened).value());
            }
            return named && made.error().is_errno(EMFILE) ? 0 : 92;
          }) == (room < kNeeded ? 0 : 1));
  }
  check_refusal(EMFILE, "io_uring_setup", "RLIMIT_NOFILE", [] {
    const rlimit limit{3, 20000};
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
  });
}

TEST_CASE("the ladder goes down to what works, and says what did not") {
  const auto no_buffer_ring = [] { refuse_call(SYS_io_uring_register, EINVAL, 22U); };
  const std::string found = words_under(no_buffer_ring, UringLevel::automatic);
  CHECK(has(found, "copy: "));
  CHECK(has(found, "refused: defer (io_uring_register(PBUF_RING): EINVAL"));
  CHECK(has(found, "oneshot (io_uring_register(PBUF_RING): EINVAL"));
  // A level that is asked for is refused, not replaced.
  const std::string refused = words_under(no_buffer_ring, UringLevel::plain);
  CHECK(has(refused, "io_uring_register(PBUF_RING): EINVAL"));
  CHECK_FALSE(has(refused, "copy"));
  const auto no_enabling = [] { refuse_call(SYS_io_uring_register, EINVAL, 12U); };
  CHECK(has(words_under(no_enabling, UringLevel::automatic), "coop: "));
}

TEST_CASE("every level can be had here, and says what it uses") {
  for (const UringLevel level : kLevels) {
    const auto proactor = made(level);
    CHECK(has(proactor->version(), name(level)));
    CHECK(proactor->mechanism() == kWaitCall);
    char link[100] = "";
    const std::string path = "/proc/self/fd/" + std::to_string(proactor->descriptor());
    CHECK(::readlink(path.c_str(), link, sizeof link - 1) > 0);
    CHECK(std::string_view(link) == kDescriptorKind);
  }
  MESSAGE(made(UringLevel::automatic)->version());
}

TEST_CASE("memory that the kernel does not keep mapped is noticed by what it says of it") {
  const std::string folder = os::make_temp_folder("loopscope-memory-").value();
  const auto said = [&](const std::string& text) {
    const std::string path = folder + "/meminfo";
    std::ofstream(path) << text;
    const bool found = os::tells_of_high_memory(path.c_str());
    ::unlink(path.c_str());
    return found;
  };
  CHECK(said("MemTotal: 2061592 kB\nHighTotal: 1187400 kB\nHighFree: 96 kB\n"));
  CHECK_FALSE(said("MemTotal: 778248 kB\nHighTotal: 0 kB\n"));
  CHECK_FALSE(said("MemTotal: 24682496 kB\nMemFree: 1 kB\n"));
  CHECK_FALSE(os::tells_of_high_memory((folder + "/nothing").c_str()));
  ::rmdir(folder.c_str());
}
