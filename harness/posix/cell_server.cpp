// Forking cells on POSIX: requests and descriptors come over a socket, ends are told over it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <string_view>

#include "harness/cell_channel.hpp"
#include "harness/host.hpp"
#include "harness/posix/fork_server.hpp"
#include "harness/posix/spawn_closing.hpp"
#include "harness/posix/spawn_words.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/posix/close_on_exec.hpp"

extern char** environ;

namespace loopscope {
namespace {

constexpr int kSocket = 3;  // of the server
constexpr std::size_t kCellDescriptors = 3;
constexpr int kPacketRoom = 64 * 1024;
constexpr char kEnded = 'e', kReap = 'r';

// /proc/<pid>/environ shows the memory that the process was started with, whatever setenv(3) does
// later. So the server is started with as much room as a cell's mark needs, and each cell writes
// its own there: a process that a cell forks is known by it.
constexpr std::string_view kMark = "LOOPSCOPE_CELL_ID=", kNoMark = "LOOPSCOPE_NO_CELL=";
static_assert(kMark.size() == kNoMark.size());
constexpr std::size_t kMarkSize = 32;

struct SpawnActions {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  SpawnActions() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnActions() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
};

#if defined(POSIX_SPAWN_SETSID)
constexpr int kNewSession = POSIX_SPAWN_SETSID;
#else  // the cells make sessions of their own in any case
constexpr int kNewSession = 0;
#endif

/// Like a fresh login: default dispositions, nothing blocked, a session of its own.
void set_attributes(SpawnActions& actions, short more_flags) {
  sigset_t set;
  sigfillset(&set);
  ::posix_spawnattr_setsigdefault(&actions.attributes, &set);
  sigemptyset(&set);
  ::posix_spawnattr_setsigmask(&actions.attributes, &set);
  ::posix_spawnattr_setflags(&actions.attributes,
                             static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                kNewSession | more_flags));
}

/// An input at its end: /dev/null, or a pipe without a writer where there are no devices.
os::UniqueFd empty_input() {
  os::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (null) return null;
  Result<os::Pipe> pipe = os::open_pipe();
  return pipe.ok() ? std::move(pipe->read) : os::UniqueFd();
}

// --- messages: one packet each

/// Darwin has no SOCK_SEQPACKET, and small datagrams unless it is asked for more.
bool open_packet_pair(int ends[2]) {
  if (os::own_socketpair(SOCK_SEQPACKET, true, ends) == 0) return true;
  if (errno != EPROTONOSUPPORT && errno != EPROTOTYPE && errno != ESOCKTNOSUPPORT) return false;
  if (os::own_socketpair(SOCK_DGRAM, true, ends) != 0) return false;
  for (int end = 0; end < 2; ++end) {
    (void)os::set_buffer_sizes(ends[end], kPacketRoom, kPacketRoom);
  }
  return true;
}

union Control {  // aligned as the kernel wants it
  char bytes[CMSG_SPACE(kCellDescriptors * sizeof(int))];
  cmsghdr header;
};

ssize_t send_packet(int socket, std::string_view text, const int* descriptors = nullptr) {
  iovec piece{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  Control control{};
  if (descriptors != nullptr) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(kCellDescriptors * sizeof(int));
    std::memcpy(CMSG_DATA(&control.header), descriptors, kCellDescriptors * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(socket, &message, os::kNoSignal);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

/// Nothing at the end and after an error.
std::optional<std::string> receive_packet(int socket, int* descriptors = nullptr) {
  char text[8 * 1024];
  iovec piece{.iov_base = text, .iov_len = sizeof text};
  Control control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  ssize_t size;
  do {
    size = ::recvmsg(socket, &message, os::kCloseReceived);
  } while (size < 0 && errno == EINTR);
  if (size <= 0 || (message.msg_flags & MSG_TRUNC) != 0) return std::nullopt;
  if (descriptors != nullptr) {
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_len != CMSG_LEN(kCellDescriptors * sizeof(int))) {
      return std::nullopt;
    }
    std::memcpy(descriptors, CMSG_DATA(header), kCellDescriptors * sizeof(int));
  }
  return std::string(text, static_cast<std::size_t>(size));
}

/// A number as a packet: a pid, a status, or minus an errno.
void send_number(int socket, int number) {
  (void)send_packet(socket, {reinterpret_cast<const char*>(&number), sizeof number});
}

std::optional<int> receive_number(int socket) {
  const std::optional<std::string> packet = receive_packet(socket);
  int number = 0;
  if (!packet || packet->size() != sizeof number) return std::nullopt;
  std::memcpy(&number, packet->data(), sizeof number);
  return number;
}

// --- the cell's beginning, in the forked process

/// Directory, mark, environment, an empty text, arguments; each ends in a zero.
std::string packed(const ChildCommand& command) {
  std::string text = command.directory + '\0';
  for (const auto& [key, value] : command.environment) text += key + '=' + value + '\0';
  text += '\0';
  for (const std::string& word : command.arguments) text += word + '\0';
  return text + "--report-fd" + '\0' + std::to_string(cell::kReportFd) + '\0';
}

std::vector<std::string> unpacked(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

void set_variable(const std::string& entry) {
  const bool fits = entry.size() <= kMark.size() + kMarkSize;
  if (fits && entry.compare(0, kMark.size(), kMark) == 0) {
    for (char** place = environ; *place != nullptr; ++place) {
      if (std::string_view(*place).substr(0, kNoMark.size()) != kNoMark) continue;
      std::memcpy(*place, entry.c_str(), entry.size() + 1);
      return;
    }
  }
  const std::size_t sign = entry.find('=');
  (void)::setenv(entry.substr(0, sign).c_str(), entry.c_str() + sign + 1, 1);
}

std::vector<std::string> begin_cell(const std::vector<std::string>& request,
                                    const std::array<int, kCellDescriptors>& descriptors,
                                    long server_pid) {
  constexpr int kTargets[] = {STDOUT_FILENO, STDERR_FILENO, cell::kReportFd};
  if (!host::die_with_parent(server_pid)) host::leave_now(0);
  (void)::setsid();
  // The last of them takes the place of the server's socket.
  for (std::size_t i = 0; i < kCellDescriptors; ++i) {
    (void)::dup2(descriptors[i], kTargets[i]);
    (void)::close(descriptors[i]);
  }
  auto part = request.begin();
  if (!part->empty()) (void)!::chdir(part->c_str());
  for (++part; !part->empty(); ++part) set_variable(*part);
  return {part + 1, request.end()};
}

// A static executable sorts the unwinding tables of all its code at its first throw, which takes an
// emulated processor a good part of a cell's time. Done before the fork, it is done for all cells.
void throw_once() {
  try {
    throw 0;
  } catch (int) {
  }
}

}  // namespace

std::optional<std::vector<std::string>> serve_cells(int socket, long runner_pid) {
  if (!host::die_with_parent(runner_pid)) return std::nullopt;
  const long server_pid = host::process_id();
  throw_once();
  while (true) {
    std::array<int, kCellDescriptors> descriptors{};
    const auto text = receive_packet(socket, descriptors.data());
    if (!text) return std::nullopt;
    const std::vector<std::string> request = unpacked(*text);
    const pid_t pid = ::fork();
    if (pid == 0) return begin_cell(request, descriptors, server_pid);
    const int number = pid < 0 ? -errno : static_cast<int>(pid);
    for (const int fd : descriptors) (void)::close(fd);
    send_number(socket, number);
    if (pid < 0) continue;
    // WNOWAIT: as a zombie it keeps its number, so that the kill of its group cannot hit others.
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) < 0 &&
           errno == EINTR) {
    }
    (void)send_packet(socket, {&kEnded, 1});
    if (!receive_packet(socket)) return std::nullopt;
    int status = 0;
    (void)::waitpid(pid, &status, 0);
    send_number(socket, status);
  }
}

std::shared_mutex& copied_descriptors() {
  static std::shared_mutex mutex;
  return mutex;
}

Result<std::unique_ptr<CellServer>> CellServer::start(const std::string& executable) {
  const std::lock_guard lock(copied_descriptors());
  int ends[2];
  if (!open_packet_pair(ends)) return errno_error("socketpair");
  os::UniqueFd ours(ends[0]), theirs(ends[1]);
  SpawnActions actions;
  const os::UniqueFd input = empty_input();
  if (!input) return errno_error("open", "an empty standard input");
  ::posix_spawn_file_actions_adddup2(&actions.files, input.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions.files, theirs.get(), kSocket);
  // Whoever started us may have left descriptors open; a cell counts from a known number on.
  set_attributes(actions, close_from(actions.files, kSocket + 1));
  std::vector<std::string> arguments{executable,     "serve-cells",
                                     "--socket",     std::to_string(kSocket),
                                     "--parent-pid", std::to_string(host::process_id())};
  std::vector<std::string> environment = environment_with(
      {{std::string(kNoMark.substr(0, kNoMark.size() - 1)), std::string(kMarkSize, '0')}});
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, executable.c_str(), &actions.files, &actions.attributes,
                                  pointers(arguments).data(), pointers(environment).data());
  if (error != 0) return errno_error_of(error, "posix_spawn", executable);
  return std::unique_ptr<CellServer>(std::make_unique<ForkServer>(std::move(ours), pid));
}

