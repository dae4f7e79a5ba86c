// epoll: which of its calls and flags exist, and what they really do.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <set>

#include "probe/capabilities/linux_calls.hpp"
#include "probe/capabilities/subjects.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::epoll {

namespace {

constexpr std::uint32_t kExclusive = 1U << 28;  // EPOLLEXCLUSIVE
constexpr std::uint32_t kWakeup = 1U << 29;     // EPOLLWAKEUP

os::UniqueFd make_epoll(ProbeContext& cx) {
  return os::UniqueFd(cx.call("epoll_create1(EPOLL_CLOEXEC)", ::epoll_create1(EPOLL_CLOEXEC)));
}

os::UniqueFd make_eventfd(ProbeContext& cx, unsigned value) {
  return os::UniqueFd(cx.call("eventfd", ::eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK)));
}

int control(ProbeContext& cx, std::string_view what, int epoll, int operation, int fd,
            std::uint32_t events) {
  epoll_event want{};
  want.events = events;
  want.data.fd = fd;
  return cx.call(what, ::epoll_ctl(epoll, operation, fd, &want));
}

/// How many events are there now.
int ready_now(ProbeContext& cx, std::string_view what, int epoll) {
  std::array<epoll_event, 8> events{};
  return cx.call(what, ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 0));
}

FactResult create1(ProbeContext& cx) {
  const os::UniqueFd epoll = make_epoll(cx);
  if (!epoll) return cx.refused();
  const int flags = cx.call("fcntl(F_GETFD)", ::fcntl(epoll.get(), F_GETFD));
  if ((flags & FD_CLOEXEC) == 0) return no(Reason::failed, "the close-on-exec flag was ignored");
  return yes("close-on-exec from the start");
}

volatile std::sig_atomic_t g_signals = 0;
void count_signal(int) { g_signals = g_signals + 1; }

FactResult pwait(ProbeContext& cx) {
  const os::UniqueFd epoll = make_epoll(cx);
  if (!epoll) return cx.unknown();
  struct sigaction action {};
  action.sa_handler = count_signal;
  (void)::sigaction(SIGUSR1, &action, nullptr);  // A valid signal: cannot fail.
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  (void)::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  (void)::raise(SIGUSR1);
  sigset_t during;
  ::sigemptyset(&during);
  epoll_event event{};
  const int rc = cx.call("epoll_pwait(mask without SIGUSR1, 200 ms)",
                         ::epoll_pwait(epoll.get(), &event, 1, 200, &during));
  cx.note("handler runs", std::to_string(g_signals));
  if (rc == -1 && errno == EINTR && g_signals == 1) {
    return yes("the pending signal was let in for the wait only");
  }
  if (rc == -1 && errno != EINTR) return cx.refused();
  return no(Reason::failed, "the mask was not applied");
}

FactResult exclusive(ProbeContext& cx) {
  const os::UniqueFd epoll = make_epoll(cx);
  const os::UniqueFd event = make_eventfd(cx, 0);
  if (!epoll || !event) return cx.unknown();
  if (control(cx, "epoll_ctl(ADD, EPOLLIN|EPOLLEXCLUSIVE)", epoll.get(), EPOLL_CTL_ADD, event.get(),
              EPOLLIN | kExclusive) != 0) {
    return cx.refused();
  }
  // A kernel that ignores the flag lets it be modified; one that knows it must refuse.
  if (control(cx, "epoll_ctl(MOD of an exclusive entry)", epoll.get(), EPOLL_CTL_MOD, event.get(),
              EPOLLIN) == 0) {
    return no(Reason::not_implemented, "the flag is ignored: MOD of an exclusive entry succeeded");
  }
  return yes("MOD of an exclusive entry is refused as documented");
}

FactResult oneshot(ProbeContext& cx) {
  const os::UniqueFd epoll = make_epoll(cx);
  const os::UniqueFd event = make_eventfd(cx, 1);
  if (!epoll || !event) return cx.unknown();
  if (control(cx, "epoll_ctl(ADD, EPOLLIN|EPOLLONESHOT)", epoll.get(), EPOLL_CTL_ADD, event.get(),
              EPOLLIN | EPOLLONESHOT) != 0) {
    return cx.refused();
  }
  const int first = ready_now(cx, "epoll_wait, first", epoll.get());
  const int second = ready_now(cx, "epoll_wait, second", epoll.get());
  (void)control(cx, "epoll_ctl(MOD)", epoll.get(), EPOLL_CTL_MOD, event.get(),
                EPOLLIN | EPOLLONESHOT);
  const int third = ready_now(cx, "epoll_wait after MOD", epoll.get());
  if (first == 1 && second == 0 && third == 1) return yes();
  return no(Reason::failed, "it did not report once and again after MOD");
}

