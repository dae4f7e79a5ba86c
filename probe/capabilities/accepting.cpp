// Accepting and connecting: what listeners hand out, and how connects fail.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "loops/base/clock.hpp"
#include "probe/capabilities/inet.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::accepting {

namespace {

constexpr int kPatienceMs = 200;

bool readable(const os::UniqueFd& fd) {
  pollfd slot{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&slot, 1, kPatienceMs) == 1;
}

/// A listener with one connection in its queue.
struct Waiting {
  os::UniqueFd listener, client;
  explicit operator bool() const { return listener && client; }
};
Waiting one_waiting(ProbeContext& cx, os::UniqueFd listener) {
  Waiting waiting{std::move(listener), {}};
  if (!waiting.listener) return waiting;
  waiting.client = connect_to(waiting.listener);
  if (!waiting.client) cx.call("connect(own listener)", -1);
  if (waiting.client && !readable(waiting.listener)) {
    waiting.client.reset();
    errno = ETIMEDOUT;
    cx.call("poll(listener)", -1);
  }
  return waiting;
}

/// A Unix one: what accept does with flags is the same for every family.
os::UniqueFd listen_unix(ProbeContext& cx) {
  os::UniqueFd listener = make_unix_listener(1);
  cx.call("a listener of AF_UNIX, non-blocking", listener ? 0 : -1);
  return listener;
}

FactResult accept4_flags(ProbeContext& cx) {
  const Waiting waiting = one_waiting(cx, listen_unix(cx));
  if (!waiting) return cx.unknown();
  const os::UniqueFd accepted(
      cx.call("accept4(SOCK_CLOEXEC|SOCK_NONBLOCK)",
              ::accept4(waiting.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)));
  if (!accepted) return cx.refused();
  const int own = cx.call("fcntl(F_GETFD)", ::fcntl(accepted.get(), F_GETFD));
  const int mode = cx.call("fcntl(F_GETFL)", ::fcntl(accepted.get(), F_GETFL));
  if ((own & FD_CLOEXEC) != 0 && (mode & O_NONBLOCK) != 0) return yes();
  return no(Reason::failed, "a flag was ignored");
}

FactResult inherits_nonblock(ProbeContext& cx) {
  const Waiting waiting = one_waiting(cx, listen_unix(cx));  // The listener is non-blocking.
  if (!waiting) return cx.unknown();
  const os::UniqueFd accepted(
      cx.call("accept(non-blocking listener)", ::accept(waiting.listener.get(), nullptr, nullptr)));
  if (!accepted) return cx.unknown();
  const int mode = cx.call("fcntl(F_GETFL)", ::fcntl(accepted.get(), F_GETFL));
  return (mode & O_NONBLOCK) != 0 ? yes("as on BSD") : no(Reason::none, "as on Linux: it blocks");
}

/// What accept makes of a connection that was reset while it waited in the queue.
FactResult error_on_reset(ProbeContext& cx) {
  Waiting waiting = one_waiting(cx, listen_tcp(cx));
  if (!waiting) return cx.unknown();
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  (void)cx.call("setsockopt(SO_LINGER, 0)", ::setsockopt(waiting.client.get(), SOL_SOCKET,
                                                         SO_LINGER, &at_once, sizeof at_once));
  waiting.client.reset();
  cx.note("close(client)", "a reset");
  const os::UniqueFd accepted(cx.call("accept4", ::accept4(waiting.listener.get(), nullptr, nullptr,
                                                           SOCK_CLOEXEC | SOCK_NONBLOCK)));
  if (!accepted) {
    const int error = cx.last_error();
    return words(errno == EAGAIN ? "dropped" : errno_word(error), "accept does not return it");
  }
  char octet = 0;
  const ssize_t n = cx.call("recv(accepted)", ::recv(accepted.get(), &octet, 1, 0));
  const std::string then = n == 0 ? "end of file" : errno_word(errno);
  return words("returned", "the first read of it says " + then);
}

/// Errors of the network that belong to a connection that is gone, as Linux passes them on.
FactResult loop_errors(ProbeContext& cx) {
  cx.note("man 2 accept, Error handling", "eight errors of the network");
  FactResult result = word_set({"ENETDOWN", "EPROTO", "ENOPROTOOPT", "EHOSTDOWN", "ENONET",
                                "EHOSTUNREACH", "EOPNOTSUPP", "ENETUNREACH"},
                               "documented: accept again, as after EAGAIN");
  result.method = Method::declared;
  return result;
}

/// What the kernel made of a queue that was asked to be longer than any: a listener tells it where
/// a connection tells of lost segments.
FactResult somaxconn(ProbeContext& cx) {
  constexpr int kAsked = 1 << 20;
  const os::UniqueFd listener(
      cx.call("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  if (!listener) return cx.unknown();
  tcp_info info{};
  socklen_t size = sizeof info;
  if (cx.call("listen(any port, 1048576)", ::listen(listener.get(), kAsked)) != 0 ||
      cx.call("getsockopt(TCP_INFO)",
              ::getsockopt(listener.get(), IPPROTO_TCP, TCP_INFO, &info, &size)) != 0) {
    return cx.unknown();
  }
  cx.note("tcpi_sacked of the listener", std::to_string(info.tcpi_sacked));
  const auto limit = read_number("/proc/sys/net/core/somaxconn");
  cx.note("net.core.somaxconn", limit ? std::to_string(*limit) : "unknown");
  // Emulators fill in a part of the structure only.
  if (size < offsetof(tcp_info, tcpi_sacked) + sizeof info.tcpi_sacked || info.tcpi_sacked == 0) {
    if (!limit) return null(Reason::not_supported, "neither the listener nor the kernel tells");
    FactResult told = count(*limit, "longer queues are cut to it silently");
    told.method = Method::sysctl;
    return told;
  }
  if (limit && *limit != info.tcpi_sacked) {
    cx.disagree("net.core.somaxconn", std::to_string(*limit), "the queue of a listener",
                std::to_string(info.tcpi_sacked));
  }
  return count(info.tcpi_sacked, "longer queues are cut to it silently");
}

FactResult refused_latency(ProbeContext& cx) {
  std::vector<double> samples;
  for (int i = cx.rounds(5, 50); i > 0; --i) {
    const ClosedPort closed(cx);
    const os::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!closed || !client) return cx.unknown();
    const TimePoint start = now();
    const int rc = ::connect(client.get(), closed.address(), closed.size());
    const Duration took = now() - start;
    if (rc == 0 || errno != ECONNREFUSED) {
      cx.call("connect(closed port)", rc);
      return cx.unknown();
    }
    samples.push_back(static_cast<double>(took.count()));
  }
  cx.note("connect(closed port)", std::to_string(samples.size()) + " x ECONNREFUSED");
  return median_of(std::move(samples), Unit::nanoseconds, "blocking connects to a closed port");
}

FactResult refused_sync(ProbeContext& cx) {
  const ClosedPort closed(cx);
  const os::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!closed || !client) return cx.unknown();
  const int rc = cx.call("connect(closed port), non-blocking",
                         ::connect(client.get(), closed.address(), closed.size()));
  if (rc != 0 && errno == ECONNREFUSED) return yes("the call itself is refused");
  if (rc == 0 || errno != EINPROGRESS) return cx.unknown();
  pollfd slot{.fd = client.get(), .events = POLLOUT, .revents = 0};
  (void)cx.call("poll(client)", ::poll(&slot, 1, kPatienceMs));
  cx.note("revents", mask_words(static_cast<std::uint32_t>(slot.revents)));
  return no(Reason::none,
            "EINPROGRESS first, then " + mask_words(static_cast<std::uint32_t>(slot.revents)));
}

/// Connects to a listener of AF_UNIX until its queue is full.
FactResult unix_backlog_full(ProbeContext& cx) {
  const os::UniqueFd listener = make_unix_listener(0);
  if (!listener) return no_subject(cx);
  std::vector<os::UniqueFd> clients;
  SocketName name = name_of(listener);
  for (int i = 0; i < 8; ++i) {
    os::UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!client) return no_subject(cx);
    const int rc = cx.call("connect(AF_UNIX listener with a queue of 0)",
                           ::connect(client.get(), name.raw(), name.size));
    if (rc != 0) {
      const int error = errno;
      pollfd slot{.fd = client.get(), .events = POLLIN | POLLOUT, .revents = 0};
      (void)::poll(&slot, 1, 0);
      int pending = -1;
      socklen_t size = sizeof pending;
      (void)::getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &pending, &size);
      const std::string mask = mask_words(static_cast<std::uint32_t>(slot.revents));
      cx.note("poll(refused client)", mask);
      cx.note("getsockopt(SO_ERROR)", std::to_string(pending));
      return words(errno_word(error), "then poll says " + mask + " and SO_ERROR says " +
                                          std::to_string(pending) + ": it never connects");
    }
    clients.push_back(std::move(client));
  }
  return words("none", "eight connects were taken by a queue of 0");
}

