// Interfaces over getifaddrs.
#include "harness/tools/interfaces.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

#include "loops/base/error.hpp"

namespace loopscope::tools {

std::optional<Endpoint> link_local_address() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) throw Failure(errno_error("getifaddrs"));
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(first, ::freeifaddrs);
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET6) continue;
    sockaddr_in6 address{};
    std::memcpy(&address, each->ifa_addr, sizeof address);
    const bool up = (each->ifa_flags & IFF_UP) != 0;
    if (up && IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) {
      return Endpoint::from_raw(&address, sizeof address);
    }
  }
  return std::nullopt;
}

}  // namespace loopscope::tools
