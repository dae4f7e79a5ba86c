// The checks of sock_*.
#include "loops/common/socket_checks.hpp"

#include <cerrno>

namespace loopscope {

Result<void> check_socket(const EventLoop& loop, std::string_view op, const Socket& socket) {
  if (loop.is_closed()) return make_error(Errc::closed, op);
  if (!socket) return errno_error_of(EBADF, op, "the socket is closed");
  if (!loop.get_debug()) return {};
  const Result<bool> blocking = os::is_blocking(socket.native());
  if (!blocking.ok()) return blocking.error();
  if (*blocking) return make_error(Errc::invalid_argument, op, "the socket must be non-blocking");
  return {};
}

Result<FileTransfer> check_sendfile(const EventLoop& loop, std::string_view op,
                                    const Socket& socket, const FileRange& range) {
  if (const Result<void> may = check_socket(loop, op, socket); !may.ok()) return may.error();
  const Result<SocketType> type = os::type_of(socket.native());
  if (!type.ok()) return type.error();
  if (*type != SocketType::stream) {
    return make_error(Errc::invalid_argument, op, "a stream socket was expected");
  }
  return FileTransfer::make(op, range);
}

}  // namespace loopscope
