// select: where its descriptor numbers end and what it reports.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "probe/probe_context.hpp"

namespace loopscope::probes::select {

namespace {

FactResult fd_setsize(ProbeContext& cx) {
  cx.note("FD_SETSIZE", std::to_string(FD_SETSIZE));
  FactResult result = count(FD_SETSIZE, "the constant of the C library this was built with");
  result.method = Method::declared;
  return result;
}

/// Makes room for descriptor `number` in this process's soft limit.
bool make_room(ProbeContext& cx, rlim_t number) {
  rlimit limit{};
  if (cx.call("getrlimit(RLIMIT_NOFILE)", ::getrlimit(RLIMIT_NOFILE, &limit)) != 0) return false;
  if (limit.rlim_cur > number) return true;
  if (limit.rlim_max <= number) return false;
  limit.rlim_cur = number + 1;
  return cx.call("setrlimit(RLIMIT_NOFILE)", ::setrlimit(RLIMIT_NOFILE, &limit)) == 0;
}

FactResult above_setsize(ProbeContext& cx) {
  constexpr int kNumber = 2000;
  if (!make_room(cx, kNumber)) {
    return null(Reason::denied, "RLIMIT_NOFILE does not allow descriptor 2000 here");
  }
  int ends[2];
  if (cx.call("pipe2", ::pipe2(ends, O_CLOEXEC)) != 0) return cx.unknown();
  const os::UniqueFd read(ends[0]);
  const os::UniqueFd write(ends[1]);
  const os::UniqueFd high(
      cx.call("fcntl(F_DUPFD, 2000)", ::fcntl(read.get(), F_DUPFD_CLOEXEC, kNumber)));
  if (!high) return cx.unknown();
  (void)cx.call("write(pipe)", ::write(write.get(), "x", 1));
  constexpr std::size_t kBits = 8 * sizeof(unsigned long);
  std::array<unsigned long, 64> readable{};  // 4096 bits, our own memory: no fd_set is overrun
  const auto word = static_cast<std::size_t>(high.get()) / kBits;
  const unsigned long bit = 1UL << (static_cast<std::size_t>(high.get()) % kBits);
  if (word >= readable.size()) return null(Reason::failed, "got a number beyond the bitmap");
  readable[word] = bit;
  // pselect6 exists on every architecture; plain select does not. The set has more than
  // FD_SETSIZE bits, so the C library's select is not asked.
  std::array<long, 2> now{0, 0};
  const long rc = cx.call("pselect6(2001+, descriptor 2000 readable)",
                          ::syscall(SYS_pselect6, high.get() + 1, readable.data(), nullptr, nullptr,
                                    now.data(), nullptr));
  if (rc < 0) return cx.refused();
  if (rc == 1 && (readable[word] & bit) != 0) {
    return yes("the kernel has no such limit; fd_set and fortified libraries do");
  }
  return no(Reason::failed, "the descriptor was not reported");
}

FactResult empty_sets(ProbeContext& cx) {
  timeval none{};
  const int rc =
      cx.call("select(0, null, null, null, 0)", ::select(0, nullptr, nullptr, nullptr, &none));
  if (rc != 0) return cx.refused();
  return yes("a wait without descriptors is just a sleep");
}

/// A TCP socket that was refused a moment ago.
FactResult connect_failure_set(ProbeContext& cx) {
  const os::UniqueFd closed(cx.call("socket", ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  const os::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!closed || !client || client.get() >= FD_SETSIZE) return cx.unknown();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  // Bound but not listening: nobody else can take the port meanwhile.
  if (cx.call("bind(127.0.0.1:0)", ::bind(closed.get(), raw, size)) != 0 ||
      ::getsockname(closed.get(), raw, &size) != 0) {
    return cx.unknown();
  }
  const int rc = cx.call("connect(closed port)", ::connect(client.get(), raw, size));
  if (rc == 0 || (errno != EINPROGRESS && errno != ECONNREFUSED)) return cx.unknown();
  fd_set read;
  fd_set write;
  fd_set except;
  for (fd_set* set : {&read, &write, &except}) {
    FD_ZERO(set);
    FD_SET(client.get(), set);
  }
  timeval limit{.tv_sec = 0, .tv_usec = 300'000};
  const int ready = cx.call("select(read, write, except)",
                            ::select(client.get() + 1, &read, &write, &except, &limit));
  if (ready <= 0) return cx.unknown("no set reported the refusal");
  std::vector<std::string> sets;
  if (FD_ISSET(client.get(), &read)) sets.emplace_back("read");
  if (FD_ISSET(client.get(), &write)) sets.emplace_back("write");
  if (FD_ISSET(client.get(), &except)) sets.emplace_back("except");
  return word_set(std::move(sets));
}

FactResult ebadf(ProbeContext& cx) {
  int ends[2];
  if (cx.call("pipe2", ::pipe2(ends, O_CLOEXEC)) != 0) return cx.unknown();
  os::UniqueFd read(ends[0]);
  const os::UniqueFd write(ends[1]);
  const int closed = read.get();
  if (closed >= FD_SETSIZE || write.get() >= FD_SETSIZE) return cx.unknown();
  read.reset();
  fd_set reading;
  fd_set writing;
  FD_ZERO(&reading);
  FD_ZERO(&writing);
  FD_SET(closed, &reading);
  FD_SET(write.get(), &writing);
  timeval none{};
  const int rc =
      cx.call("select(a closed and an open descriptor)",
              ::select(std::max(closed, write.get()) + 1, &reading, &writing, nullptr, &none));
  if (rc == -1 && errno == EBADF) return yes("one closed descriptor fails the whole call");
  if (rc == -1) return cx.unknown();
  return no(Reason::none, "the closed descriptor was passed over");
}

constexpr Fact kFacts[] = {
    {"select.fd_setsize", "How many descriptor numbers does an fd_set hold?", "man 2 select, BUGS",
     fd_setsize, "a loop over select must refuse higher numbers"},
    {"select.fd_above_setsize", "Does the kernel accept descriptor 2000 in a larger bitmap?",
     "man 2 select, BUGS", above_setsize, "the limit is the library's, not the kernel's"},
    {"select.empty_sets", "Does select without any descriptor just wait?", "POSIX select",
     empty_sets, "Windows refuses it, and a loop there must sleep otherwise"},
    {"select.connect_failure_set", "In which sets does a refused connect show?",
     "POSIX connect and select", connect_failure_set, "on Windows it is the except set only"},
    {"select.ebadf", "Does one closed descriptor fail the whole select?", "POSIX select, EBADF",
     ebadf, "a loop must find out which one it was"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "select", .group = "B2", .facts = kFacts, .effect = Effect::process};

}  // namespace loopscope::probes::select
