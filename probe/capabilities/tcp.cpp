// TCP: what its ends tell each other, and which of its options exist.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "loops/base/clock.hpp"
#include "probe/capabilities/inet.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::tcp {

namespace {

constexpr int kPatienceMs = 200;
// By number: a C library may be older than the kernel.
constexpr int kUserTimeout = 18, kFastopen = 23, kNotsentLowat = 25, kFastopenConnect = 30;
constexpr int kZerocopy = 60;              // SO_ZEROCOPY
constexpr int kMsgZerocopy = 0x4000000;    // MSG_ZEROCOPY
constexpr std::uint8_t kFromZerocopy = 5;  // SO_EE_ORIGIN_ZEROCOPY
constexpr std::uint8_t kCopied = 1;        // SO_EE_CODE_ZEROCOPY_COPIED

os::UniqueFd fresh(ProbeContext& cx) {
  return os::UniqueFd(cx.call("socket(AF_INET, SOCK_STREAM)",
                              ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
}

std::uint32_t poll_for(ProbeContext& cx, std::string_view what, const os::UniqueFd& fd,
                       short events, int patience = kPatienceMs) {
  pollfd slot{.fd = fd.get(), .events = events, .revents = 0};
  (void)cx.call(what, ::poll(&slot, 1, patience));
  cx.note("revents", mask_words(static_cast<std::uint32_t>(slot.revents)));
  return static_cast<std::uint32_t>(slot.revents);
}

FactResult rst_on_close_unread(ProbeContext& cx) {
  Subject pair = make_tcp_pair();
  if (!pair) return no_subject(cx);
  (void)cx.call("send(ours, 1 octet)", ::send(pair.fd.get(), "x", 1, MSG_NOSIGNAL));
  if ((poll_for(cx, "poll(theirs)", pair.other, POLLIN) & POLLIN) == 0) {
    return null(Reason::failed, "the octet did not arrive");
  }
  pair.other.reset();
  cx.note("close(theirs) with the octet unread", "done");
  (void)poll_for(cx, "poll(ours)", pair.fd, POLLIN);
  char octet = 0;
  const ssize_t n = cx.call("recv(ours)", ::recv(pair.fd.get(), &octet, 1, 0));
  if (n == -1 && errno == ECONNRESET) return yes("the other end reads ECONNRESET");
  if (n == 0) return no(Reason::none, "the other end reads an ordinary end of file");
  return cx.unknown();
}

/// Connects a socket to its own address, which the kernel can also bring about by itself.
FactResult self_connect(ProbeContext& cx) {
  const os::UniqueFd socket = fresh(cx);
  if (!socket) return cx.unknown();
  SocketName name = loopback_name(AF_INET);
  if (cx.call("bind(127.0.0.1, port 0)", ::bind(socket.get(), name.raw(), name.size)) != 0) {
    return cx.unknown();
  }
  name = name_of(socket);
  const int rc = cx.call("connect(own address)", ::connect(socket.get(), name.raw(), name.size));
  if (rc != 0 && errno == ECONNREFUSED) return no(Reason::none, "a connect to itself is refused");
  if (rc != 0 && errno != EINPROGRESS) return cx.unknown();
  (void)poll_for(cx, "poll(socket)", socket, POLLOUT);
  SocketName peer;
  if (cx.call("getpeername", ::getpeername(socket.get(), peer.raw(), &peer.size)) != 0) {
    return no(Reason::failed, "it did not connect");
  }
  // Two ends that both close actively: without the reset the port would wait for minutes.
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  return yes("one socket is both ends: a client that retries an ephemeral port can meet itself");
}

FactResult fastopen(ProbeContext& cx) {
  const os::UniqueFd listener = listen_tcp(cx);
  const os::UniqueFd client = fresh(cx);
  if (!listener || !client) return cx.unknown();
  const auto queue = set_and_get(cx, listener, IPPROTO_TCP, kFastopen, 5, "TCP_FASTOPEN");
  if (!queue) return cx.refused();
  const auto lazy =
      set_and_get(cx, client, IPPROTO_TCP, kFastopenConnect, 1, "TCP_FASTOPEN_CONNECT");
  if (!lazy) return cx.refused("a listener may, a client may not");
  const auto mode = read_text("/proc/sys/net/ipv4/tcp_fastopen");
  cx.note("net.ipv4.tcp_fastopen", mode.value_or("unknown"));
  return yes(mode ? "both options are taken; net.ipv4.tcp_fastopen is " + *mode
                  : "both options are taken");
}

template <int kOption, int kValue>
FactResult option(ProbeContext& cx, std::string_view what) {
  return settable(cx, fresh(cx), IPPROTO_TCP, kOption, kValue, what);
}
FactResult user_timeout(ProbeContext& cx) {
  return option<kUserTimeout, 30'000>(cx, "TCP_USER_TIMEOUT");
}
FactResult keepidle(ProbeContext& cx) { return option<TCP_KEEPIDLE, 60>(cx, "TCP_KEEPIDLE"); }
FactResult keepintvl(ProbeContext& cx) { return option<TCP_KEEPINTVL, 10>(cx, "TCP_KEEPINTVL"); }
FactResult keepcnt(ProbeContext& cx) { return option<TCP_KEEPCNT, 3>(cx, "TCP_KEEPCNT"); }
FactResult notsent_lowat(ProbeContext& cx) {
  return option<kNotsentLowat, 16'384>(cx, "TCP_NOTSENT_LOWAT");
}
FactResult cork(ProbeContext& cx) { return option<TCP_CORK, 1>(cx, "TCP_CORK"); }

FactResult keepalive_units(ProbeContext& cx) {
  const os::UniqueFd socket = fresh(cx);
  if (!socket) return cx.unknown();
  // The greatest value that Linux takes is 32767 seconds; one that counted milliseconds takes
  // more.
  const auto seconds = set_and_get(cx, socket, IPPROTO_TCP, TCP_KEEPIDLE, 32'767, "TCP_KEEPIDLE");
  if (!seconds) return cx.unknown();
  const auto more = set_and_get(cx, socket, IPPROTO_TCP, TCP_KEEPIDLE, 32'768, "TCP_KEEPIDLE");
  return words(more ? "milliseconds" : "seconds", "by the greatest value that is taken");
}

/// TCP_QUICKACK is not sticky, so it is judged by what it turns off.
FactResult quickack(ProbeContext& cx) {
  const Subject pair = make_tcp_pair();
  if (!pair) return no_subject(cx);
  const auto off = set_and_get(cx, pair.fd, IPPROTO_TCP, TCP_QUICKACK, 0, "TCP_QUICKACK");
  if (!off) return cx.refused();
  const auto on = set_and_get(cx, pair.fd, IPPROTO_TCP, TCP_QUICKACK, 1, "TCP_QUICKACK");
  if (!on) return cx.refused();
  return *off == 0 && *on == 1 ? yes("until the kernel changes it back")
                               : no(Reason::failed, "it does not read back");
}

FactResult nodelay_on_unix(ProbeContext& cx) {
  const Subject pair = make_unix_pair(SOCK_STREAM);
  if (!pair) return no_subject(cx);
  const int one = 1;
  const int rc = cx.call("setsockopt(AF_UNIX, TCP_NODELAY)",
                         ::setsockopt(pair.fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
  return words(rc == 0 ? "0" : errno_word(errno), "must not end a connection");
}

/// The origin and code of the next error of the socket's error queue; nullopt: none came.
std::optional<std::array<std::uint8_t, 2>> next_error(ProbeContext& cx, const os::UniqueFd& fd) {
  (void)poll_for(cx, "poll(error queue)", fd, 0);
  alignas(cmsghdr) std::array<char, 256> control{};
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (cx.call("recvmsg(MSG_ERRQUEUE)", ::recvmsg(fd.get(), &message, MSG_ERRQUEUE)) < 0) {
    return std::nullopt;
  }
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return std::nullopt;
  // struct sock_extended_err: ee_errno (32 bits), ee_origin, ee_type, ee_code.
  const unsigned char* data = CMSG_DATA(header);
  return std::array<std::uint8_t, 2>{data[4], data[6]};
}

FactResult zerocopy(ProbeContext& cx) {
  const Subject pair = make_tcp_pair();
  if (!pair) return no_subject(cx);
  if (!set_and_get(cx, pair.fd, SOL_SOCKET, kZerocopy, 1, "SO_ZEROCOPY")) return cx.refused();
  const std::array<char, 4096> block{};
  if (cx.call("send(4096, MSG_ZEROCOPY)",
              ::send(pair.fd.get(), block.data(), block.size(), kMsgZerocopy | MSG_NOSIGNAL)) < 0) {
    return cx.refused();
  }
  // Over loopback the notice comes when the other end has read.
  std::array<char, 4096> read{};
  (void)poll_for(cx, "poll(receiver)", pair.other, POLLIN);
  (void)cx.call("recv(receiver)", ::recv(pair.other.get(), read.data(), read.size(), 0));
  const auto error = next_error(cx, pair.fd);
  if (!error || (*error)[0] != kFromZerocopy) {
    return no(Reason::failed, "no notice came that the memory is free again");
  }
  return yes((*error)[1] == kCopied ? "a notice came; the data was copied, as over loopback always"
                                    : "a notice came; nothing was copied");
}

FactResult oob_mask(ProbeContext& cx) {
  const Subject pair = make_tcp_pair();
  if (!pair) return no_subject(cx);
  if (cx.call("send(MSG_OOB)", ::send(pair.fd.get(), "!", 1, MSG_OOB | MSG_NOSIGNAL)) != 1) {
    return cx.unknown();
  }
  const std::uint32_t mask =
      poll_for(cx, "poll(IN|PRI)", pair.other, static_cast<short>(POLLIN | POLLPRI));
  if (mask == 0) return null(Reason::failed, "nothing arrived in 200 ms");
  std::vector<std::string> bits;
  if ((mask & POLLIN) != 0) bits.emplace_back("IN");
  if ((mask & POLLPRI) != 0) bits.emplace_back("PRI");
  return word_set(std::move(bits), "an urgent octet alone");
}

constexpr const char* kOption = "an option that servers set and a loop passes on";

constexpr Fact kFacts[] = {
    {"tcp.rst_on_close_unread", "Does a close with unread data reset the connection?",
     "RFC 2525, 2.17; RFC 9293", rst_on_close_unread,
     "what was sent before can be lost: read to the end first"},
    {"tcp.self_connect", "Can a TCP socket be connected with itself?",
     "RFC 9293, 3.5, simultaneous open", self_connect,
     "a refused port that answers: a rare hang of clients that retry",
     "a bound socket is connected to its own address; that it happens by chance is not waited for"},
    {"tcp.fastopen", "Do TCP_FASTOPEN and TCP_FASTOPEN_CONNECT exist?", "man 7 tcp, TCP_FASTOPEN",
     fastopen, "a connect that has to send first"},
    {"tcp.user_timeout", "Does TCP_USER_TIMEOUT exist?", "man 7 tcp, TCP_USER_TIMEOUT",
     user_timeout, "dead peers noticed while data waits"},
    {"tcp.keepidle", "Does TCP_KEEPIDLE exist?", "man 7 tcp, TCP_KEEPIDLE", keepidle, kOption},
    {"tcp.keepintvl", "Does TCP_KEEPINTVL exist?", "man 7 tcp, TCP_KEEPINTVL", keepintvl, kOption},
    {"tcp.keepcnt", "Does TCP_KEEPCNT exist?", "man 7 tcp, TCP_KEEPCNT", keepcnt, kOption},
    {"tcp.keepalive_units", "What do the keep-alive options count?", "man 7 tcp, TCP_KEEPIDLE",
     keepalive_units, "seconds on most systems, milliseconds on some"},
    {"tcp.notsent_lowat", "Does TCP_NOTSENT_LOWAT exist?",
     "kernel.org networking/ip-sysctl, tcp_notsent_lowat", notsent_lowat,
     "writable only when little is queued: flow control near the wire"},
    {"tcp.quickack", "Does TCP_QUICKACK exist?", "man 7 tcp, TCP_QUICKACK", quickack, kOption},
    {"tcp.cork", "Does TCP_CORK exist?", "man 7 tcp, TCP_CORK", cork,
     "headers and file in one segment"},
    {"tcp.nodelay_on_unix", "What does TCP_NODELAY say on a Unix socket?", "man 2 setsockopt",
     nodelay_on_unix, "a loop that sets it on every stream must not fail for it"},
    {"tcp.msg_zerocopy", "Does MSG_ZEROCOPY tell when the memory is free?",
     "kernel.org networking/msg_zerocopy", zerocopy,
     "notices arrive as errors: a loop sees ERR without a failure"},
    {"tcp.oob_mask", "What does poll report for an urgent octet?", "man 7 tcp, Out-of-band data",
     oob_mask, "readers that wake for nothing they can read"},
};

}  // namespace

extern const ProbeFile file{
    .mechanism = "TCP", .group = "B5", .facts = kFacts, .effect = Effect::traffic};

}  // namespace loopscope::probes::tcp
