// poll.kind_matrix: every kind of descriptor, asked through every readiness mechanism.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <utility>

#include "probe/capabilities/linux_calls.hpp"
#include "probe/capabilities/raw_ring.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes {

namespace {

/// The descriptor in question, and what must stay open beside it.
struct Subject {
  os::UniqueFd fd{};
  os::UniqueFd other{};
};

Subject of_path(const char* path, int flags) {
  return {os::UniqueFd(::open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY))};
}

Subject regular(ProbeContext& cx) { return {cx.temp_file("text")}; }
Subject directory(ProbeContext& cx) { return of_path(cx.temp_dir().c_str(), O_RDONLY); }
Subject dev_null(ProbeContext&) { return of_path("/dev/null", O_RDWR); }
Subject dev_zero(ProbeContext&) { return of_path("/dev/zero", O_RDWR); }
Subject dev_full(ProbeContext&) { return of_path("/dev/full", O_RDWR); }
Subject dev_random(ProbeContext&) { return of_path("/dev/random", O_RDONLY); }
Subject dev_urandom(ProbeContext&) { return of_path("/dev/urandom", O_RDONLY); }
Subject dev_tty(ProbeContext&) { return of_path("/dev/tty", O_RDWR); }
Subject proc_mounts(ProbeContext&) { return of_path("/proc/self/mounts", O_RDONLY); }
Subject proc_status(ProbeContext&) { return of_path("/proc/self/status", O_RDONLY); }
Subject path_only(ProbeContext& cx) { return of_path(cx.temp_dir().c_str(), O_PATH); }

Subject pty(bool slave) {
  Subject pair;
  pair.fd = os::UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!pair.fd) return pair;
  char name[64];
  if (::grantpt(pair.fd.get()) != 0 || ::unlockpt(pair.fd.get()) != 0 ||
      ::ptsname_r(pair.fd.get(), name, sizeof name) != 0) {
    pair.fd.reset();
    return pair;
  }
  pair.other = os::UniqueFd(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!pair.other) pair.fd.reset();
  if (slave) std::swap(pair.fd, pair.other);
  return pair;
}
Subject pty_master(ProbeContext&) { return pty(false); }
Subject pty_slave(ProbeContext&) { return pty(true); }

Subject pipe_end(bool write) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return {};
  return {os::UniqueFd(ends[write ? 1 : 0]), os::UniqueFd(ends[write ? 0 : 1])};
}
Subject pipe_read(ProbeContext&) { return pipe_end(false); }
Subject pipe_write(ProbeContext&) { return pipe_end(true); }
Subject pipe_hung_up(ProbeContext&) {
  Subject pair = pipe_end(false);
  pair.other.reset();
  return pair;
}
Subject pipe_broken(ProbeContext&) {
  Subject pair = pipe_end(true);
  pair.other.reset();
  return pair;
}
Subject fifo(ProbeContext& cx) {
  const std::string path = cx.temp_path("matrix-fifo");
  if (::mkfifo(path.c_str(), 0600) != 0) return {};
  return of_path(path.c_str(), O_RDONLY);
}

os::UniqueFd inet_socket(int type) {
  return os::UniqueFd(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}
Subject tcp_fresh(ProbeContext&) { return {inet_socket(SOCK_STREAM)}; }
Subject udp(ProbeContext&) { return {inet_socket(SOCK_DGRAM)}; }
Subject tcp_listener(ProbeContext&) {
  Subject one{inet_socket(SOCK_STREAM)};
  if (one.fd && ::listen(one.fd.get(), 1) != 0) one.fd.reset();  // binds to a free port
  return one;
}
Subject tcp_connected(ProbeContext& cx) {
  Subject listener = tcp_listener(cx);
  if (!listener.fd) return {};
  sockaddr_in address{};
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::getsockname(listener.fd.get(), raw, &size) != 0) return {};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Subject pair{os::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  if (!pair.fd || ::connect(pair.fd.get(), raw, size) != 0) return {};
  pair.other = std::move(listener.fd);  // Holds the other end in its queue.
  return pair;
}
Subject unix_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return {};
  return {os::UniqueFd(ends[0]), os::UniqueFd(ends[1])};
}
Subject unix_stream(ProbeContext&) { return unix_pair(SOCK_STREAM); }
Subject unix_dgram(ProbeContext&) { return unix_pair(SOCK_DGRAM); }
Subject unix_listener(ProbeContext&) {
  Subject one{os::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  sockaddr_un name{};
  name.sun_family = AF_UNIX;  // The family alone: the kernel picks an abstract name.
  if (!one.fd ||
      ::bind(one.fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t)) != 0 ||
      ::listen(one.fd.get(), 1) != 0) {
    one.fd.reset();
  }
  return one;
}

