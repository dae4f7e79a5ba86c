// The clients of the echo benchmark, the clocks and the heap's size, with plain calls of the
// system.
#include "ci/bench/posix/clients.hpp"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "loops/os/pipe.hpp"

namespace loopscope::bench {
namespace {

[[noreturn]] void give_up(const char* call) {
  std::perror(call);
  std::_Exit(1);
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    give_up("connect");
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/// Ping-pong on every connection. A payload of 64 bytes over loopback arrives in one piece.
void exchange(const std::vector<int>& connections, int echoes, std::size_t payload) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const std::vector<char> ping(payload, 'x');
  std::vector<char> buffer(payload);
  std::vector<int> left(connections.size(), echoes / static_cast<int>(connections.size()));
  for (std::size_t i = 0; i < connections.size(); ++i) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i], &event) != 0) give_up("epoll_ctl");
  }
  for (const int fd : connections) (void)::send(fd, ping.data(), payload, MSG_NOSIGNAL);
  std::size_t busy = connections.size();
  std::array<epoll_event, 256> events;
  while (busy > 0) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const std::size_t which = events[static_cast<std::size_t>(i)].data.u64;
      const ssize_t got = ::recv(connections[which], buffer.data(), payload, 0);
      if (got != static_cast<ssize_t>(payload)) give_up("recv");
      if (--left[which] > 0) {
        (void)::send(connections[which], ping.data(), payload, MSG_NOSIGNAL);
      } else {
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, connections[which], nullptr);  // its end is no news
        --busy;
      }
    }
  }
}

}  // namespace

EchoClients::EchoClients(int connections, int echoes, std::size_t payload) {
  os::Pipe pipe = std::move(os::open_pipe().value());
  std::fflush(stdout);
  process_ = ::fork();
  if (process_ < 0) give_up("fork");
  if (process_ > 0) {
    port_ = std::move(pipe.write);
    return;
  }
  pipe.write.reset();
  std::uint16_t port = 0;
  if (::read(pipe.read.get(), &port, sizeof port) != sizeof port) std::_Exit(0);
  std::vector<int> ends(static_cast<std::size_t>(connections));
  std::ranges::generate(ends, [port] { return connect_to(port); });
  exchange(ends, echoes, payload);
  std::_Exit(0);
}

EchoClients::~EchoClients() {
  port_.reset();
  ::waitpid(process_, nullptr, 0);
}

void EchoClients::begin(std::uint16_t port) {
  if (::write(port_.get(), &port, sizeof port) != sizeof port) give_up("write");
}

double thread_processor_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

std::optional<std::size_t> heap_bytes() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  const struct mallinfo2 heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
#else
  return std::nullopt;
#endif
}

void allow_descriptors(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace loopscope::bench
