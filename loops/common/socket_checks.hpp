// What sock_* refuses before anything is asked of the system, whichever way a loop waits.
#pragma once

#include "loops/common/file_transfer.hpp"
#include "loops/event_loop.hpp"

namespace loopscope {

/// errors  closed; EBADF of a socket that was closed; in debug mode invalid_argument of one that
///         blocks.
Result<void> check_socket(const EventLoop& loop, std::string_view op, const Socket& socket);
/// The same for sock_sendfile, and those of FileTransfer::make; invalid_argument unless the socket
/// is a stream.
Result<FileTransfer> check_sendfile(const EventLoop& loop, std::string_view op,
                                    const Socket& socket, const FileRange& range);

}  // namespace loopscope
