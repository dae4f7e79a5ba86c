// Socket files on Windows: no loop here has Unix sockets, so there are none to look after.
#include "loops/os/socket_file.hpp"

namespace loopscope::os {

std::optional<SocketFile> socket_file_at(const std::string&) { return std::nullopt; }
Result<void> remove_socket_file(const SocketFile&) { return {}; }

}  // namespace loopscope::os
