// Descriptor tools over fcntl, ioctl, poll, getsockopt and termios.
#include "harness/tools/descriptor_tools.hpp"

#include <fcntl.h>
#include <malloc.h>
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
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "harness/peer.hpp"
#include "loops/base/error.hpp"

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

std::size_t set_pipe_capacity(os::NativeSocket fd, std::size_t size_bytes) {
  const int given = ::fcntl(fd, F_SETPIPE_SZ, static_cast<int>(size_bytes));
  if (given < 0) throw Failure(errno_error("fcntl(F_SETPIPE_SZ)"));
  return static_cast<std::size_t>(given);
}

void hang_up(os::NativeSocket fd) {
  (void)::shutdown(fd, SHUT_RDWR);  // Refused where it has ended by itself.
}

void send_urgent(os::NativeSocket fd, char byte) {
  if (::send(fd, &byte, 1, MSG_OOB | MSG_NOSIGNAL) != 1)
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

void enable_error_queue(os::NativeSocket fd) {
  const int on = 1;
  if (::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) != 0) {
    throw Failure(errno_error("setsockopt(IP_RECVERR)"));
  }
}

std::pair<os::UniqueFd, os::UniqueFd> seqpacket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
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
  if (::sendmsg(over, &message, MSG_NOSIGNAL) != 1) throw Failure(errno_error("sendmsg"));
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
  (void)::recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
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

std::size_t available_memory() {
  std::ifstream lines("/proc/meminfo");
  for (std::string name, unit; lines >> name;) {
    std::size_t kibibytes = 0;
    lines >> kibibytes;
    std::getline(lines, unit);
    if (name == "MemAvailable:") return kibibytes * 1024;
  }
  return 0;
}

ZeroPages::ZeroPages(std::size_t size) {
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw Failure(errno_error("mmap"));
  bytes_ = ByteView(static_cast<const std::byte*>(at), size);
}
ZeroPages::~ZeroPages() { ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

std::size_t heap_in_use() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

namespace {

/// Whether /proc/self/task/<id>/stat tells of a thread that runs code of the process. The kernel
/// wakes who joins a thread before it takes the thread off the list; meanwhile the flags, the
/// ninth field, say PF_EXITING. The workers of an io_uring are listed too, and run only the
/// kernel's code.
bool is_alive(const std::filesystem::path& thread) {
  constexpr unsigned long kExiting = 0x4;    // PF_EXITING of the kernel's include/linux/sched.h.
  constexpr unsigned long kIoWorker = 0x10;  // PF_IO_WORKER
  std::ifstream file(thread / "stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  // The name, in parentheses, may hold anything; state, ppid, pgrp, session, tty_nr and tpgid
  // follow it.
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 0; field < 6; ++field) fields >> skipped;
  unsigned long flags = 0;
  fields >> flags;
  return (flags & (kExiting | kIoWorker)) == 0;
}

}  // namespace

std::size_t thread_count() {
  std::error_code error;
  const std::filesystem::directory_iterator threads("/proc/self/task", error);
  if (error) {
    throw HostLacks(make_error(Errc::not_supported, "threads of this process",
                               "/proc/self/task cannot be read"));
  }
  return static_cast<std::size_t>(std::count_if(
      begin(threads), end(threads), [](const auto& entry) { return is_alive(entry.path()); }));
}

}  // namespace loopscope::tools
