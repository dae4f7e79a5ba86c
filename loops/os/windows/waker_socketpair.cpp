// The wake channel of the selectors of Windows: a loopback connection, one byte a wake-up.
// Winsock's waits take sockets only.
#include <array>

#include "loops/os/net.hpp"
#include "loops/os/waker.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::os {
namespace {

class SocketpairWaker final : public Waker {
 public:
  SocketpairWaker(UniqueFd read, UniqueFd write)
      : read_(std::move(read)), write_(std::move(write)) {}
  NativeSocket descriptor() const override { return read_.get(); }
  void wake() noexcept override {
    const DWORD saved = ::GetLastError();
    const char byte = 0;
    // WSAEWOULDBLOCK: the channel is full, and so the other end readable.
    (void)::send(static_cast<SOCKET>(write_.get()), &byte, 1, 0);
    ::SetLastError(saved);
  }
  bool drain() noexcept override {
    std::array<char, 4096> sink;
    for (;;) {
      const int got =
          ::recv(static_cast<SOCKET>(read_.get()), sink.data(), static_cast<int>(sink.size()), 0);
      if (got == static_cast<int>(sink.size())) continue;
      if (got > 0) return true;
      if (got == 0) return false;  // End of the channel: readable for ever from here on.
      return ::WSAGetLastError() == WSAEWOULDBLOCK;
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

Result<std::unique_ptr<Waker>> make_waker() { return make_socketpair_waker(); }

}  // namespace loopscope::os
