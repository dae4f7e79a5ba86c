// Unix sockets: their types, their names, and what can be passed over them.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "probe/capabilities/inet.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::unix_sockets {

namespace {

os::UniqueFd fresh(ProbeContext& cx, int type = SOCK_STREAM) {
  return os::UniqueFd(
      cx.call("socket(AF_UNIX)", ::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
}

FactResult types(ProbeContext& cx) {
  constexpr std::pair<const char*, int> kTypes[] = {
      {"stream", SOCK_STREAM}, {"dgram", SOCK_DGRAM}, {"seqpacket", SOCK_SEQPACKET}};
  std::vector<std::string> usable;
  for (const auto& [name, type] : kTypes) {
    const Subject pair = make_unix_pair(type);
    char octet = 0;
    const bool works = pair && ::send(pair.fd.get(), "x", 1, MSG_NOSIGNAL) == 1 &&
                       ::recv(pair.other.get(), &octet, 1, 0) == 1;
    cx.call(std::string("an octet through a pair of ") + name, works ? 0 : -1);
    if (works) usable.emplace_back(name);
  }
  if (usable.empty()) return cx.unknown();
  return word_set(std::move(usable));
}

FactResult abstract_name(ProbeContext& cx) {
  const os::UniqueFd socket = fresh(cx);
  if (!socket) return cx.unknown();
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = "loopscope-" + std::to_string(::getpid());
  std::memcpy(name.sun_path + 1, text.data(), text.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  if (cx.call("bind(abstract name)",
              ::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), size)) != 0) {
    return cx.refused();
  }
  return yes("a name without a file");
}

FactResult autobind(ProbeContext& cx) {
  const os::UniqueFd socket = fresh(cx);
  if (!socket) return cx.unknown();
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (cx.call("bind(the family alone)",
              ::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t))) != 0) {
    return cx.refused();
  }
  const SocketName got = name_of(socket);
  cx.note("length of the name", std::to_string(got.size));
  return got.size > sizeof(sa_family_t) ? yes("the kernel picked a name")
                                        : no(Reason::failed, "it has no name");
}

/// The longest path that can be bound, of names that grow by one octet.
FactResult path_max(ProbeContext& cx) {
  const std::string folder = cx.temp_dir();
  if (folder.empty()) return cx.unknown();
  if (::chdir(folder.c_str()) != 0) {  // Relative names are as short as we like.
    cx.call("chdir(temporary folder)", -1);
    return cx.unknown();
  }
  std::size_t longest = 0;
  for (std::size_t length = 90; length <= sizeof(sockaddr_un::sun_path) + 4; ++length) {
    std::array<char, sizeof(sockaddr_un) + 16> memory{};
    auto* name = reinterpret_cast<sockaddr_un*>(memory.data());
    name->sun_family = AF_UNIX;
    std::memset(memory.data() + offsetof(sockaddr_un, sun_path), 'p', length);
    const os::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return no_subject(cx);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    const int rc = ::bind(socket.get(), reinterpret_cast<sockaddr*>(name), size);
    if (rc != 0) {
      cx.call("bind(path of " + std::to_string(length) + " octets)", rc);
      break;
    }
    longest = length;
  }
  if (longest == 0) return cx.unknown();
  return byte_count(static_cast<std::int64_t>(longest), "without an end of string; 1 less with it");
}

/// Control data of one message with room for `kRoom` octets.
template <std::size_t kRoom>
struct Message {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kRoom)> control{};
  char octet = 'x';
  iovec data{&octet, 1};
  msghdr header{};
  explicit Message(std::size_t used = kRoom) {
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(used);
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  cmsghdr* first() { return CMSG_FIRSTHDR(&header); }
  void put(int type, const void* content, std::size_t size) {
    cmsghdr* part = first();
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = type;
    part->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(part), content, size);
  }
};

constexpr std::size_t kMostFds = 512;