FactResult rdhup(ProbeContext& cx) {
  const os::UniqueFd epoll = make_epoll(cx);
  int ends[2] = {-1, -1};
  if (cx.call("socketpair(AF_UNIX, SOCK_STREAM)",
              ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) != 0 ||
      !epoll) {
    return cx.unknown();
  }
  const os::UniqueFd ours(ends[0]);
  const os::UniqueFd peer(ends[1]);
  if (control(cx, "epoll_ctl(ADD, EPOLLRDHUP)", epoll.get(), EPOLL_CTL_ADD, ours.get(),
              EPOLLRDHUP) != 0) {
    return cx.refused();
  }
  (void)cx.call("shutdown(peer, SHUT_WR)", ::shutdown(peer.get(), SHUT_WR));
  epoll_event event{};
  const int n = cx.call("epoll_wait", ::epoll_wait(epoll.get(), &event, 1, 0));
  if (n == 1 && (event.events & EPOLLRDHUP) != 0) return yes();
  return no(Reason::failed, "a peer's half-close was not reported");
}

/// The mask that the kernel kept, from the epoll descriptor's fdinfo.
FactResult wakeup_cap(ProbeContext& cx) {
  const os::UniqueFd epoll = make_epoll(cx);
  const os::UniqueFd event = make_eventfd(cx, 0);
  if (!epoll || !event) return cx.unknown();
  if (control(cx, "epoll_ctl(ADD, EPOLLIN|EPOLLWAKEUP)", epoll.get(), EPOLL_CTL_ADD, event.get(),
              EPOLLIN | kWakeup) != 0) {
    return cx.refused();
  }
  const auto info = read_text("/proc/self/fdinfo/" + std::to_string(epoll.get()));
  const std::size_t at = info ? info->find("events:") : std::string::npos;
  if (at == std::string::npos) return null(Reason::failed, "/proc/self/fdinfo does not tell");
  const unsigned long mask = std::stoul(info->substr(at + 7), nullptr, 16);
  cx.note("fdinfo events", info->substr(at + 7, info->find(" data", at) - at - 7));
  if ((mask & kWakeup) != 0) return yes("the kernel kept the flag");
  return no(Reason::denied, "silently dropped: needs CAP_BLOCK_SUSPEND and a kernel with suspend");
}

FactResult nested(ProbeContext& cx) {
  const os::UniqueFd inner = make_epoll(cx);
  const os::UniqueFd outer = make_epoll(cx);
  const os::UniqueFd event = make_eventfd(cx, 0);
  if (!inner || !outer || !event) return cx.unknown();
  if (control(cx, "epoll_ctl(inner, ADD, eventfd)", inner.get(), EPOLL_CTL_ADD, event.get(),
              EPOLLIN) != 0 ||
      control(cx, "epoll_ctl(outer, ADD, inner)", outer.get(), EPOLL_CTL_ADD, inner.get(),
              EPOLLIN) != 0) {
    return cx.refused();
  }
  const int before = ready_now(cx, "epoll_wait(outer), nothing ready", outer.get());
  const std::uint64_t one = 1;
  (void)cx.call("write(eventfd)", ::write(event.get(), &one, sizeof one));
  const int after = ready_now(cx, "epoll_wait(outer), inner ready", outer.get());
  if (before == 0 && after == 1) return yes("the inner one's readiness reaches the outer one");
  return no(Reason::failed, "readiness did not reach the outer epoll");
}

