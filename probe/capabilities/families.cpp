// Further families of sockets: what this kernel has of them, and this process may.
#include <sys/socket.h>
#include <unistd.h>

#include "probe/probe_context.hpp"

namespace loopscope::probes::families {

namespace {

FactResult made(ProbeContext& cx, std::string_view what, int family, int type, int protocol) {
  const os::UniqueFd socket(cx.call(what, ::socket(family, type | SOCK_CLOEXEC, protocol)));
  return socket ? yes() : cx.refused();
}
FactResult vsock(ProbeContext& cx) {
  return made(cx, "socket(AF_VSOCK, SOCK_STREAM)", AF_VSOCK, SOCK_STREAM, 0);
}
FactResult bluetooth(ProbeContext& cx) {
  constexpr int kHci = 1;  // BTPROTO_HCI
  return made(cx, "socket(AF_BLUETOOTH, SOCK_RAW, HCI)", AF_BLUETOOTH, SOCK_RAW, kHci);
}
FactResult packet(ProbeContext& cx) {
  return made(cx, "socket(AF_PACKET, SOCK_DGRAM)", AF_PACKET, SOCK_DGRAM, 0);
}
FactResult netlink(ProbeContext& cx) {
  return made(cx, "socket(AF_NETLINK, ROUTE)", AF_NETLINK, SOCK_RAW, 0);
}

constexpr const char* kModules = "socket(2) may load a module of the kernel, which stays";

constexpr Fact kFacts[] = {
    {"vsock", "Are there sockets between a virtual machine and its host?", "man 7 vsock", vsock,
     "agents of virtual machines", kModules, Effect::traces},
    {"bluetooth", "Are there Bluetooth sockets?", "Python documentation, socket, AF_BLUETOOTH",
     bluetooth, "sock_connect to devices", kModules, Effect::traces},
    {"packet", "May this process open packet sockets?", "man 7 packet", packet,
     "capturing what a loop really sends", kModules, Effect::traces, "CAP_NET_RAW"},
    {"netlink", "Are there netlink sockets?", "man 7 netlink", netlink,
     "noticing changes of addresses and links"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "socket families", .group = "B5", .facts = kFacts};

}  // namespace loopscope::probes::families
