// What the tests of io_uring share.
#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loops/os/pipe.hpp"
#include "loops/proactor/io_uring.hpp"

namespace loopscope::uring {

using namespace std::chrono_literals;
using Kind = Operation::Kind;

inline constexpr UringLevel kLevels[] = {UringLevel::defer,   UringLevel::coop, UringLevel::plain,
                                         UringLevel::oneshot, UringLevel::copy, UringLevel::basic};

/// An operation that keeps what became of it.
class Asked final : public Operation {
 public:
  using Operation::Operation;
  void completed(Completion completion) override {
    ++times;
    ends += completion.more ? 0 : 1;
    error = completion.error.value();
    moved = completion.count;
    if (kind == Kind::receive && completion.ok()) {
      const auto* begin = completion.data ? completion.data.bytes().data() : into.data();
      received += text({begin, completion.count});
      ended = completion.count == 0;
    }
    if (completion.accepted) accepted.push_back(std::move(completion.accepted));
    if (keeps_data && completion.data) kept.push_back(std::move(completion.data));
    if (then) then();
  }
  bool over() const { return ends > 0; }

  int times = 0, ends = 0, error = 0;
  std::size_t moved = 0;  // by the last completion
  bool ended = false, keeps_data = false;
  std::string received;
  std::vector<os::UniqueFd> accepted;
  std::vector<LentBytes> kept;
  std::function<void()> then;
};

inline std::unique_ptr<Proactor> made(UringLevel level, const Sizes& sizes = {}) {
  auto proactor = make(level, sizes);
  REQUIRE_MESSAGE(proactor.ok(), to_string(proactor.error()));
  return std::move(proactor).value();
}

/// Waits until something holds. CTest ends a test that hangs.
inline void until(Proactor& proactor, const std::function<bool()>& holds) {
  while (!holds()) REQUIRE(proactor.wait(std::nullopt).ok());
}
inline void finish(Proactor& proactor, const Asked& asked) {
  until(proactor, [&] { return asked.over(); });
}
/// Gives everything and takes what is over, for a while.
inline void settle(Proactor& proactor) {
  for (int i = 0; i < 5; ++i) REQUIRE(proactor.wait(Duration(2ms)).ok());
}

/// Of a Unix socket, for bind: the system chooses one.
inline const Endpoint kChosenName = Endpoint::unix_path("").value();

/// Two connected sockets: the proactor's and its peer's.
struct Sockets {
  explicit Sockets(SocketType type = SocketType::stream) {
    auto pair = os::open_socketpair(type);
    ours = std::move(pair.value().first);
    theirs = std::move(pair.value().second);
  }
  void say(std::string_view words) const {
    REQUIRE(os::send(theirs.get(), view(words)).value() == words.size());
  }
  /// What has arrived; "nothing" when nothing has, "" at the end.
  std::string hear() const { return heard_by(theirs.get()); }
  std::string left() const { return heard_by(ours.get()); }
  static std::string heard_by(os::NativeSocket fd) {
    std::vector<std::byte> buffer(1 << 20);
    const auto got = os::recv(fd, buffer);
    return got.value() ? text({buffer.data(), **got}) : "nothing";
  }
  os::UniqueFd ours, theirs;
};

struct Listener {
  explicit Listener(int backlog = 8) {
    fd = std::move(os::open_socket(AddressFamily::ipv4, SocketType::stream).value());
    REQUIRE(os::bind(fd.get(), Endpoint::loopback(AddressFamily::ipv4)).ok());
    REQUIRE(os::listen(fd.get(), backlog).ok());
    address = os::local_address(fd.get()).value();
  }
  os::UniqueFd connect() const {
    auto client = os::open_socket(AddressFamily::ipv4, SocketType::stream, true);
    REQUIRE(os::connect(client->get(), address).ok());
    return std::move(client).value();
  }
  os::UniqueFd fd;
  Endpoint address;
};

inline std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// Runs `work` in a forked child. returns its exit code, or minus the signal that ended it.
inline int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace loopscope::uring
