// Unix datagrams: by calls that every platform has, for the answer is asked for on all of them.
#include <array>

#include "loops/os/net.hpp"
#include "probe/probe_context.hpp"

namespace loopscope::probes::unix_datagrams {

namespace {

FactResult carried(ProbeContext& cx) {
  const auto failed = [&](const char* call, const Error& error) {
    cx.note(call, to_string(error), error.code.value());
    return no(reason_of_errno(error.code.value()));
  };
  auto receiver = os::open_socket(AddressFamily::unix_domain, SocketType::datagram);
  if (!receiver.ok()) return failed("socket(AF_UNIX, SOCK_DGRAM)", receiver.error());
  auto sender = os::open_socket(AddressFamily::unix_domain, SocketType::datagram);
  if (!sender.ok()) return failed("socket(AF_UNIX, SOCK_DGRAM)", sender.error());
  if (cx.temp_dir().empty()) return null(Reason::failed, "there is no folder for a name");
  const Result<Endpoint> name = Endpoint::unix_path(cx.temp_path("receiver"));
  if (!name.ok()) return null(Reason::failed, to_string(name.error()));
  if (const auto bound = os::bind(receiver->get(), *name); !bound.ok()) {
    return failed("bind(a path)", bound.error());
  }
  const auto sent = os::sendto(sender->get(), std::as_bytes(std::span("x", 1)), &*name);
  if (!sent.ok()) return failed("sendto(the path)", sent.error());
  std::array<std::byte, 8> buffer{};
  Endpoint from;
  const auto got = os::recvfrom(receiver->get(), buffer, from);
  if (!got.ok()) return failed("recvfrom", got.error());
  cx.note("octets of the datagram", *got ? std::to_string(**got) : "none");
  return *got && **got == 1 ? yes() : no(Reason::failed, "it did not come");
}

constexpr Fact kFacts[] = {
    {"unix.dgram", "Is a datagram carried from one Unix socket to another?",
     "man 7 unix, SOCK_DGRAM", carried, "Windows has Unix sockets for streams only"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "Unix datagrams", .group = "B5", .facts = kFacts};

}  // namespace loopscope::probes::unix_datagrams
