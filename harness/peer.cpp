// Peers: blocking calls on the harness's own descriptors.
#include "harness/peer.hpp"

#include <array>
#include <cerrno>

namespace loopscope {
namespace {

template <class T>
T checked(Result<T> result) {
  if (!result.ok()) harness_failed(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

/// A blocking descriptor of ours must never say that it would block.
std::size_t transferred(Result<os::Transfer> result, std::string_view op) {
  const os::Transfer count = checked(std::move(result));
  if (!count) throw PeerFailure(errno_error_of(EAGAIN, op, "a peer's descriptor is not blocking"));
  return *count;
}

}  // namespace

void harness_failed(const Error& error) {
  if (error.is(Errc::not_supported) || error.is_errno(EAFNOSUPPORT)) throw HostLacks(error);
  throw PeerFailure(error);
}

void Peer::send(ByteView data) {
  while (!data.empty()) data = data.subspan(transferred(os::write(fd_.get(), data), "peer write"));
}

Bytes Peer::recv(std::size_t max_bytes) {
  Bytes buffer(max_bytes);
  Result<os::Transfer> result = os::read(fd_.get(), buffer);
  // A terminal whose other side is closed says EIO where everything else says end of file.
  if (!result.ok() && result.error().is_errno(EIO)) return {};
  buffer.resize(transferred(std::move(result), "peer read"));
  return buffer;
}

Bytes Peer::recv_exactly(std::size_t count) {
  Bytes all;
  while (all.size() < count) {
    const Bytes part = recv(count - all.size());
    if (part.empty()) {
      throw PeerFailure(make_error(Errc::closed, "peer read",
                                   "the stream ended after " + std::to_string(all.size()) + " of " +
                                       std::to_string(count) + " bytes"));
    }
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

Bytes Peer::recv_until_eof() {
  Bytes all;
  while (true) {
    const Bytes part = recv(std::size_t{64} * 1024);
    if (part.empty()) return all;
    all.insert(all.end(), part.begin(), part.end());
  }
}

void Peer::shutdown_write() { checked(os::shutdown_write(fd_.get())); }

void Peer::reset() {
  checked(os::set_reset_on_close(fd_.get()));
  close();
}

Endpoint DatagramPeer::address() const { return checked(os::local_address(fd_.get())); }

void DatagramPeer::sendto(std::string_view data, const Endpoint& to) {
  (void)transferred(os::sendto(fd_.get(), view(data), &to), "peer sendto");  // all or an error
}

Datagram DatagramPeer::recvfrom() {
  Datagram datagram;
  datagram.data.resize(std::size_t{64} * 1024);
  const std::size_t count =
      transferred(os::recvfrom(fd_.get(), datagram.data, datagram.sender), "peer recvfrom");
  datagram.data.resize(count);
  return datagram;
}

}  // namespace loopscope