constexpr Fact kFacts[] = {
    {"accept4", "Does accept4 set close-on-exec and non-blocking at once?", "man 2 accept4",
     accept4_flags, "no window in which a subprocess inherits the connection"},
    {"accept.inherits_nonblock", "Is what a non-blocking listener accepts non-blocking too?",
     "man 2 accept, NOTES", inherits_nonblock, "yes on BSD and macOS, no on Linux"},
    {"accept.error_on_reset", "What does accept make of a connection that was reset in the queue?",
     "man 2 accept; POSIX accept, ECONNABORTED", error_on_reset,
     "an accept loop must not end for one client"},
    {"accept.loop_errors", "Which errors of accept belong to one client only?",
     "man 2 accept, Error handling", loop_errors, "an accept loop must not end for one client"},
    {"listen.somaxconn", "How long may the queue of a listener be?",
     "man 2 listen, /proc/sys/net/core/somaxconn", somaxconn, "clients refused or late in a burst"},
    {"connect.refused.latency_loopback", "How long does a refused connect take?",
     "RFC 9293, 3.10.7.1", refused_latency, "two seconds on Windows, where a loop must not wait"},
    {"connect.refused.sync", "Does a non-blocking connect to a closed port fail at once?",
     "POSIX connect, EINPROGRESS", refused_sync, "both ways have to end in the same error"},
    {"connect.unix.backlog_full", "What does a connect say when a Unix listener's queue is full?",
     "man 2 connect, EAGAIN", unix_backlog_full,
     "EAGAIN, and readiness that tells success: a trap"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "accepting and connecting",
                            .group = "B5",
                            .facts = kFacts,
                            .effect = Effect::traffic};

}  // namespace loopscope::probes::accepting
