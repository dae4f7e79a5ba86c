// The wake channel of Linux: one eventfd. A counter at its maximum is still readable, so a write
// that would block is success. Source: man 2 eventfd.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "loops/os/fd.hpp"
#include "loops/os/waker.hpp"

namespace loopscope::os {
namespace {

class EventfdWaker final : public Waker {
 public:
  explicit EventfdWaker(UniqueFd fd) : fd_(std::move(fd)) {}
  NativeSocket descriptor() const override { return fd_.get(); }
  void wake() noexcept override {
    const int saved = errno;
    const std::uint64_t one = 1;
    // EAGAIN: the counter is full, and so the descriptor readable. Nothing else can happen to an
    // eventfd that we own.
    while (::write(fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    errno = saved;
  }
  bool drain() noexcept override {
    std::uint64_t count = 0;
    if (::read(fd_.get(), &count, sizeof count) > 0) return true;
    return errno == EAGAIN || errno == EINTR;
  }

 private:
  UniqueFd fd_;
};

}  // namespace

Result<std::unique_ptr<Waker>> make_waker() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return errno_error("eventfd");
  return std::unique_ptr<Waker>(std::make_unique<EventfdWaker>(std::move(fd)));
}

}  // namespace loopscope::os
