// The portable wake channel: a pair of Unix sockets, one byte a wake-up.
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "loops/os/net.hpp"
#include "loops/os/posix/close_on_exec.hpp"
#include "loops/os/waker.hpp"

namespace loopscope::os {
namespace {

class SocketpairWaker final : public Waker {
 public:
  SocketpairWaker(UniqueFd read, UniqueFd write)
      : read_(std::move(read)), write_(std::move(write)) {}
  NativeSocket descriptor() const override { return read_.get(); }
  void wake() noexcept override {
    const int saved = errno;
    const char byte = 0;
    // EAGAIN: the channel is full, and so the other end readable.
    while (::send(write_.get(), &byte, 1, kNoSignal) < 0 && errno == EINTR) {
    }
    errno = saved;
  }
  bool drain() noexcept override {
    std::array<char, 4096> sink;
    for (;;) {
      const ssize_t got = ::recv(read_.get(), sink.data(), sink.size(), 0);
      if (got == static_cast<ssize_t>(sink.size())) continue;
      if (got > 0) return true;
      if (got == 0) return false;  // End of the channel: readable for ever from here on.
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
  }

 private:
  UniqueFd read_, write_;
};

}  // namespace

Result<std::unique_ptr<Waker>> make_socketpair_waker() {
  auto pair = open_socketpair(SocketType::stream);
  if (!pair.ok()) return pair.error();
  auto& [read, write] = *pair;
  return std::unique_ptr<Waker>(
      std::make_unique<SocketpairWaker>(std::move(read), std::move(write)));
}

}  // namespace loopscope::os
