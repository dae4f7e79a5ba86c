// What the calls that open something can be told. Names follow asyncio's arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loops/base/clock.hpp"
#include "loops/os/native.hpp"
#include "loops/os/net.hpp"
#include "loops/socket.hpp"
#include "loops/tls.hpp"

namespace loopscope {

// A `sock` of these options is borrowed: the call takes the socket over when it accepts it, and
// leaves it with the caller, open, when it refuses at once (wrong kind, contradicting options).

struct DatagramOptions {
  std::optional<Endpoint> local_addr{};
  std::optional<Endpoint> remote_addr{};
  bool allow_broadcast = false;
  bool reuse_port = false;
  Socket* sock = nullptr;  // an existing datagram socket instead of the addresses
};

/// One of: host with service, addresses, sock.
struct ConnectOptions {
  std::string host{}, service{};      // a name or a literal; a number or a service's name
  std::vector<Endpoint> addresses{};  // resolved already, tried in this order
  AddressFamily family = AddressFamily::unspecified;  // of what host resolves to
  std::optional<Endpoint> local_addr{};               // bound first; for addresses of its family
  /// Start the next address when one has not answered for so long; nullopt: when it has failed.
  std::optional<Duration> happy_eyeballs_delay{};
  /// How many addresses of the first family come before the first of the other; nullopt: 1 with
  /// happy_eyeballs_delay, else as resolved. source: RFC 8305, First Address Family Count
  std::optional<unsigned> interleave{};
  Socket* sock = nullptr;  // an existing connected stream socket
  std::optional<TlsOptions> tls{};
};

/// One of: hosts with service, addresses, sock.
struct ServerOptions {
  std::vector<std::string> hosts{};  // empty, or an empty one: all interfaces, both families
  std::string service = "0";
  std::vector<Endpoint> addresses{};  // resolved already
  AddressFamily family = AddressFamily::unspecified;
  int backlog = 100;
  std::optional<bool> reuse_address{};  // nullopt: on POSIX systems
  bool reuse_port = false;
  bool keep_alive = false;  // SO_KEEPALIVE on accepted connections
  bool start_serving = true;
  Socket* sock = nullptr;  // an existing bound stream socket
  std::optional<TlsOptions> tls{};
};

/// One of: path, sock. A path that begins with NUL is a Linux abstract name.
struct UnixConnectOptions {
  std::string path{};
  Socket* sock = nullptr;
  std::optional<TlsOptions> tls{};
};

/// One of: path, sock. A stale socket file at path is replaced; anything else there is refused.
struct UnixServerOptions {
  std::string path{};
  Socket* sock = nullptr;
  int backlog = 100;
  bool start_serving = true;
  bool cleanup_socket = true;  // close() removes the file, unless another has taken its place
  std::optional<TlsOptions> tls{};
};

/// What one of a child's standard streams is.
struct Stdio {
  enum class Kind : std::uint8_t {
    pipe,     // a transport of the parent
    inherit,  // the parent's own
    devnull,
    descriptor,  // `fd`, which stays the parent's
    std_out      // for std_err: wherever standard output goes
  };
  Kind kind = Kind::pipe;
  os::NativeSocket fd = os::kInvalid;

  static Stdio pipe() { return {}; }
  static Stdio inherit() { return {Kind::inherit, os::kInvalid}; }
  static Stdio devnull() { return {Kind::devnull, os::kInvalid}; }
  static Stdio descriptor(os::NativeSocket fd) { return {Kind::descriptor, fd}; }
  static Stdio std_out() { return {Kind::std_out, os::kInvalid}; }
};

/// source: asyncio.loop.subprocess_exec, subprocess.Popen
struct ProcessOptions {
  std::vector<std::string> argv{};  // not empty, without NUL; subprocess_shell sets it
  std::string executable{};         // empty: argv[0]; without a slash it is searched in PATH
  std::optional<std::vector<std::string>> env{};  // "NAME=value"; nullopt: the parent's
  std::string cwd{};                              // empty: the parent's
  Stdio std_in{}, std_out{}, std_err{};
  std::vector<os::NativeSocket> pass_fds{};  // open in the child under the same numbers
  bool start_new_session = false;
  std::optional<int> process_group{};  // 0: a group of its own
};

struct FileRange {
  os::NativeSocket file = os::kInvalid;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> count{};  // nullopt: to the end of the file
  /// Read and send where the system cannot transfer by itself; false: not_supported then.
  bool fallback = true;
};

/// What getaddrinfo is asked for. source: getaddrinfo(3), ai_flags
struct AddressHints {
  AddressFamily family = AddressFamily::unspecified;
  SocketType type = SocketType::stream;
  bool passive = false;       // for bind: an empty host is all interfaces
  bool numeric_host = false;  // refuse names
  bool numeric_service = false;
};

struct NameInfo {
  std::string host, service;
};
/// source: getnameinfo(3), flags
struct NameInfoFlags {
  bool numeric_host = false;
  bool numeric_service = false;
  bool name_required = false;  // an error instead of a numeric host
  bool datagram = false;       // the service's UDP name
};

}  // namespace loopscope