ForkServer::~ForkServer() {
  (void)::kill(static_cast<pid_t>(pid_), SIGKILL);  // it has nothing to take down
  while (::waitpid(static_cast<pid_t>(pid_), nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<long> ForkServer::begin(const ChildCommand& command, int out, int err, int report) {
  ended_ = false;
  const int descriptors[kCellDescriptors] = {out, err, report};
  if (send_packet(socket_.get(), packed(command), descriptors) < 0) {
    gone_ = errno == EPIPE;
    return errno_error("sendmsg", "to the server of cells");
  }
  const std::optional<int> number = receive_number(socket_.get());
  gone_ = !number;
  if (gone_) return errno_error_of(EPIPE, "recvmsg", "from the server of cells");
  if (*number < 0) return errno_error_of(-*number, "fork");
  return *number;
}

bool ForkServer::ended() {
  pollfd slot{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  if (!ended_ && !gone_ && ::poll(&slot, 1, 0) == 1) {
    (receive_packet(socket_.get()) ? ended_ : gone_) = true;
  }
  return ended_ || gone_;
}

int ForkServer::reap() {
  if (!ended_ && !gone_) (receive_packet(socket_.get()) ? ended_ : gone_) = true;
  if (!gone_) {
    (void)send_packet(socket_.get(), {&kReap, 1});
    if (const std::optional<int> status = receive_number(socket_.get())) return *status;
    gone_ = true;
  }
  return SIGKILL;  // What a cell dies of when its server does.
}

}  // namespace loopscope