Subject event(ProbeContext&) { return {os::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))}; }
Subject timer(ProbeContext&) {
  return {os::UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK))};
}
Subject signal_fd(ProbeContext&) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR1);
  return {os::UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK))};
}
Subject pid_fd(ProbeContext&) {
  return {os::UniqueFd(static_cast<int>(::syscall(kPidfdOpen, ::getpid(), 0)))};
}
Subject inotify(ProbeContext&) { return {os::UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK))}; }
Subject epoll_fd(ProbeContext&) { return {os::UniqueFd(::epoll_create1(EPOLL_CLOEXEC))}; }
Subject memfd(ProbeContext&) { return {os::UniqueFd(::memfd_create("loopscope", MFD_CLOEXEC))}; }

struct Kind {
  const char* name;
  Subject (*open)(ProbeContext&);
};
constexpr Kind kKinds[] = {{"regular file", regular},
                           {"directory", directory},
                           {"/dev/null", dev_null},
                           {"/dev/zero", dev_zero},
                           {"/dev/full", dev_full},
                           {"/dev/random", dev_random},
                           {"/dev/urandom", dev_urandom},
                           {"/dev/tty", dev_tty},
                           {"pty master (/dev/ptmx)", pty_master},
                           {"pty slave", pty_slave},
                           {"pipe, read end, empty", pipe_read},
                           {"pipe, read end, writer gone", pipe_hung_up},
                           {"pipe, write end, empty", pipe_write},
                           {"pipe, write end, reader gone", pipe_broken},
                           {"fifo, read end, no writer yet", fifo},
                           {"tcp, never connected", tcp_fresh},
                           {"tcp, listening", tcp_listener},
                           {"tcp, connected, idle", tcp_connected},
                           {"udp", udp},
                           {"unix stream, idle", unix_stream},
                           {"unix stream, listening", unix_listener},
                           {"unix datagram", unix_dgram},
                           {"eventfd, zero", event},
                           {"timerfd, disarmed", timer},
                           {"signalfd", signal_fd},
                           {"pidfd, running", pid_fd},
                           {"inotify", inotify},
                           {"epoll, empty", epoll_fd},
                           {"memfd", memfd},
                           {"/proc/self/mounts", proc_mounts},
                           {"/proc/self/status", proc_status},
                           {"O_PATH descriptor", path_only}};

std::string errno_word(int number) {
  return error_name(std::error_code(number, std::system_category()));
}

/// poll's bits; epoll and io_uring use the same values.
std::string mask_words(std::uint32_t mask) {
  constexpr std::pair<std::uint32_t, const char*> kBits[] = {
      {POLLIN, "IN"},   {POLLPRI, "PRI"},     {POLLOUT, "OUT"},  {POLLERR, "ERR"},
      {POLLHUP, "HUP"}, {POLLRDHUP, "RDHUP"}, {POLLNVAL, "NVAL"}};
  std::string words;
  for (const auto& [bit, word] : kBits) {
    if ((mask & bit) != 0) words += (words.empty() ? "" : " ") + std::string(word);
  }
  return words.empty() ? "-" : words;
}

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
  const auto result = ring.poll_now(fd, kAsked);
  if (!result) return "-";
  return *result < 0 ? errno_word(-*result) : mask_words(static_cast<std::uint32_t>(*result));
}

FactResult matrix(ProbeContext& cx) {
  RawRing ring;
  const bool has_ring = ring.open(cx);
  const std::string no_ring = has_ring ? "" : "no ring: " + errno_word(cx.last_error());
  FactResult result;
  for (const Kind& kind : kKinds) {
    const Subject subject = kind.open(cx);
    FactRow row{kind.name, {}};
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

extern const ProbeFile kind_matrix{
    .mechanism = "kinds of descriptors", .group = "B2", .facts = kFacts};

}  // namespace loopscope::probes