/// Sends `n` copies of one descriptor; how many arrive, or -1 with errno.
int passed(const Subject& pair, std::size_t n) {
  const std::vector<int> sent(n, pair.fd.get());
  Message<kMostFds * sizeof(int)> out(n * sizeof(int));
  out.put(SCM_RIGHTS, sent.data(), n * sizeof(int));
  if (::sendmsg(pair.fd.get(), &out.header, MSG_NOSIGNAL) < 0) return -1;
  Message<kMostFds * sizeof(int)> in;
  if (::recvmsg(pair.other.get(), &in.header, MSG_CMSG_CLOEXEC) < 0) return -1;
  const cmsghdr* part = in.first();
  if (part == nullptr || part->cmsg_type != SCM_RIGHTS) return 0;
  const std::size_t got = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  std::vector<int> numbers(got);
  if (got > 0) std::memcpy(numbers.data(), CMSG_DATA(part), got * sizeof(int));
  for (const int number : numbers) const os::UniqueFd owner(number);
  return static_cast<int>(got);
}

FactResult scm_rights(ProbeContext& cx) {
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  const int got = cx.call("sendmsg(SCM_RIGHTS), recvmsg", passed(pair, 1));
  if (got < 0) return cx.refused();
  return got == 1 ? yes("a descriptor arrived") : no(Reason::failed, "it did not arrive");
}

FactResult max_fds(ProbeContext& cx) {
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  // One that arrives takes a number: below the limit of descriptors nothing can be told.
  int works = 0;
  for (const std::size_t n : {1U, 16U, 64U, 128U, 250U, 251U, 252U, 253U, 254U, 255U, 256U, 300U}) {
    const int got = passed(pair, n);
    if (got != static_cast<int>(n)) {
      cx.call("sendmsg(" + std::to_string(n) + " descriptors)", got);
      cx.note("arrived", std::to_string(got));
      if (got >= 0) return null(Reason::failed, "the limit of descriptors is lower");
      break;
    }
    works = static_cast<int>(n);
  }
  if (works == 0) return cx.unknown();
  return count(works, "more in one message are refused");
}

struct Credentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

FactResult scm_credentials(ProbeContext& cx) {
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  if (!set_and_get(cx, pair.other, SOL_SOCKET, SO_PASSCRED, 1, "SO_PASSCRED")) {
    return cx.refused();
  }
  if (cx.call("send", ::send(pair.fd.get(), "x", 1, MSG_NOSIGNAL)) != 1) return cx.unknown();
  Message<sizeof(Credentials)> in;
  if (cx.call("recvmsg", ::recvmsg(pair.other.get(), &in.header, 0)) != 1) return cx.unknown();
  const cmsghdr* part = in.first();
  constexpr int kScmCredentials = 2;
  if (part == nullptr || part->cmsg_type != kScmCredentials) {
    return no(Reason::failed, "no credentials came along");
  }
  Credentials who{};
  std::memcpy(&who, CMSG_DATA(part), sizeof who);
  return who.pid == ::getpid() && who.uid == ::getuid()
             ? yes("number of the process, user and group of the sender")
             : no(Reason::failed, "they are somebody else's");
}

FactResult scm_pidfd(ProbeContext& cx) {
  constexpr int kPassPidfd = 76, kScmPidfd = 4;  // SO_PASSPIDFD, SCM_PIDFD: Linux 6.5
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  if (!set_and_get(cx, pair.other, SOL_SOCKET, kPassPidfd, 1, "SO_PASSPIDFD")) {
    return cx.refused();
  }
  if (cx.call("send", ::send(pair.fd.get(), "x", 1, MSG_NOSIGNAL)) != 1) return cx.unknown();
  Message<sizeof(int)> in;
  if (cx.call("recvmsg", ::recvmsg(pair.other.get(), &in.header, MSG_CMSG_CLOEXEC)) != 1) {
    return cx.unknown();
  }
  const cmsghdr* part = in.first();
  if (part == nullptr || part->cmsg_type != kScmPidfd) {
    return no(Reason::failed, "no pidfd came along");
  }
  int number = -1;
  std::memcpy(&number, CMSG_DATA(part), sizeof number);
  const os::UniqueFd owner(number);
  return owner ? yes("a pidfd of the sender") : no(Reason::failed, "no pidfd came along");
}