FactResult stale_dup(ProbeContext& cx) {
  const os::UniqueFd epoll = make_epoll(cx);
  os::UniqueFd event = make_eventfd(cx, 0);
  if (!epoll || !event) return cx.unknown();
  const int number = event.get();
  const os::UniqueFd twin(cx.call("dup(eventfd)", ::fcntl(number, F_DUPFD_CLOEXEC, 0)));
  if (!twin ||
      control(cx, "epoll_ctl(ADD, original)", epoll.get(), EPOLL_CTL_ADD, number, EPOLLIN) != 0) {
    return cx.unknown();
  }
  event.reset();
  const std::uint64_t one = 1;
  (void)cx.call("write(dup)", ::write(twin.get(), &one, sizeof one));
  const int reported = ready_now(cx, "epoll_wait after close(original)", epoll.get());
  const int by_number =
      control(cx, "epoll_ctl(DEL, original)", epoll.get(), EPOLL_CTL_DEL, number, 0);
  const int by_twin = control(cx, "epoll_ctl(DEL, dup)", epoll.get(), EPOLL_CTL_DEL, twin.get(), 0);
  if (reported == 0) return no(Reason::none, "closing the watched number ended the watch");
  return yes(by_number != 0 && by_twin != 0
                 ? "the entry outlives close and neither number removes it: DEL before close"
                 : "the entry outlives close");
}

FactResult auto_remove(ProbeContext& cx) {
  const os::UniqueFd epoll = make_epoll(cx);
  os::UniqueFd event = make_eventfd(cx, 1);
  if (!epoll || !event) return cx.unknown();
  const int number = event.get();
  if (control(cx, "epoll_ctl(ADD)", epoll.get(), EPOLL_CTL_ADD, number, EPOLLIN) != 0) {
    return cx.unknown();
  }
  event.reset();
  const int reported = ready_now(cx, "epoll_wait after the last close", epoll.get());
  const os::UniqueFd again = make_eventfd(cx, 0);  // Takes the number that became free.
  if (!again || again.get() != number) return cx.unknown("another descriptor took the number");
  const int modified =
      control(cx, "epoll_ctl(MOD, same number)", epoll.get(), EPOLL_CTL_MOD, number, EPOLLIN);
  if (reported == 0 && modified != 0 && errno == ENOENT) return yes("the number starts afresh");
  return no(Reason::none, "the closed descriptor is still known");
}

/// What an empty mask reports, within the patience, of a socket after `what`.
std::string reported(ProbeContext& cx, std::string_view what, const os::UniqueFd& fd,
                     int patience_ms) {
  const os::UniqueFd epoll = make_epoll(cx);
  if (!epoll || control(cx, "epoll_ctl(ADD, mask 0)", epoll.get(), EPOLL_CTL_ADD, fd.get(), 0) != 0)
    return "unknown";
  epoll_event event{};
  const int n = ::epoll_wait(epoll.get(), &event, 1, patience_ms);
  const std::string mask = n > 0 ? mask_words(event.events) : "-";
  cx.note(what, mask);
  return mask;
}

