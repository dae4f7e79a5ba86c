// UDP: how large datagrams may be, what comes back of lost ones, and the calls for many at once.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "probe/capabilities/inet.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::udp {

namespace {

constexpr int kPatienceMs = 200;
constexpr int kSegment = 103, kGro = 104;  // UDP_SEGMENT, UDP_GRO

std::uint32_t poll_for(const os::UniqueFd& fd, short events, int patience = kPatienceMs) {
  pollfd slot{.fd = fd.get(), .events = events, .revents = 0};
  (void)::poll(&slot, 1, patience);
  return static_cast<std::uint32_t>(slot.revents);
}

/// Two sockets, the first connected to the second.
Subject make_pair(ProbeContext& cx, int family = AF_INET) {
  Subject pair{bound_udp(cx, family), {}};
  if (!pair) return pair;
  pair.other = bound_udp(cx, family);
  if (!pair.other) pair.fd.reset();
  if (!pair) return pair;
  SocketName name = name_of(pair.other);
  if (cx.call("connect(receiver)", ::connect(pair.fd.get(), name.raw(), name.size)) != 0) {
    pair.fd.reset();
  }
  return pair;
}

/// The largest datagram that is sent and arrives whole.
FactResult max_datagram(ProbeContext& cx, int family) {
  const Subject pair = make_pair(cx, family);
  if (!pair) return cx.unknown();
  const int room = 1 << 20;
  (void)::setsockopt(pair.fd.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  (void)::setsockopt(pair.other.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  std::vector<char> block(70'000);
  std::vector<char> read(block.size());
  std::size_t works = 0;
  std::size_t fails = block.size();
  while (fails - works > 1) {
    const std::size_t size = (works + fails) / 2;
    const bool sent = ::send(pair.fd.get(), block.data(), size, 0) == static_cast<ssize_t>(size);
    const bool came =
        sent && (poll_for(pair.other, POLLIN) & POLLIN) != 0 &&
        ::recv(pair.other.get(), read.data(), read.size(), 0) == static_cast<ssize_t>(size);
    (came ? works : fails) = size;
  }
  const ssize_t more = ::send(pair.fd.get(), block.data(), fails, 0);
  cx.call("send(" + std::to_string(fails) + " octets)", more);
  if (works == 0) return cx.unknown("no datagram arrived");
  return byte_count(static_cast<std::int64_t>(works), "one more is refused or lost");
}
FactResult max_v4(ProbeContext& cx) { return max_datagram(cx, AF_INET); }
FactResult max_v6(ProbeContext& cx) { return max_datagram(cx, AF_INET6); }

/// The largest datagram that needs no fragments over loopback.
FactResult max_lo(ProbeContext& cx) {
  constexpr int kMtu = 14;  // IP_MTU
  const Subject pair = make_pair(cx);
  if (!pair) return cx.unknown();
  int mtu = 0;
  socklen_t size = sizeof mtu;
  if (cx.call("getsockopt(IP_MTU)", ::getsockopt(pair.fd.get(), IPPROTO_IP, kMtu, &mtu, &size)) !=
      0) {
    return cx.unknown();
  }
  constexpr int kHeaders = 28;
  FactResult result = byte_count(std::min(mtu - kHeaders, 65'507),
                                 "MTU " + std::to_string(mtu) + " less the headers");
  result.method = Method::api;
  return result;
}

/// A port of 127.0.0.1 on which nobody receives.
SocketName dead_port(ProbeContext& cx) {
  const os::UniqueFd gone = bound_udp(cx);
  SocketName name;
  name.size = 0;
  return gone ? name_of(gone) : name;
}

constexpr int kRecvErr = 11;  // IP_RECVERR

/// Does an unconnected socket hear that nobody receives on a port?
bool hears(ProbeContext& cx, bool asked, SocketName& dead) {
  const os::UniqueFd socket = bound_udp(cx);
  if (!socket) return false;
  const int one = 1;
  if (asked) (void)::setsockopt(socket.get(), IPPROTO_IP, kRecvErr, &one, sizeof one);
  (void)cx.call("sendto(dead port)", ::sendto(socket.get(), "x", 1, 0, dead.raw(), dead.size));
  const std::uint32_t mask = poll_for(socket, POLLIN, asked ? kPatienceMs : 20);
  char octet = 0;
  const ssize_t n = ::recv(socket.get(), &octet, 1, 0);
  cx.call(asked ? "recv, with IP_RECVERR" : "recv, without IP_RECVERR", n);
  return n == -1 && errno == ECONNREFUSED && (mask & POLLERR) != 0;
}

FactResult icmp_on_unconnected(ProbeContext& cx) {
  SocketName dead = dead_port(cx);
  if (dead.size == 0) return cx.unknown();
  const bool plain = hears(cx, false, dead);
  const bool asked = hears(cx, true, dead);
  if (plain) return yes("without being asked for");
  return no(Reason::none, asked ? "only with IP_RECVERR" : "not with IP_RECVERR either");
}

FactResult errqueue_sticky(ProbeContext& cx) {
  SocketName dead = dead_port(cx);
  const os::UniqueFd socket = bound_udp(cx);
  if (dead.size == 0 || !socket) return cx.unknown();
  if (!set_and_get(cx, socket, IPPROTO_IP, kRecvErr, 1, "IP_RECVERR")) return cx.refused();
  (void)cx.call("sendto(dead port)", ::sendto(socket.get(), "x", 1, 0, dead.raw(), dead.size));
  const std::uint32_t before = poll_for(socket, POLLIN);
  cx.note("poll", mask_words(before));
  if ((before & POLLERR) == 0) return null(Reason::failed, "no error came");
  char octet = 0;
  (void)cx.call("recv", ::recv(socket.get(), &octet, 1, 0));
  const std::uint32_t after = poll_for(socket, POLLIN, 0);
  cx.note("poll after recv took the error", mask_words(after));
  std::array<char, 256> control{};
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  (void)cx.call("recvmsg(MSG_ERRQUEUE)", ::recvmsg(socket.get(), &message, MSG_ERRQUEUE));
  const std::uint32_t emptied = poll_for(socket, POLLIN, 0);
  cx.note("poll after MSG_ERRQUEUE", mask_words(emptied));
  if ((after & POLLERR) == 0) return no(Reason::none, "recv cleared it");
  return yes((emptied & POLLERR) == 0 ? "until MSG_ERRQUEUE is read" : "even then");
}

FactResult gso(ProbeContext& cx) {
  const Subject pair = make_pair(cx);
  if (!pair) return cx.unknown();
  if (!set_and_get(cx, pair.fd, IPPROTO_UDP, kSegment, 100, "UDP_SEGMENT")) return cx.refused();
  const std::array<char, 300> block{};
  if (cx.call("send(300 octets)", ::send(pair.fd.get(), block.data(), block.size(), 0)) != 300) {
    return cx.refused();
  }
  int datagrams = 0;
  std::array<char, 400> read{};
  while (datagrams < 4 && (poll_for(pair.other, POLLIN, datagrams == 0 ? kPatienceMs : 0)) != 0) {
    if (::recv(pair.other.get(), read.data(), read.size(), 0) == 100) ++datagrams;
  }
  cx.note("datagrams of 100 octets", std::to_string(datagrams));
  return datagrams == 3 ? yes("one send became three datagrams")
                        : no(Reason::failed, "the send was not cut into three");
}

FactResult gro(ProbeContext& cx) {
  const Subject pair = make_pair(cx);
  if (!pair) return cx.unknown();
  const auto got = set_and_get(cx, pair.other, IPPROTO_UDP, kGro, 1, "UDP_GRO");
  if (!got) return cx.refused();
  return yes("accepted; whether datagrams are joined is up to the interface");
}

FactResult sendmmsg_two(ProbeContext& cx) {
  const Subject pair = make_pair(cx);
  if (!pair) return cx.unknown();
  std::array<char, 2> text{'a', 'b'};
  std::array<iovec, 2> parts{iovec{&text[0], 1}, iovec{&text[1], 1}};
  std::array<mmsghdr, 2> messages{};
  for (std::size_t i = 0; i < 2; ++i) {
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int n = cx.call("sendmmsg(2)", ::sendmmsg(pair.fd.get(), messages.data(), 2, 0));
  if (n < 0) return cx.refused();
  return n == 2 ? yes("two datagrams by one call") : no(Reason::failed, "one was sent");
}

FactResult recvmmsg_two(ProbeContext& cx) {
  const Subject pair = make_pair(cx);
  if (!pair) return cx.unknown();
  for (const char* text : {"a", "b"}) {
    if (cx.call("send", ::send(pair.fd.get(), text, 1, 0)) != 1) return cx.unknown();
  }
  (void)poll_for(pair.other, POLLIN);
  std::array<char, 3> text{};
  std::array<iovec, 3> parts{iovec{&text[0], 1}, iovec{&text[1], 1}, iovec{&text[2], 1}};
  std::array<mmsghdr, 3> messages{};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int n =
      cx.call("recvmmsg(3)", ::recvmmsg(pair.other.get(), messages.data(), 3, 0, nullptr));
  if (n < 0) return cx.refused();
  return n == 2 && text[0] == 'a' && text[1] == 'b' ? yes("two datagrams by one call")
                                                    : no(Reason::failed, "they did not both come");
}

FactResult pktinfo(ProbeContext& cx) {
  const Subject pair = make_pair(cx);
  if (!pair) return cx.unknown();
  if (!set_and_get(cx, pair.other, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO")) return cx.refused();
  if (cx.call("send", ::send(pair.fd.get(), "x", 1, 0)) != 1) return cx.unknown();
  (void)poll_for(pair.other, POLLIN);
  alignas(cmsghdr) std::array<char, 128> control{};
  char octet = 0;
  iovec part{&octet, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (cx.call("recvmsg", ::recvmsg(pair.other.get(), &message, 0)) != 1) return cx.unknown();
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != IP_PKTINFO) {
    return no(Reason::failed, "the address did not come along");
  }
  in_pktinfo info{};
  std::memcpy(&info, CMSG_DATA(header), sizeof info);
  return info.ipi_addr.s_addr == htonl(INADDR_LOOPBACK)
             ? yes("the address that was sent to comes along")
             : no(Reason::failed, "another address came along");
}

FactResult disconnect(ProbeContext& cx) {
  const Subject pair = make_pair(cx);
  if (!pair) return cx.unknown();
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  const int rc = cx.call("connect(AF_UNSPEC)", ::connect(pair.fd.get(), &nobody, sizeof nobody));
  if (rc != 0) return words(errno_word(errno), "the peer stays");
  SocketName peer;
  const int named = cx.call("getpeername", ::getpeername(pair.fd.get(), peer.raw(), &peer.size));
  return words("0", named == -1 && errno == ENOTCONN ? "the peer is gone" : "the peer stays");
}

constexpr const char* kMany = "fewer system calls at high packet rates";

constexpr Fact kFacts[] = {
    {"udp.max_datagram.v4", "How large may a datagram over IPv4 be?", "RFC 768; RFC 791", max_v4,
     "EMSGSIZE, and datagrams that never arrive", "halves the range until one octet decides"},
    {"udp.max_datagram.v6", "How large may a datagram over IPv6 be?", "RFC 768; RFC 8200", max_v6,
     "EMSGSIZE, and datagrams that never arrive", "halves the range until one octet decides"},
    {"udp.max_datagram.lo", "How large may a datagram be that is not cut over loopback?",
     "man 7 ip, IP_MTU", max_lo, "what tests over loopback can send in one piece"},
    {"udp.icmp_on_unconnected", "Does an unconnected socket hear that nobody receives?",
     "RFC 1122, 4.1.3.3; man 7 udp", icmp_on_unconnected,
     "Windows answers the next receive with 10054"},
    {"udp.errqueue_sticky", "Does POLLERR stay until the error queue is read?",
     "man 7 ip, IP_RECVERR", errqueue_sticky, "a loop that only reads spins"},
    {"udp.gso", "Does UDP_SEGMENT cut one send into datagrams?", "man 7 udp, UDP_SEGMENT", gso,
     kMany},
    {"udp.gro", "Can received datagrams be joined?", "man 7 udp, UDP_GRO", gro, kMany},
    {"udp.recvmmsg", "Does recvmmsg receive two datagrams at once?", "man 2 recvmmsg", recvmmsg_two,
     kMany},
    {"udp.sendmmsg", "Does sendmmsg send two datagrams at once?", "man 2 sendmmsg", sendmmsg_two,
     kMany},
    {"udp.pktinfo", "Does IP_PKTINFO tell which address was sent to?", "man 7 ip, IP_PKTINFO",
     pktinfo, "a server on all addresses must answer from the right one"},
    {"udp.disconnect", "What does connecting to AF_UNSPEC say?",
     "POSIX connect; man 2 connect, AF_UNSPEC", disconnect,
     "giving up a peer: systems return different errors"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "UDP", .group = "B5", .facts = kFacts, .effect = Effect::traffic};

}  // namespace loopscope::probes::udp