FactResult peercred(ProbeContext& cx) {
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  Credentials who{};
  socklen_t size = sizeof who;
  if (cx.call("getsockopt(SO_PEERCRED)",
              ::getsockopt(pair.fd.get(), SOL_SOCKET, SO_PEERCRED, &who, &size)) != 0) {
    return cx.refused();
  }
  return who.uid == ::geteuid() ? yes() : no(Reason::failed, "it names somebody else");
}

FactResult dgram_qlen(ProbeContext& cx) {
  // Not a pair: two sockets that are each other's peers are spared the limit.
  const os::UniqueFd receiver = fresh(cx, SOCK_DGRAM);
  const os::UniqueFd sender = fresh(cx, SOCK_DGRAM);
  if (!receiver || !sender) return cx.unknown();
  sockaddr family{};
  family.sa_family = AF_UNIX;
  if (cx.call("bind(the family alone)", ::bind(receiver.get(), &family, sizeof(sa_family_t))) !=
      0) {
    return cx.unknown();
  }
  SocketName name = name_of(receiver);
  if (cx.call("connect(receiver)", ::connect(sender.get(), name.raw(), name.size)) != 0) {
    return cx.unknown();
  }
  constexpr std::int64_t kEnough = 100'000;
  std::int64_t sent = 0;
  while (sent < kEnough && ::send(sender.get(), "x", 1, MSG_NOSIGNAL) == 1) ++sent;
  cx.call("send(1 octet) until it fails", sent < kEnough ? -1 : 0);
  const auto limit = read_number("/proc/sys/net/unix/max_dgram_qlen");
  cx.note("net.unix.max_dgram_qlen", limit ? std::to_string(*limit) : "unknown");
  // One more than the limit fits: the queue is checked before it grows.
  if (limit && sent != *limit && sent != *limit + 1) {
    cx.disagree("net.unix.max_dgram_qlen", std::to_string(*limit), "datagrams until EAGAIN",
                std::to_string(sent));
  }
  return count(sent, "datagrams until a sender must wait");
}

constexpr Fact kFacts[] = {
    {"unix.types", "Which types of Unix sockets work?", "man 7 unix", types,
     "macOS has no seqpacket, Windows streams only"},
    {"unix.abstract", "Can an abstract name be bound?", "man 7 unix, Abstract sockets",
     abstract_name, "servers without a file that is left behind"},
    {"unix.autobind", "Does the kernel pick a name when none is given?",
     "man 7 unix, Autobind feature", autobind, "datagram clients that want answers"},
    {"unix.path_max", "How long may the path of a Unix socket be?", "man 7 unix, sun_path",
     path_max, "temporary folders with long paths", "binds names that grow by one octet"},
    {"unix.scm_rights", "Can a descriptor be sent?", "man 7 unix, SCM_RIGHTS", scm_rights,
     "handing connections to other processes"},
    {"unix.scm_credentials", "Do the sender's credentials come along?",
     "man 7 unix, SCM_CREDENTIALS", scm_credentials, "who is it that sent this"},
    {"unix.scm_pidfd", "Does a pidfd of the sender come along?", "Linux 6.5, SO_PASSPIDFD",
     scm_pidfd, "watching a client without a race with reused numbers"},
    {"unix.peercred", "Can the peer's credentials be asked?", "man 7 unix, SO_PEERCRED", peercred,
     "who is it that connected"},
    {"unix.max_fds", "How many descriptors may one message carry?", "man 7 unix, SCM_RIGHTS",
     max_fds, "EINVAL, or descriptors that are lost",
     "sends more and more in one message and counts those that arrive"},
    {"unix.dgram_qlen", "How many datagrams wait before a sender must?",
     "man 7 unix, max_dgram_qlen", dgram_qlen, "when a datagram transport pauses"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "Unix sockets", .group = "B5", .facts = kFacts};

}  // namespace loopscope::probes::unix_sockets