FactResult empty_mask_reports(ProbeContext& cx) {
  const Subject half = make_tcp_pair();
  const Subject both = make_tcp_pair();
  Subject reset = make_tcp_pair();
  if (!half || !both || !reset) return no_subject(cx);
  (void)::shutdown(half.other.get(), SHUT_WR);
  for (const os::UniqueFd* end : {&both.fd, &both.other}) (void)::shutdown(end->get(), SHUT_WR);
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(reset.other.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  reset.other.reset();
  return word_set({"reset: " + reported(cx, "after a reset", reset.fd, 100),
                   "both shut down: " + reported(cx, "after both ends shut down", both.fd, 100),
                   "peer shut down: " + reported(cx, "after the peer's half-close", half.fd, 5)},
                  "ERR and HUP come without being asked for");
}

FactResult max_user_watches(ProbeContext& cx) {
  const auto limit = read_number("/proc/sys/fs/epoll/max_user_watches");
  cx.call("read(/proc/sys/fs/epoll/max_user_watches)", limit ? 0 : -1);
  if (!limit) return cx.unknown();
  FactResult result = count(*limit);
  result.method = Method::sysctl;
  return result;
}

FactResult fairness(ProbeContext& cx) {
  constexpr std::size_t kWanted = 64;
  constexpr std::size_t kLeast = 16;
  constexpr int kBatch = 8;
  const os::UniqueFd epoll = make_epoll(cx);
  if (!epoll) return cx.unknown();
  std::vector<os::UniqueFd> ready;
  while (ready.size() < kWanted) {
    os::UniqueFd one(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event want{};
    want.events = EPOLLIN;
    want.data.fd = one.get();
    if (!one || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, one.get(), &want) != 0) break;
    ready.push_back(std::move(one));
  }
  if (ready.size() < kLeast) {
    cx.call("eventfd", -1);
    return cx.unknown("too few descriptors to tell");
  }
  std::set<int> seen;
  const std::size_t rounds = ready.size() / kBatch;
  for (std::size_t i = 0; i < rounds; ++i) {
    std::array<epoll_event, kBatch> events{};
    const int n = ::epoll_wait(epoll.get(), events.data(), kBatch, 0);
    for (int k = 0; k < n; ++k) seen.insert(events[static_cast<std::size_t>(k)].data.fd);
  }
  const std::size_t fair = rounds * kBatch;
  cx.note(std::to_string(rounds) + " x epoll_wait(maxevents 8) over " +
              std::to_string(ready.size()) + " ready",
          std::to_string(seen.size()) + " different descriptors");
  if (seen.size() == fair) return yes("every ready descriptor had its turn");
  return no(Reason::none, "some descriptors came twice before others came once");
}

FactResult regular_file(ProbeContext& cx) {
  const os::UniqueFd epoll = make_epoll(cx);
  const os::UniqueFd file = cx.temp_file("text");
  if (!epoll || !file) return cx.unknown();
  if (control(cx, "epoll_ctl(ADD, regular file)", epoll.get(), EPOLL_CTL_ADD, file.get(),
              EPOLLIN) == 0) {
    return yes();
  }
  // EPERM is the documented refusal of this kind of file and has nothing to do with privileges.
  if (errno == EPERM) return no(Reason::not_supported, "files have no readiness to report");
  return cx.unknown();
}

constexpr Fact kFacts[] = {
    {"epoll.create1", "Does epoll_create1 exist and set close-on-exec?", "man 2 epoll_create1",
     create1, "the descriptor must not leak into subprocesses"},
    {"epoll.pwait", "Does epoll_pwait apply its signal mask atomically?", "man 2 epoll_pwait",
     pwait, "waiting for signals and descriptors without a race"},
    {"epoll.exclusive", "Does EPOLLEXCLUSIVE have its documented effect?", "man 2 epoll_ctl",
     exclusive, "several loops on one listener without a thundering herd"},
    {"epoll.oneshot", "Does EPOLLONESHOT report once until it is rearmed?", "man 2 epoll_ctl",
     oneshot, "handing a descriptor to one thread at a time"},
    {"epoll.rdhup", "Does EPOLLRDHUP report a peer's half-close?", "man 2 epoll_ctl", rdhup,
     "noticing the end of a stream while reading is paused"},
    {.id = "epoll.wakeup_cap",
     .question = "Is EPOLLWAKEUP kept rather than silently dropped?",
     .source = "man 2 epoll_ctl",
     .ask = wakeup_cap,
     .why = "loops on machines that suspend",
     .privilege = "CAP_BLOCK_SUSPEND"},
    {"epoll.nested", "Can one epoll watch another?", "man 7 epoll, Questions and answers", nested,
     "running a loop as a guest of another loop"},
    {"epoll.stale_dup", "Does a watch outlive the descriptor while a duplicate is open?",
     "man 7 epoll, Questions and answers", stale_dup,
     "a loop must delete the watch before it closes the number"},
    {"epoll.auto_remove", "Does a descriptor leave the set when its last copy is closed?",
     "man 7 epoll, Questions and answers", auto_remove,
     "a reused number must be added again, not modified"},
    {.id = "epoll.empty_mask_reports",
     .question = "What does a watch for nothing report?",
     .source = "man 2 epoll_ctl, EPOLLERR and EPOLLHUP",
     .ask = empty_mask_reports,
     .why = "a paused reader whose peer is gone spins",
     .effect = Effect::traffic},
    {"epoll.max_user_watches", "How many watches may one user have?",
     "man 7 epoll, /proc interfaces", max_user_watches, "ENOSPC at scale"},
    {"epoll.fairness_round_robin", "Do 64 ready descriptors share batches of 8 in turn?",
     "man 2 epoll_wait, NOTES", fairness, "no starvation with a small event array"},
    {"epoll.regular_file", "Can epoll watch a regular file?", "man 2 epoll_ctl, ERRORS, EPERM",
     regular_file, "file I/O needs threads or a completion interface"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "epoll", .group = "B2", .facts = kFacts};

}  // namespace loopscope::probes::epoll
