// Descriptor tools over fcntl, ioctl, poll, getsockopt and termios.
#include "harness/tools/descriptor_tools.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "loops/base/error.hpp"
#include "loops/os/posix/close_on_exec.hpp"

namespace loopscope::tools {
namespace {

os::UniqueFd checked(int fd, std::string_view op, const std::string& path) {
  if (fd < 0) throw Failure(errno_error(op, path));
  return os::UniqueFd(fd);
}

int option_of(SocketFlag flag) {
  switch (flag) {
    case SocketFlag::broadcast:
      return SO_BROADCAST;
    case SocketFlag::reuse_address:
      return SO_REUSEADDR;
    case SocketFlag::reuse_port:
      return SO_REUSEPORT;
    case SocketFlag::keep_alive:
      return SO_KEEPALIVE;
    case SocketFlag::no_delay:
      return TCP_NODELAY;
  }
  return SO_BROADCAST;
}
int level_of(SocketFlag flag) {
  return flag == SocketFlag::no_delay ? int{IPPROTO_TCP} : SOL_SOCKET;
}

termios modes_of(os::NativeSocket fd) {
  termios modes{};
  if (::tcgetattr(fd, &modes) != 0) throw Failure(errno_error("tcgetattr"));
  return modes;
}

}  // namespace

os::UniqueFd open_path(const std::string& path, Access access) {
  const int direction = access == Access::read ? O_RDONLY : O_WRONLY;
  return checked(::open(path.c_str(), direction | O_NONBLOCK | O_CLOEXEC), "open", path);
}

os::UniqueFd create_file(const std::string& path, const std::string& content) {
  constexpr mode_t kPrivate = 0600;
  os::UniqueFd file =
      checked(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivate), "open", path);
  if (::pwrite(file.get(), content.data(), content.size(), 0) !=
      static_cast<ssize_t>(content.size())) {
    throw Failure(errno_error("pwrite", path));
  }
  return file;
}

os::UniqueFd open_directory(const std::string& path) {
  return checked(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open", path);
}

bool readable(os::NativeSocket fd) {
  pollfd slot{fd, POLLIN, 0};
  return ::poll(&slot, 1, 0) == 1;
}

bool writable(os::NativeSocket fd) {
  pollfd slot{fd, POLLOUT, 0};
  return ::poll(&slot, 1, 0) == 1;
}

std::size_t bytes_waiting(os::NativeSocket fd) {
  int waiting = 0;
  if (::ioctl(fd, FIONREAD, &waiting) != 0) throw Failure(errno_error("ioctl(FIONREAD)"));
  return static_cast<std::size_t>(waiting);
}

bool is_open(os::NativeSocket fd) { return ::fcntl(fd, F_GETFD) != -1; }

std::string identity(os::NativeSocket fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return "closed";
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

void hang_up(os::NativeSocket fd) {
  (void)::shutdown(fd, SHUT_RDWR);  // Refused where it has ended by itself.
}

void send_urgent(os::NativeSocket fd, char byte) {
  if (::send(fd, &byte, 1, MSG_OOB | os::kNoSignal) != 1)
    throw Failure(errno_error("send(MSG_OOB)"));
}

bool socket_flag(os::NativeSocket fd, SocketFlag flag) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, level_of(flag), option_of(flag), &value, &size) != 0) {
    throw Failure(errno_error("getsockopt"));
  }
  return value != 0;
}

void set_socket_flag(os::NativeSocket fd, SocketFlag flag, bool on) {
  const int value = on ? 1 : 0;
  if (::setsockopt(fd, level_of(flag), option_of(flag), &value, sizeof value) != 0) {
    throw Failure(errno_error("setsockopt"));
  }
}

std::pair<os::UniqueFd, os::UniqueFd> seqpacket_pair() {
  int fds[2];
  if (os::own_socketpair(SOCK_SEQPACKET, false, fds) != 0) {
    throw Failure(errno_error("socketpair(SOCK_SEQPACKET)"));
  }
  return {os::UniqueFd(fds[0]), os::UniqueFd(fds[1])};
}

void send_descriptor(os::NativeSocket over, os::NativeSocket sent) {
  char byte = 'd';
  iovec piece{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &sent, sizeof(int));
  if (::sendmsg(over, &message, os::kNoSignal) != 1) throw Failure(errno_error("sendmsg"));
}

void peek_descriptors(os::NativeSocket fd) {
  char byte = 0;
  iovec piece{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  (void)::recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | os::kCloseReceived);
}

std::string terminal_modes(os::NativeSocket fd) {
  const termios modes = modes_of(fd);
  return "input " + std::to_string(modes.c_iflag) + " output " + std::to_string(modes.c_oflag) +
         " control " + std::to_string(modes.c_cflag) + " local " + std::to_string(modes.c_lflag);
}

void make_terminal_raw(os::NativeSocket fd) {
  termios modes = modes_of(fd);
  ::cfmakeraw(&modes);
  if (::tcsetattr(fd, TCSANOW, &modes) != 0) throw Failure(errno_error("tcsetattr"));
}

namespace {
#if defined(MAP_NORESERVE)
constexpr int kUnreserved = MAP_NORESERVE;
#else  // where nothing is reserved for pages that are only read
constexpr int kUnreserved = 0;
#endif
}  // namespace

ZeroPages::ZeroPages(std::size_t size) {
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | kUnreserved, -1, 0);
  if (at == MAP_FAILED) throw Failure(errno_error("mmap"));
#if defined(MADV_HUGEPAGE)
  (void)::madvise(at, size, MADV_HUGEPAGE);  // A fault for each small page takes seconds.
#endif
  bytes_ = ByteView(static_cast<const std::byte*>(at), size);
}
ZeroPages::~ZeroPages() { ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

}  // namespace loopscope::tools
