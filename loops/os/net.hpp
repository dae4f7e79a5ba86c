// Sockets and addresses without a platform header: what the loops and the peers need of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "loops/base/bytes.hpp"
#include "loops/base/result.hpp"
#include "loops/os/fd.hpp"

namespace loopscope {

enum class AddressFamily : std::uint8_t { unspecified, ipv4, ipv6, unix_domain };
enum class SocketType : std::uint8_t { stream, datagram };

/// A socket address as the system spells it. A value; unnamed (size 0) by default.
class Endpoint {
 public:
  static constexpr std::size_t kCapacity = 128;  // sockaddr_storage everywhere we run

  Endpoint() = default;
  /// host: a literal IPv4 or IPv6 address, "fe80::1%lo" included; port: host order.
  static Result<Endpoint> ip(std::string_view host, std::uint16_t port);
  /// A path, or a name that begins with NUL (Linux abstract names). Up to the size of sun_path,
  /// 108 bytes on Linux; the longest path goes without the NUL at its end (unix(7), BUGS).
  /// errors  ENAMETOOLONG with the path.
  static Result<Endpoint> unix_path(std::string_view path);
  /// "127.0.0.1" or "::1" with the given port; IPv4 and IPv6 only.
  static Endpoint loopback(AddressFamily family, std::uint16_t port = 0);
  static Endpoint from_raw(const void* address, std::size_t size);

  AddressFamily family() const;
  std::uint16_t port() const;     // 0 where there is none
  std::string host() const;       // "" where there is none
  std::string path() const;       // Unix names; a leading NUL is kept
  std::string to_string() const;  // "127.0.0.1:80", "[::1]:80", "unix:/path", "unnamed"
  const void* data() const { return storage_.data(); }
  void* data() { return storage_.data(); }
  std::size_t size() const { return size_; }
  void resize(std::size_t size) { size_ = static_cast<std::uint32_t>(size); }
  friend bool operator==(const Endpoint& a, const Endpoint& b);

 private:
  alignas(8) std::array<std::byte, kCapacity> storage_{};
  std::uint32_t size_ = 0;
};

struct Datagram {
  Bytes data;
  Endpoint sender;
};

namespace os {

/// Zero or more of a transfer; nullopt: the call would have blocked.
using Transfer = std::optional<std::size_t>;

/// No single call is given more: Linux cuts at 0x7ffff000 bytes, macOS refuses 2^31 and more.
inline constexpr std::size_t kLargestTransfer = std::size_t{1} << 30;
/// IOV_MAX wherever we run.
inline constexpr std::size_t kMostPieces = 1024;

/// Close-on-exec; non-blocking unless said otherwise.
Result<UniqueFd> open_socket(AddressFamily family, SocketType type, bool blocking = false);
/// Two connected sockets, close-on-exec: Unix sockets, or loopback connections where there are
/// none.
Result<std::pair<UniqueFd, UniqueFd>> open_socketpair(SocketType type, bool blocking = false);
Result<void> set_blocking(NativeSocket fd, bool blocking);
Result<bool> is_blocking(NativeSocket fd);
Result<void> bind(NativeSocket fd, const Endpoint& address);
Result<void> listen(NativeSocket fd, int backlog);
/// true: connected at once; false: in progress, wait for writability and ask connect_result.
Result<bool> connect(NativeSocket fd, const Endpoint& address);
/// The outcome of a connect in progress (SO_ERROR, and for Unix sockets the peer's name).
Result<void> connect_result(NativeSocket fd);
/// nullopt: nothing to accept. The new socket is non-blocking and close-on-exec.
Result<std::optional<std::pair<UniqueFd, Endpoint>>> accept(NativeSocket fd);
Result<Transfer> recv(NativeSocket fd, std::span<std::byte> buffer);
/// Never raises SIGPIPE. At most kLargestTransfer bytes a call.
Result<Transfer> send(NativeSocket fd, ByteView data);
/// The same for several pieces in one call, at most kMostPieces of them.
Result<Transfer> sendv(NativeSocket fd, std::span<const ByteView> pieces);
Result<Transfer> recvfrom(NativeSocket fd, std::span<std::byte> buffer, Endpoint& sender);
/// to: null on a connected socket.
Result<Transfer> sendto(NativeSocket fd, ByteView data, const Endpoint* to);
/// Empties the socket's error queue, where the platform has one (Linux, IP_RECVERR).
void drain_error_queue(NativeSocket fd);
Result<void> shutdown_write(NativeSocket fd);
Result<Endpoint> local_address(NativeSocket fd);
Result<Endpoint> peer_address(NativeSocket fd);
/// Whether a server asks for SO_REUSEADDR unless told otherwise: on POSIX, where it lets a port be
/// bound again at once. On Windows it would let two programs have the same port at a time.
extern const bool kReuseAddress;
Result<void> set_reuse_address(NativeSocket fd, bool on);
Result<void> set_reuse_port(NativeSocket fd, bool on);
Result<void> set_broadcast(NativeSocket fd, bool on);
Result<void> set_keep_alive(NativeSocket fd, bool on);
/// IPV6_V6ONLY: the socket leaves IPv4 to others. Before bind, IPv6 sockets.
Result<void> set_v6_only(NativeSocket fd, bool on);
Result<void> set_nodelay(NativeSocket fd, bool on);
Result<void> set_buffer_sizes(NativeSocket fd, int send_bytes, int receive_bytes);  // 0: as is
/// The next close sends RST (stream sockets over IP).
Result<void> set_reset_on_close(NativeSocket fd);
/// Is it a listening socket? false for what is no socket.
bool is_listening(NativeSocket fd);
/// invalid_argument for sockets that are neither.
Result<SocketType> type_of(NativeSocket fd);
/// The pending SO_ERROR, cleared by asking.
Result<void> take_error(NativeSocket fd);

}  // namespace os
}  // namespace loopscope
