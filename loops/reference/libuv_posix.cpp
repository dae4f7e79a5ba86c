// libuv on POSIX: codes are negated errno values, file numbers are descriptors.
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "loops/reference/libuv_loop.hpp"
#include "loops/reference/libuv_system.hpp"

namespace loopscope::libuv {
namespace {
constexpr std::string_view kName = "libuv (epoll)";
}  // namespace

std::error_code code_of(int code) { return {-code, errno_category()}; }

uv_handle_type handle_type_of(os::NativeSocket fd) { return uv_guess_handle(fd); }

os::NativeSocket descriptor_of(const uv_handle_t* handle) {
  uv_os_fd_t fd = os::kInvalid;
  return uv_fileno(handle, &fd) == 0 ? fd : os::kInvalid;
}

FileNumber::FileNumber(os::NativeSocket fd) : file_(fd) {}
FileNumber::~FileNumber() = default;

unsigned fit_words(std::vector<std::string>&) { return 0; }

Result<void> ChildStreams::check(const os::SpawnRequest&) { return {}; }

/// One entry for each number up to the highest passed one; what is not passed stays closed.
ChildStreams::ChildStreams(const os::SpawnRequest& request) : streams_(3) {
  for (std::size_t i = 0; i < 3; ++i) {
    streams_[i].flags = UV_INHERIT_FD;
    streams_[i].data.fd = request.standard[i].value_or(static_cast<int>(i));
  }
  for (const int fd : request.pass) {
    const auto index = static_cast<std::size_t>(fd);
    while (streams_.size() <= index) streams_.push_back({UV_IGNORE, {}});
    streams_[index].flags = UV_INHERIT_FD;
    streams_[index].data.fd = fd;
  }
}
ChildStreams::~ChildStreams() = default;

// A Unix socket, as UV_CREATE_PIPE gives a child: reading from it tells when the child has gone,
// which libuv does not notice of the write end of a pipe.
Result<os::Pipe> open_child_input() {
  auto pair = os::open_socketpair(SocketType::stream, true);
  if (!pair.ok()) return pair.error();
  return os::Pipe{std::move(pair->first), std::move(pair->second)};
}
const bool kChildInputIsReadable = true;

Endpoint local_name(const sockaddr* address) {
  if (address->sa_family != AF_UNIX) return {};
  // A path ends at its NUL; no path is an unnamed sender.
  const auto* name = reinterpret_cast<const sockaddr_un*>(address);
  const std::size_t length = strnlen(name->sun_path, sizeof name->sun_path);
  if (length == 0) return {};
  return Endpoint::from_raw(address, offsetof(sockaddr_un, sun_path) + length + 1);
}

void open_in_advance(uv_loop_t&) {}

void describe_wait(const uv_loop_t& loop, BackendInfo& info) {
  info.mechanism = kName;
  info.wait_descriptor = uv_backend_fd(&loop);
  // The loop's eventfd and signal pipe have no accessor; their fields are part of uv.h.
  info.internal_descriptors = {info.wait_descriptor, loop.async_io_watcher.fd,
                               loop.signal_pipefd[0], loop.signal_pipefd[1]};
  if (loop.emfile_fd >= 0) info.internal_descriptors.push_back(loop.emfile_fd);
}

}  // namespace loopscope::libuv

namespace loopscope::loops {
namespace {

constexpr Absence kAbsences[] = {libuv::kNoTls, libuv::kNoSendfile, libuv::kNoSockSendfile};
constexpr std::string_view kWaitCalls[] = {"epoll_wait", "epoll_pwait"};

constexpr LoopDescriptor on_posix() {
  LoopDescriptor row = libuv::row(&libuv::LibuvLoop::make);
  row.mechanism = libuv::kName;
  row.absences = kAbsences;
  row.wait_calls = kWaitCalls;
  row.wait_descriptor_kind = "anon_inode:[eventpoll]";
  return row;
}

}  // namespace

extern const LoopDescriptor libuv_loop = on_posix();
}  // namespace loopscope::loops
