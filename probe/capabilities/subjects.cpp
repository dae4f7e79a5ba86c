// A descriptor of every kind. Nothing here is recorded: a fact records what it does with them.
#include "probe/capabilities/subjects.hpp"

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
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include <utility>

#include "probe/capabilities/linux_calls.hpp"

namespace loopscope::probes {

namespace {

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

Subject pty_master(ProbeContext&) { return make_pty(false, false); }
Subject pty_slave(ProbeContext&) { return make_pty(true, false); }
Subject pty_hung_up(ProbeContext&) {
  Subject pair = make_pty(false, false);
  pair.other.reset();
  return pair;
}

Subject pipe_read(ProbeContext&) { return make_pipe(false); }
Subject pipe_write(ProbeContext&) { return make_pipe(true); }
Subject pipe_hung_up(ProbeContext&) {
  Subject pair = make_pipe(false);
  pair.other.reset();
  return pair;
}
Subject pipe_broken(ProbeContext&) {
  Subject pair = make_pipe(true);
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
Subject tcp_listening(ProbeContext&) { return {make_tcp_listener()}; }
Subject tcp_connected(ProbeContext&) { return make_tcp_pair(); }
Subject unix_stream(ProbeContext&) { return make_unix_pair(SOCK_STREAM); }
Subject unix_dgram(ProbeContext&) { return make_unix_pair(SOCK_DGRAM); }
Subject unix_listening(ProbeContext&) { return {make_unix_listener(1)}; }

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

constexpr Kind kKinds[] = {{"regular file", regular},
                           {"directory", directory},
                           {"/dev/null", dev_null},
                           {"/dev/zero", dev_zero},
                           {"/dev/full", dev_full},
                           {"/dev/random", dev_random},
                           {"/dev/urandom", dev_urandom},
                           {"/dev/tty", dev_tty},
                           {"pty master (/dev/ptmx)", pty_master},
                           {"pty master, slave gone", pty_hung_up},
                           {"pty slave", pty_slave},
                           {"pipe, read end, empty", pipe_read},
                           {"pipe, read end, writer gone", pipe_hung_up},
                           {"pipe, write end, empty", pipe_write},
                           {"pipe, write end, reader gone", pipe_broken},
                           {"fifo, read end, no writer yet", fifo},
                           {"tcp, never connected", tcp_fresh},
                           {"tcp, listening", tcp_listening},
                           {"tcp, connected, idle", tcp_connected},
                           {"udp", udp},
                           {"unix stream, idle", unix_stream},
                           {"unix stream, listening", unix_listening},
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

/// The descriptor that a call made, which has just said why when it made none.
os::UniqueFd made(int fd) { return os::UniqueFd(fd); }

/// Gives up a half-made descriptor and keeps the errno of what failed.
os::UniqueFd give_up(os::UniqueFd half) {
  const int error = errno;
  half.reset();
  errno = error;
  return {};
}

}  // namespace

std::span<const Kind> all_kinds() { return kKinds; }

FactResult no_subject(ProbeContext& cx) {
  cx.call("what it takes to ask", -1);
  return cx.unknown();
}

Subject make_pipe(bool write_end) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return {};
  return {os::UniqueFd(ends[write_end ? 1 : 0]), os::UniqueFd(ends[write_end ? 0 : 1])};
}

Subject make_pty(bool slave, bool raw) {
  Subject pair;
  pair.fd = made(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!pair.fd) return pair;
  char name[64];
  if (::grantpt(pair.fd.get()) != 0 || ::unlockpt(pair.fd.get()) != 0 ||
      ::ptsname_r(pair.fd.get(), name, sizeof name) != 0) {
    pair.fd = give_up(std::move(pair.fd));
    return pair;
  }
  pair.other = made(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!pair.other) pair.fd = give_up(std::move(pair.fd));
  termios modes{};
  if (raw && pair.other && ::tcgetattr(pair.other.get(), &modes) == 0) {
    ::cfmakeraw(&modes);
    (void)::tcsetattr(pair.other.get(), TCSANOW, &modes);  // Of a terminal that we made.
  }
  if (slave) std::swap(pair.fd, pair.other);
  return pair;
}

Subject make_unix_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return {};
  return {os::UniqueFd(ends[0]), os::UniqueFd(ends[1])};
}

os::UniqueFd make_unix_listener(int backlog) {
  os::UniqueFd one = made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  SocketName name;
  name.address.ss_family = AF_UNIX;  // The family alone: the kernel picks an abstract name.
  if (one && (::bind(one.get(), name.raw(), sizeof(sa_family_t)) != 0 ||
              ::listen(one.get(), backlog) != 0)) {
    return give_up(std::move(one));
  }
  return one;
}

os::UniqueFd make_tcp_listener() {
  os::UniqueFd one = inet_socket(SOCK_STREAM);
  sockaddr_in loopback{};
  loopback.sin_family = AF_INET;
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!one) return one;
  // Without a loopback address it listens on all of those that there are, on a free port.
  (void)::bind(one.get(), reinterpret_cast<sockaddr*>(&loopback), sizeof loopback);
  return ::listen(one.get(), 8) == 0 ? std::move(one) : give_up(std::move(one));
}

SocketName name_of(const os::UniqueFd& socket) {
  SocketName name;
  if (::getsockname(socket.get(), name.raw(), &name.size) != 0) name.size = 0;
  auto* inet = reinterpret_cast<sockaddr_in*>(&name.address);
  if (name.size != 0 && inet->sin_family == AF_INET && inet->sin_addr.s_addr == INADDR_ANY) {
    inet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  return name;
}

os::UniqueFd connect_to(const os::UniqueFd& listener, int flags) {
  SocketName name = name_of(listener);
  os::UniqueFd one = made(::socket(name.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (one && ::connect(one.get(), name.raw(), name.size) != 0 && errno != EINPROGRESS) {
    return give_up(std::move(one));
  }
  return one;
}

Subject make_tcp_pair() {
  const os::UniqueFd listener = make_tcp_listener();
  if (!listener) return {};
  Subject pair{connect_to(listener)};
  if (!pair.fd) return pair;
  pollfd arrived{.fd = listener.get(), .events = POLLIN, .revents = 0};
  (void)::poll(&arrived, 1, 100);  // accept4 says whether it came.
  pair.other = made(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!pair.other) pair.fd = give_up(std::move(pair.fd));
  if (pair.fd) set_blocking(pair.fd, false);
  return pair;
}

void set_blocking(const os::UniqueFd& fd, bool blocking) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0) return;
  // The descriptor is ours and open: cannot fail.
  (void)::fcntl(fd.get(), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

std::string errno_word(int number) {
  return error_name(std::error_code(number, std::system_category()));
}

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

}  // namespace loopscope::probes
