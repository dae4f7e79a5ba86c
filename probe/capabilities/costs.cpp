// Costs: what one wait costs over the number of descriptors that are watched, of which one is
// ready.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <functional>
#include <memory>

#include "loops/base/clock.hpp"
#include "probe/capabilities/raw_ring.hpp"
#include "probe/capabilities/subjects.hpp"
#include "probe/probe_context.hpp"
#include "probe/statistics.hpp"

namespace loopscope::probes::costs {

namespace {

/// One wait over what was prepared; true when it reported exactly the one that is ready.
using WaitOnce = std::function<bool()>;
/// Prepares waits over `fds`, of which the last one is ready; empty: errno says why not.
using Prepare = std::function<WaitOnce(const std::vector<os::UniqueFd>& fds)>;

/// How many descriptors this process may have, after it has raised its limit.
rlim_t raise_limit(ProbeContext& cx) {
  rlimit limit{};
  if (cx.call("getrlimit(RLIMIT_NOFILE)", ::getrlimit(RLIMIT_NOFILE, &limit)) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (cx.call("setrlimit(soft = hard)", ::setrlimit(RLIMIT_NOFILE, &limit)) != 0) return before;
  return limit.rlim_cur;
}

/// Makes `fds` grow to n eventfds that are not ready. false: errno says why; ETIME: no time is
/// left.
bool grow(std::vector<os::UniqueFd>& fds, std::size_t n, TimePoint end) {
  constexpr std::size_t kOften = 256;
  while (fds.size() < n) {
    errno = ETIME;
    if (fds.size() % kOften == 0 && now() > end) return false;
    os::UniqueFd one(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!one) return false;
    fds.push_back(std::move(one));
  }
  return true;
}

void set_ready(const os::UniqueFd& event, bool ready) {
  std::uint64_t value = 1;
  // Ours and non-blocking: the one becomes readable, or is emptied.
  if (ready) (void)!::write(event.get(), &value, sizeof value);
  if (!ready) (void)!::read(event.get(), &value, sizeof value);
}

/// Measures one point over `fds`.
void measure(ProbeContext& cx, const std::vector<os::UniqueFd>& fds, const Prepare& prepare,
             CurvePoint& point) {
  set_ready(fds.back(), true);
  const WaitOnce wait = prepare(fds);
  const int rounds = wait ? cx.rounds(9, 200) : 0;
  bool right = static_cast<bool>(wait);
  const int error = errno;
  for (int i = 0; right && i < rounds; ++i) {
    const TimePoint start = now();
    right = wait();
    point.samples.push_back(static_cast<double>((now() - start).count()));
  }
  set_ready(fds.back(), false);
  if (!right) {
    point.samples.clear();
    point.reason = wait ? Reason::failed : reason_of_errno(error);
    if (point.reason == Reason::none) point.reason = Reason::failed;
    point.note = wait ? "the ready one was not reported alone" : errno_word(error);
    return;
  }
  point.value = quantiles(point.samples)->p50;
}

/// The curve of one mechanism. The value of the fact is that of its largest point.
FactResult curve(ProbeContext& cx, std::string_view call, std::size_t most, const char* beyond,
                 const Prepare& prepare) {
  constexpr std::array<std::size_t, 6> kCounts{10, 100, 512, 1000, 5000, 10'000};
  constexpr rlim_t kOthers = 24;  // standard streams, the probe's own, and what waits need
  const rlim_t limit = raise_limit(cx);
  const TimePoint end = now() + std::chrono::milliseconds(cx.rounds(150, 5000));
  FactResult result{.unit = Unit::nanoseconds, .curve_over = "descriptors"};
  std::vector<os::UniqueFd> fds;
  for (const std::size_t n : kCounts) {
    CurvePoint point{.x = static_cast<double>(n)};
    if (n > most) {
      point.reason = Reason::not_supported;
      point.note = beyond;
    } else if (n + kOthers > limit) {
      point.reason = Reason::denied;
      point.note = "RLIMIT_NOFILE is " + std::to_string(limit);
    } else if (!grow(fds, n, end)) {
      point.reason = errno == ETIME ? Reason::timeout : Reason::failed;
      point.note = errno == ETIME ? "no time was left" : "eventfd: " + errno_word(errno);
    } else {
      measure(cx, fds, prepare, point);
    }
    if (point.value) {
      result.value = static_cast<std::int64_t>(std::llround(*point.value));
      result.samples = point.samples;
      result.note = "one wait over " + std::to_string(n) + " descriptors (median)";
    }
    cx.note(std::string(call) + " over " + std::to_string(n),
            point.value ? std::to_string(std::llround(*point.value)) + " ns" : point.note);
    result.curve.push_back(std::move(point));
  }
  if (std::holds_alternative<std::monostate>(result.value)) {
    result.reason = result.curve.front().reason;
    result.note = result.curve.front().note;
  }
  return result;
}

FactResult of_select(ProbeContext& cx) {
  return curve(cx, "select", 1000, "an fd_set ends at descriptor 1023",
               [](const std::vector<os::UniqueFd>& fds) -> WaitOnce {
                 fd_set watched;
                 FD_ZERO(&watched);
                 for (const os::UniqueFd& fd : fds) {
                   errno = EMFILE;
                   if (fd.get() >= FD_SETSIZE) return {};
                   FD_SET(fd.get(), &watched);
                 }
                 const int last = fds.back().get();
                 return [watched, last] {
                   fd_set ready = watched;
                   timeval none{};
                   return ::select(last + 1, &ready, nullptr, nullptr, &none) == 1 &&
                          FD_ISSET(last, &ready);
                 };
               });
}

constexpr std::size_t kNoLimit = ~std::size_t{0};

FactResult of_poll(ProbeContext& cx) {
  return curve(cx, "poll", kNoLimit, "", [](const std::vector<os::UniqueFd>& fds) -> WaitOnce {
    auto slots = std::make_shared<std::vector<pollfd>>();
    for (const os::UniqueFd& fd : fds) {
      slots->push_back({.fd = fd.get(), .events = POLLIN, .revents = 0});
    }
    return [slots] {
      return ::poll(slots->data(), static_cast<nfds_t>(slots->size()), 0) == 1 &&
             slots->back().revents == POLLIN;
    };
  });
}

FactResult of_epoll(ProbeContext& cx) {
  return curve(
      cx, "epoll_wait", kNoLimit, "", [](const std::vector<os::UniqueFd>& fds) -> WaitOnce {
        auto epoll = std::make_shared<os::UniqueFd>(::epoll_create1(EPOLL_CLOEXEC));
        if (!*epoll) return {};
        for (const os::UniqueFd& fd : fds) {
          epoll_event want{};
          want.events = EPOLLIN;
          want.data.fd = fd.get();
          if (::epoll_ctl(epoll->get(), EPOLL_CTL_ADD, fd.get(), &want) != 0) return {};
        }
        const int last = fds.back().get();
        return [epoll, last] {
          std::array<epoll_event, 64> events{};
          return ::epoll_wait(epoll->get(), events.data(), 64, 0) == 1 && events[0].data.fd == last;
        };
      });
}

abi::Request poll_request(int fd) {
  abi::Request request;
  request.opcode = abi::Op::poll_add;
  request.fd = fd;
  request.op_flags = abi::poll_word(POLLIN);
  return request;
}

/// The idle ones stay armed; the ready one is armed anew for each wait, as a loop does.
FactResult of_uring(ProbeContext& cx) {
  RawRing first;
  if (!first.open(cx)) return cx.unknown(why_refused(cx.last_error()));
  return curve(cx, "io_uring_enter(POLL_ADD)", kNoLimit, "",
               [](const std::vector<os::UniqueFd>& fds) -> WaitOnce {
                 auto ring = std::make_shared<RawRing>();
                 ProbeContext unheard("");
                 if (!ring->open(unheard)) return {};
                 for (std::size_t i = 0; i + 1 < fds.size(); ++i) {
                   (void)ring->push(poll_request(fds[i].get()));
                 }
                 if (!ring->submit()) return {};
                 const int last = fds.back().get();
                 return [ring, last] {
                   const std::uint64_t id = ring->push(poll_request(last));
                   return ring->submit() && ring->take(id).has_value();
                 };
               });
}

constexpr const char* kWhy = "which mechanism a server with many connections can afford";
constexpr const char* kHow =
    "watches that many eventfds, of which one is ready, and times waits that do not block";

constexpr Fact kFacts[] = {
    {"cost.select", "What does a select cost over many descriptors?", "man 2 select", of_select,
     kWhy, kHow},
    {"cost.poll", "What does a poll cost over many descriptors?", "man 2 poll", of_poll, kWhy,
     kHow},
    {"cost.epoll", "What does an epoll_wait cost over many descriptors?", "man 7 epoll", of_epoll,
     kWhy, kHow},
    {"cost.io_uring", "What does a wait in io_uring cost over many descriptors?",
     "man 2 io_uring_enter, IORING_OP_POLL_ADD", of_uring, kWhy, kHow},
};

}  // namespace

extern const ProbeFile file{.mechanism = "costs over descriptors",
                            .group = "B2",
                            .facts = kFacts,
                            .effect = Effect::process};

}  // namespace loopscope::probes::costs
