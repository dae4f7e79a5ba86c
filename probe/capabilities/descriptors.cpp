// Descriptors: closing ranges of them, and being close-on-exec from birth.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "probe/capabilities/linux_calls.hpp"
#include "probe/capabilities/subjects.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::descriptors {

namespace {

bool is_cloexec(int fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) != 0;
}

FactResult close_range_closes(ProbeContext& cx) {
  Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  os::UniqueFd& file = pipe.fd;
  const int number = file.get();
  const long rc = cx.call("close_range(one descriptor)", ::syscall(kCloseRange, number, number, 0));
  if (rc != 0) return cx.refused();
  (void)file.release();
  return ::fcntl(number, F_GETFD) == -1 ? yes() : no(Reason::failed, "it is still open");
}

FactResult close_range_cloexec(ProbeContext& cx) {
  constexpr unsigned kCloexec = 1U << 2;  // CLOSE_RANGE_CLOEXEC, Linux 5.11
  const Subject pipe = make_pipe(false);
  if (!pipe) return no_subject(cx);
  const os::UniqueFd& file = pipe.fd;
  (void)::fcntl(file.get(), F_SETFD, 0);
  const long rc = cx.call("close_range(CLOSE_RANGE_CLOEXEC)",
                          ::syscall(kCloseRange, file.get(), file.get(), kCloexec));
  if (rc != 0) return cx.refused();
  return is_cloexec(file.get()) ? yes() : no(Reason::failed, "the flag was not set");
}

/// Sends a descriptor over `ends` and receives it with MSG_CMSG_CLOEXEC.
bool passed_is_cloexec(ProbeContext& cx, const std::array<int, 2>& ends) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char octet = 'x';
  iovec data{.iov_base = &octet, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &ends[0], sizeof(int));
  if (cx.call("sendmsg(SCM_RIGHTS)", ::sendmsg(ends[0], &message, MSG_NOSIGNAL)) != 1) {
    return false;
  }
  if (cx.call("recvmsg(MSG_CMSG_CLOEXEC)", ::recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC)) != 1) {
    return false;
  }
  header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return false;
  int received = -1;
  std::memcpy(&received, CMSG_DATA(header), sizeof received);
  const os::UniqueFd owner(received);
  return is_cloexec(received);
}

bool accepted_is_cloexec(ProbeContext& cx) {
  const os::UniqueFd listener = make_unix_listener(1);
  const os::UniqueFd client = listener ? connect_to(listener) : os::UniqueFd();
  if (!client) {
    cx.call("a connection to ourselves", -1);
    return false;
  }
  const os::UniqueFd accepted(
      cx.call("accept4(SOCK_CLOEXEC)", ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  return accepted && is_cloexec(accepted.get());
}

FactResult cloexec_atomic(ProbeContext& cx) {
  std::vector<std::string> ways;
  std::array<int, 2> ends{-1, -1};
  if (cx.call("socketpair(SOCK_CLOEXEC)",
              ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data())) != 0) {
    return cx.unknown();
  }
  const os::UniqueFd one(ends[0]);
  const os::UniqueFd two(ends[1]);
  if (is_cloexec(one.get())) ways.emplace_back("SOCK_CLOEXEC");
  if (accepted_is_cloexec(cx)) ways.emplace_back("accept4");
  std::array<int, 2> pipe{-1, -1};
  if (cx.call("pipe2(O_CLOEXEC)", ::pipe2(pipe.data(), O_CLOEXEC)) == 0) {
    const os::UniqueFd read(pipe[0]);
    const os::UniqueFd write(pipe[1]);
    if (is_cloexec(read.get()) && is_cloexec(write.get())) ways.emplace_back("pipe2");
  }
  const os::UniqueFd copy(
      cx.call("fcntl(F_DUPFD_CLOEXEC)", ::fcntl(one.get(), F_DUPFD_CLOEXEC, 0)));
  if (copy && is_cloexec(copy.get())) ways.emplace_back("F_DUPFD_CLOEXEC");
  if (copy && cx.call("dup3(O_CLOEXEC)", ::dup3(one.get(), copy.get(), O_CLOEXEC)) >= 0 &&
      is_cloexec(copy.get())) {
    ways.emplace_back("dup3");
  }
  if (passed_is_cloexec(cx, ends)) ways.emplace_back("MSG_CMSG_CLOEXEC");
  return word_set(std::move(ways), "each made a descriptor that carried the flag at once");
}

constexpr Fact kFacts[] = {
    {"close_range", "Does close_range close a range of descriptors?",
     "man 2 close_range, Linux 5.9", close_range_closes, "clean children without a million calls"},
    {"close_range.cloexec", "Can close_range mark a range close-on-exec?",
     "man 2 close_range, Linux 5.11", close_range_cloexec, "clean children that may still fail"},
    {"fd.cloexec_atomic", "Which calls make a descriptor close-on-exec from birth?",
     "man 2 open, O_CLOEXEC", cloexec_atomic, "no leak into a child that another thread forks"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "descriptors", .group = "B3", .facts = kFacts};

}  // namespace loopscope::probes::descriptors
