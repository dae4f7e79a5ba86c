// libuv on Windows: codes of its own, handles where POSIX has descriptors, numbers of the C library
// for pipes and consoles, and one I/O completion port for all of it.
//
// libuv's own behaviour that scenarios meet, and that is left as it is:
//   uv_poll   polls through AFD, for sockets alone: pipes and consoles have no readiness.
//   uv_pipe   is a named pipe; Unix sockets it has none.
//   signals   SIGINT, SIGBREAK and SIGHUP of the console, SIGWINCH; a process is only ever ended.
// Source: docs.libuv.org, uv_poll_t, uv_pipe_t, uv_signal_t; 1.50.
#include <io.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "loops/os/windows/shell.hpp"
#include "loops/os/windows/telling_pipe.hpp"
#include "loops/os/windows/winsock.hpp"
#include "loops/reference/libuv_loop.hpp"
#include "loops/reference/libuv_system.hpp"

namespace loopscope::libuv {
namespace {

constexpr std::string_view kName = "libuv (IOCP, AFD)";

struct Pair {
  int uv, number;
};
constexpr Pair kCodes[] = {
    {UV_E2BIG, E2BIG},
    {UV_EACCES, EACCES},
    {UV_EADDRINUSE, EADDRINUSE},
    {UV_EADDRNOTAVAIL, EADDRNOTAVAIL},
    {UV_EAFNOSUPPORT, EAFNOSUPPORT},
    {UV_EAGAIN, EAGAIN},
    {UV_EALREADY, EALREADY},
    {UV_EBADF, EBADF},
    {UV_EBUSY, EBUSY},
    {UV_ECANCELED, ECANCELED},
    {UV_ECONNABORTED, ECONNABORTED},
    {UV_ECONNREFUSED, ECONNREFUSED},
    {UV_ECONNRESET, ECONNRESET},
    {UV_EDESTADDRREQ, EDESTADDRREQ},
    {UV_EEXIST, EEXIST},
    {UV_EFAULT, EFAULT},
    {UV_EFBIG, EFBIG},
    {UV_EHOSTUNREACH, EHOSTUNREACH},
    {UV_EINTR, EINTR},
    {UV_EINVAL, EINVAL},
    {UV_EIO, EIO},
    {UV_EISCONN, EISCONN},
    {UV_EISDIR, EISDIR},
    {UV_ELOOP, ELOOP},
    {UV_EMFILE, EMFILE},
    {UV_EMSGSIZE, EMSGSIZE},
    {UV_ENAMETOOLONG, ENAMETOOLONG},
    {UV_ENETDOWN, ENETDOWN},
    {UV_ENETUNREACH, ENETUNREACH},
    {UV_ENFILE, ENFILE},
    {UV_ENOBUFS, ENOBUFS},
    {UV_ENODEV, ENODEV},
    {UV_ENOENT, ENOENT},
    {UV_ENOEXEC, ENOEXEC},
    {UV_ENOMEM, ENOMEM},
    {UV_ENOPROTOOPT, ENOPROTOOPT},
    {UV_ENOSPC, ENOSPC},
    {UV_ENOSYS, ENOSYS},
    {UV_ENOTCONN, ENOTCONN},
    {UV_ENOTDIR, ENOTDIR},
    {UV_ENOTEMPTY, ENOTEMPTY},
    {UV_ENOTSOCK, ENOTSOCK},
    {UV_ENOTSUP, ENOTSUP},
    {UV_ENXIO, ENXIO},
    {UV_EPERM, EPERM},
    {UV_EPIPE, EPIPE},
    {UV_EPROTO, EPROTO},
    {UV_EPROTONOSUPPORT, EPROTONOSUPPORT},
    {UV_EPROTOTYPE, EPROTOTYPE},
    {UV_ERANGE, ERANGE},
    {UV_EROFS, EROFS},
    {UV_ESHUTDOWN, EPIPE},  // sending after a shutdown of one's own, which POSIX calls so
    {UV_ESPIPE, ESPIPE},
    {UV_ESRCH, ESRCH},
    {UV_ETIMEDOUT, ETIMEDOUT},
    {UV_ETXTBSY, ETXTBSY},
    {UV_EXDEV, EXDEV},
};

/// A number of the C library for a second handle; negative where there can be none.
uv_file second_number(os::NativeSocket fd) {
  Result<os::UniqueFd> copy = os::duplicate(fd);
  if (!copy.ok()) return -1;
  const int number = ::_open_osfhandle(static_cast<std::intptr_t>(copy->get()), 0);
  if (number >= 0) (void)copy->release();  // the number's, which closes it
  return number;
}

}  // namespace

std::error_code code_of(int code) {
  const auto* found = std::find_if(std::begin(kCodes), std::end(kCodes),
                                   [code](const Pair& row) { return row.uv == code; });
  if (found == std::end(kCodes)) return {code, errno_category()};
  return {found->number, errno_category()};
}

uv_handle_type handle_type_of(os::NativeSocket fd) {
  const Result<os::FdKind> kind = os::kind_of(fd);
  if (!kind.ok()) return UV_UNKNOWN_HANDLE;
  switch (*kind) {
    case os::FdKind::socket:
      return UV_TCP;
    case os::FdKind::pipe:
      return UV_NAMED_PIPE;
    case os::FdKind::terminal:
      return UV_TTY;
    default:
      return UV_UNKNOWN_HANDLE;
  }
}

os::NativeSocket descriptor_of(const uv_handle_t* handle) {
  uv_os_fd_t fd = INVALID_HANDLE_VALUE;
  return uv_fileno(handle, &fd) == 0 ? os::checked_native(fd) : os::kInvalid;
}

FileNumber::FileNumber(os::NativeSocket fd) : file_(second_number(fd)), kept_(file_ >= 0) {}
FileNumber::~FileNumber() {
  if (kept_) (void)::_close(file_);
}

unsigned fit_words(std::vector<std::string>& argv) {
  if (!os::is_for_shell(argv)) return 0;
  argv.front() = '"' + argv.front() + '"';
  argv.back() = '"' + argv.back() + '"';
  return UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS;
}

Result<void> ChildStreams::check(const os::SpawnRequest& request) {
  if (request.pass.empty()) return {};
  return make_error(Errc::not_supported, "uv_spawn", "Windows passes three handles to a child");
}

ChildStreams::ChildStreams(const os::SpawnRequest& request) : streams_(3) {
  for (unsigned i = 0; i < 3; ++i) {
    const os::NativeSocket fd = request.standard[i].value_or(os::standard_stream(i));
    const uv_file number = fd == os::kInvalid ? -1 : second_number(fd);
    if (number < 0) continue;  // zero: UV_IGNORE
    opened_.push_back(number);
    streams_[i].flags = UV_INHERIT_FD;
    streams_[i].data.fd = number;
  }
}
ChildStreams::~ChildStreams() {
  for (const uv_file number : opened_) (void)::_close(number);
}

// As UV_CREATE_PIPE makes it: libuv does not notice of a stream that is only written to that its
// reader has gone.
Result<os::Pipe> open_child_input() { return os::open_telling_pipe(); }
const bool kChildInputIsReadable = true;

Endpoint local_name(const sockaddr*) { return {}; }

/// uv_poll asks through a socket of the loop's own, one for each protocol, made by the first use.
void open_in_advance(uv_loop_t& loop) {
  for (const AddressFamily family : {AddressFamily::ipv4, AddressFamily::ipv6}) {
    const Result<os::UniqueFd> any = os::open_socket(family, SocketType::stream);
    if (!any.ok()) continue;  // Nobody here will watch one.
    uv_poll_t poll;
    if (uv_poll_init_socket(&loop, &poll, static_cast<uv_os_sock_t>(any->get())) != 0) continue;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll), nullptr);
    uv_run(&loop, UV_RUN_NOWAIT);  // Lets go of the handle.
  }
}

void describe_wait(const uv_loop_t& loop, BackendInfo& info) {
  info.mechanism = kName;
  info.wait_descriptor = os::checked_native(loop.iocp);
  info.internal_descriptors = {info.wait_descriptor};
  // They have no accessor; their field is part of uv.h.
  for (const SOCKET asking : loop.poll_peer_sockets) {
    if (asking != 0 && asking != INVALID_SOCKET) {
      info.internal_descriptors.push_back(static_cast<os::NativeSocket>(asking));
    }
  }
}

}  // namespace loopscope::libuv

namespace loopscope::loops {
namespace {

constexpr Absence kAbsences[] = {
    libuv::kNoTls,
    libuv::kNoSendfile,
    libuv::kNoSockSendfile,
    {Cap::unix_sockets, "uv_pipe_t is a named pipe on Windows, and no Unix socket"},
};

constexpr LoopDescriptor on_windows() {
  LoopDescriptor row = libuv::row(&libuv::LibuvLoop::make);
  row.mechanism = libuv::kName;
  row.native = row.native.without({Cap::unix_sockets});
  row.absences = kAbsences;
  return row;
}

}  // namespace

extern const LoopDescriptor libuv_loop = on_windows();
}  // namespace loopscope::loops
