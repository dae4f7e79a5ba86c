// Calls that make descriptors, close-on-exec ones: at once where the system can, else right after,
// where a child that another thread starts in between inherits them.
#pragma once

#include <sys/socket.h>

#include <string_view>

namespace loopscope::os {

// All return what the call of the same name does: a descriptor or 0, or -1 with errno.
int own_socket(int family, int type, bool blocking);
int own_socketpair(int type, bool blocking, int fds[2]);  // AF_UNIX
/// The new socket is non-blocking.
int own_accept(int fd, sockaddr* address, socklen_t* size);
int own_pipe(int fds[2]);  // blocking

/// What the last two are called in an error.
extern const std::string_view kAcceptCall, kPipeCall;

/// Flag of send(2) by which a broken connection is an error and no signal. Without it, sockets have
/// the option of that kind from their birth.
#if defined(MSG_NOSIGNAL)
inline constexpr int kNoSignal = MSG_NOSIGNAL;
#else
inline constexpr int kNoSignal = 0;
#endif

/// Flag of recvmsg(2) by which received descriptors are close-on-exec.
#if defined(MSG_CMSG_CLOEXEC)
inline constexpr int kCloseReceived = MSG_CMSG_CLOEXEC;
#else
inline constexpr int kCloseReceived = 0;
#endif

}  // namespace loopscope::os
