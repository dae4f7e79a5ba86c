// What differs between libuv on POSIX and on Windows: libuv_posix.cpp and libuv_windows.cpp.
#pragma once

#include <uv.h>

#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "loops/descriptor.hpp"
#include "loops/event_loop.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/spawn.hpp"

namespace loopscope::libuv {

/// One of libuv's codes (negative) as the errno value that it stands for; one that stands for none
/// keeps its number.
std::error_code code_of(int code);

/// What a transport over this descriptor has to be; UV_UNKNOWN_HANDLE for what can be none.
uv_handle_type handle_type_of(os::NativeSocket fd);
/// The descriptor of a handle; kInvalid while it has none.
os::NativeSocket descriptor_of(const uv_handle_t* handle);

/// A descriptor as the file number that uv_pipe_open and uv_tty_init take. What was not handed over
/// in the end is given back.
///
/// On Windows the number is the C library's and stands for a second handle of the same thing.
class FileNumber {
 public:
  explicit FileNumber(os::NativeSocket fd);
  ~FileNumber();
  FileNumber(const FileNumber&) = delete;
  FileNumber& operator=(const FileNumber&) = delete;
  uv_file get() const { return file_; }  // negative: there is none
  /// It is libuv's now.
  void release() { kept_ = false; }

 private:
  uv_file file_ = -1;
  bool kept_ = false;
};

/// The flags of uv_spawn for these words, which are changed where libuv has to hand them on as they
/// stand: those of a shell.
unsigned fit_words(std::vector<std::string>& argv);

/// The streams of a child as uv_spawn takes them; what was opened for it is closed with this.
class ChildStreams {
 public:
  /// errors  not_supported: descriptors beyond the third, where the system cannot pass them.
  static Result<void> check(const os::SpawnRequest& request);
  explicit ChildStreams(const os::SpawnRequest& request);
  ~ChildStreams();
  ChildStreams(const ChildStreams&) = delete;
  ChildStreams& operator=(const ChildStreams&) = delete;
  std::span<uv_stdio_container_t> all() { return streams_; }

 private:
  std::vector<uv_stdio_container_t> streams_;
  std::vector<uv_file> opened_;
};

/// What a child's input comes through, and whether our end can be read from as well: its end then
/// tells that the child has gone.
Result<os::Pipe> open_child_input();
extern const bool kChildInputIsReadable;

/// The name of a socket that is no IP socket, as libuv passes it: without its size.
Endpoint local_name(const sockaddr* address);

/// Makes what a loop would open with the first descriptor that it watches, where that can be
/// counted. Of a loop that has no handles yet.
void open_in_advance(uv_loop_t& loop);

/// The mechanism, the queue on which uv_run waits, and what else a loop opens for itself.
void describe_wait(const uv_loop_t& loop, BackendInfo& info);

/// The row of libuv but for what a system makes different.
constexpr LoopDescriptor row(Result<std::unique_ptr<EventLoop>> (*make)(const LoopOptions&)) {
  return {.name = "libuv",
          .family = Family::reference,
          .native = {Cap::call_later, Cap::add_reader, Cap::add_writer, Cap::run_in_executor,
                     Cap::getaddrinfo, Cap::create_connection, Cap::create_server,
                     Cap::unix_sockets, Cap::create_datagram_endpoint, Cap::pipes, Cap::signals,
                     Cap::native_socket, Cap::subprocess},
          .emulated = {Cap::call_soon, Cap::call_soon_threadsafe, Cap::exception_handler,
                       Cap::debug_mode, Cap::futures, Cap::sock_stream, Cap::sock_datagram,
                       Cap::flow_control},
          .clock_resolution = std::chrono::milliseconds(1),
          .make = make};
}
inline constexpr Absence kNoTls{Cap::start_tls, "libuv has no TLS"};
inline constexpr Absence kNoSendfile{
    Cap::sendfile, "uv_fs_sendfile keeps a thread of the pool until the peer has read"};
inline constexpr Absence kNoSockSendfile{Cap::sock_sendfile, kNoSendfile.why};

}  // namespace loopscope::libuv
