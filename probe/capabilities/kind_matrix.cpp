// poll.kind_matrix: every kind of descriptor, asked through every readiness mechanism.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "probe/capabilities/raw_ring.hpp"
#include "probe/capabilities/subjects.hpp"

namespace loopscope::probes::kind_matrix {

namespace {

constexpr std::uint32_t kAsked = POLLIN | POLLPRI | POLLOUT | POLLRDHUP;

std::string by_select(int fd) {
  if (fd >= FD_SETSIZE) return "above FD_SETSIZE";
  fd_set sets[3];
  for (fd_set& set : sets) {
    FD_ZERO(&set);
    FD_SET(fd, &set);
  }
  timeval none{};
  if (::select(fd + 1, &sets[0], &sets[1], &sets[2], &none) < 0) return errno_word(errno);
  std::string words;
  for (std::size_t i = 0; i < 3; ++i) {
    if (FD_ISSET(fd, &sets[i])) words += (words.empty() ? "" : " ") + std::string(1, "rwx"[i]);
  }
  return words.empty() ? "-" : words;
}

std::string by_poll(int fd) {
  pollfd slot{.fd = fd, .events = static_cast<short>(kAsked), .revents = 0};
  if (::poll(&slot, 1, 0) < 0) return errno_word(errno);
  return mask_words(static_cast<std::uint16_t>(slot.revents));
}

std::string by_epoll(int fd) {
  const os::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return errno_word(errno);
  epoll_event event{};
  event.events = kAsked;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return errno_word(errno);
  const int ready = ::epoll_wait(epoll.get(), &event, 1, 0);
  if (ready < 0) return errno_word(errno);
  return ready == 0 ? "-" : mask_words(event.events);
}

std::string by_uring(RawRing& ring, int fd) {
  RawRing::forget_refusal();
  const auto result = ring.poll_now(fd, kAsked);
  if (const int error = RawRing::refusal(); error != 0) return "no ring: " + errno_word(error);
  if (!result) return "-";
  return *result < 0 ? errno_word(-*result) : mask_words(static_cast<std::uint32_t>(*result));
}

FactResult matrix(ProbeContext& cx) {
  RawRing ring;
  const bool has_ring = ring.open(cx);
  const std::string no_ring = has_ring ? "" : "no ring: " + errno_word(cx.last_error());
  FactResult result;
  for (const Kind& kind : all_kinds()) {
    const Subject subject = kind.open(cx);
    FactRow row{std::string(kind.name), {}};
    if (!subject.fd) {
      const std::string refusal = "open: " + errno_word(errno);
      for (const char* way : {"select", "poll", "epoll", "io_uring"}) {
        row.cells.emplace_back(way, refusal);
      }
    } else {
      const int fd = subject.fd.get();
      row.cells.emplace_back("select", by_select(fd));
      row.cells.emplace_back("poll", by_poll(fd));
      row.cells.emplace_back("epoll", by_epoll(fd));
      row.cells.emplace_back("io_uring", has_ring ? by_uring(ring, fd) : no_ring);
    }
    result.table.push_back(std::move(row));
  }
  result.value = static_cast<std::int64_t>(result.table.size());
  result.unit = Unit::count;
  result.note = "asked for IN PRI OUT RDHUP; '-' is not ready, a name in capitals an error";
  return result;
}

constexpr Fact kFacts[] = {
    {"poll.kind_matrix", "Which kinds of descriptor does each mechanism watch, and as what?",
     "POSIX select and poll; man 2 epoll_ctl, EPERM; man 2 io_uring_enter, POLL_ADD", matrix,
     "what add_reader can honestly accept on each loop"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "kinds of descriptors", .group = "B2", .facts = kFacts, .effect = Effect::traffic};

}  // namespace loopscope::probes::kind_matrix
