// Descriptor tools: what scenarios need of the platform beside loops/os, behind plain functions.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "loops/base/bytes.hpp"
#include "loops/os/fd.hpp"

namespace loopscope::tools {

// All throw Failure where the system refuses: that is the host's trouble, not the subject's.

enum class Access { read, write };
/// Opens an existing path without waiting for anybody; a FIFO's write end needs a reader.
os::UniqueFd open_path(const std::string& path, Access access);
/// Creates a regular file that holds `content` and opens it for reading and writing.
os::UniqueFd create_file(const std::string& path, const std::string& content);
os::UniqueFd open_directory(const std::string& path);

/// True when a read would not block now: data, an end or an error.
bool readable(os::NativeSocket fd);
/// True when the system would take a byte now. False for pipes of Windows, which do not tell.
bool writable(os::NativeSocket fd);
/// Bytes that wait to be read from a pipe, stream socket or terminal.
std::size_t bytes_waiting(os::NativeSocket fd);
/// True while the number belongs to an open descriptor.
bool is_open(os::NativeSocket fd);
/// What tells one open file from another, whatever their numbers: "device:inode".
std::string identity(os::NativeSocket fd);
/// Asks for a pipe capacity; the one that the system gave. Linux.
std::size_t set_pipe_capacity(os::NativeSocket fd, std::size_t size_bytes);

/// Ends a connected socket in both directions: whoever blocks on it in another thread wakes up.
void hang_up(os::NativeSocket fd);

/// Sends one byte as urgent (out-of-band) data of a TCP connection.
void send_urgent(os::NativeSocket fd, char byte);

enum class SocketFlag { broadcast, reuse_address, reuse_port, keep_alive, no_delay };
bool socket_flag(os::NativeSocket fd, SocketFlag flag);
void set_socket_flag(os::NativeSocket fd, SocketFlag flag, bool on);
/// IP_RECVERR: errors of unconnected IPv4 sockets arrive, and queue. Linux.
void enable_error_queue(os::NativeSocket fd);

/// Two connected Unix sockets of type SOCK_SEQPACKET.
std::pair<os::UniqueFd, os::UniqueFd> seqpacket_pair();
/// Sends one byte over a Unix socket, and with it a copy of a descriptor (SCM_RIGHTS).
void send_descriptor(os::NativeSocket over, os::NativeSocket sent);

/// The input, output, control and local modes of a terminal, as text that can be compared.
std::string terminal_modes(os::NativeSocket fd);
void make_terminal_raw(os::NativeSocket fd);

/// Memory that the system could give without swapping, in bytes.
std::size_t available_memory();
/// Zeros to read, which take an address range and hardly any memory.
class ZeroPages {
 public:
  explicit ZeroPages(std::size_t size);
  ~ZeroPages();
  ZeroPages(const ZeroPages&) = delete;
  ZeroPages& operator=(const ZeroPages&) = delete;
  ByteView bytes() const { return bytes_; }

 private:
  ByteView bytes_;
};

/// Looks at the next bytes of a Unix socket as a receiver of descriptors does, and forgets the
/// descriptors: they stay open. They and the bytes are still there for the next read.
void peek_descriptors(os::NativeSocket fd);

/// Bytes that malloc has given out and not got back.
std::size_t heap_in_use();
/// Threads of this process, without those that have ended and that the kernel still lists.
/// Throws HostLacks where the system lists none, as without /proc: the scenario is skipped.
std::size_t thread_count();

}  // namespace loopscope::tools
