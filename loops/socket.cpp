// Making sockets for callers.
#include "loops/socket.hpp"

namespace loopscope {

Result<Socket> Socket::make(AddressFamily family, SocketType type) {
  Result<os::UniqueFd> fd = os::open_socket(family, type);
  if (!fd.ok()) return fd.error();
  return Socket(std::move(fd).value());
}

}  // namespace loopscope
