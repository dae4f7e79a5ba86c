// eventfd: the cheapest wake-up channel.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "probe/probe_context.hpp"

namespace loopscope::probes::eventfd {

namespace {

os::UniqueFd make(ProbeContext& cx, unsigned value, int flags) {
  return os::UniqueFd(cx.call("eventfd", ::eventfd(value, flags | EFD_CLOEXEC | EFD_NONBLOCK)));
}

FactResult present(ProbeContext& cx) {
  const os::UniqueFd event = make(cx, 0, 0);
  if (!event) return cx.refused();
  const std::uint64_t two = 2;
  std::uint64_t sum = 0;
  (void)cx.call("write(2)", ::write(event.get(), &two, sizeof two));
  (void)cx.call("write(2)", ::write(event.get(), &two, sizeof two));
  const ssize_t n = cx.call("read", ::read(event.get(), &sum, sizeof sum));
  if (n == sizeof sum && sum == 4) return yes("two writes are one read with their sum");
  return no(Reason::failed, "the counter did not hold the sum");
}

FactResult semaphore(ProbeContext& cx) {
  const os::UniqueFd event = make(cx, 2, EFD_SEMAPHORE);
  if (!event) return cx.refused();
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  (void)cx.call("read, first", ::read(event.get(), &first, sizeof first));
  (void)cx.call("read, second", ::read(event.get(), &second, sizeof second));
  std::uint64_t none = 0;
  const bool empty = ::read(event.get(), &none, sizeof none) == -1 && errno == EAGAIN;
  if (first == 1 && second == 1 && empty) return yes("a counter of 2 is read as 1 and 1");
  return no(Reason::failed, "the flag had no effect");
}

FactResult full_eagain(ProbeContext& cx) {
  const os::UniqueFd event = make(cx, 0, 0);
  if (!event) return cx.unknown();
  const std::uint64_t most = ~std::uint64_t{0} - 1;
  const std::uint64_t one = 1;
  if (cx.call("write(2^64-2)", ::write(event.get(), &most, sizeof most)) < 0) {
    return cx.unknown();
  }
  const ssize_t n = cx.call("write(1) beyond the end", ::write(event.get(), &one, sizeof one));
  const int error = errno;
  pollfd slot{.fd = event.get(), .events = POLLIN | POLLOUT, .revents = 0};
  (void)cx.call("poll", ::poll(&slot, 1, 0));
  if (n == -1 && error == EAGAIN && slot.revents == POLLIN) {
    return yes("EAGAIN, and it stays readable: a full channel still wakes");
  }
  return no(Reason::failed, "a full counter did not answer EAGAIN");
}

constexpr Fact kFacts[] = {
    {"eventfd", "Does an eventfd count writes and hand them out in one read?", "man 2 eventfd",
     present, "one descriptor as wake-up channel instead of two"},
    {"eventfd.semaphore", "Does EFD_SEMAPHORE hand out one at a time?", "man 2 eventfd", semaphore,
     "waking one of several threads"},
    {"eventfd.full_eagain", "Does a full eventfd answer EAGAIN and stay readable?", "man 2 eventfd",
     full_eagain, "a wake-up must never block, and never be lost"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "eventfd", .group = "B3", .facts = kFacts};

}  // namespace loopscope::probes::eventfd
