// Capabilities: what a loop can offer, one row each, and sets of them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

namespace loopscope {

enum class Cap : std::uint8_t {
  call_soon,
  call_later,
  call_soon_threadsafe,
  run_in_executor,
  exception_handler,
  debug_mode,
  futures,
  add_reader,
  add_writer,
  sock_stream,
  sock_datagram,
  sock_sendfile,
  sendfile,
  create_connection,
  create_server,
  unix_sockets,
  flow_control,
  start_tls,
  create_datagram_endpoint,
  pipes,
  subprocess,
  signals,
  getaddrinfo,
  native_socket,
  count_
};

enum class Support : std::uint8_t { absent, emulated, native };
std::string_view name(Support support);

struct CapInfo {
  Cap cap;
  std::string_view id;      // "add_reader"; used in journals and on the command line
  std::string_view title;   // one phrase for a reader
  std::string_view anchor;  // where asyncio documents it
};
std::span<const CapInfo> all_caps();
const CapInfo& info(Cap cap);
std::optional<Cap> cap_by_id(std::string_view id);

class CapSet {
 public:
  constexpr CapSet() = default;
  constexpr CapSet(std::initializer_list<Cap> caps) {
    for (const Cap cap : caps) bits_ |= bit(cap);
  }
  static constexpr CapSet all() {
    CapSet set;
    set.bits_ = bit(Cap::count_) - 1;
    return set;
  }
  constexpr bool has(Cap cap) const { return (bits_ & bit(cap)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr CapSet operator|(CapSet other) const { return from(bits_ | other.bits_); }
  constexpr CapSet operator&(CapSet other) const { return from(bits_ & other.bits_); }
  constexpr CapSet without(CapSet other) const { return from(bits_ & ~other.bits_); }
  friend constexpr bool operator==(CapSet, CapSet) = default;

 private:
  static constexpr std::uint64_t bit(Cap cap) {
    return std::uint64_t{1} << static_cast<unsigned>(cap);
  }
  static constexpr CapSet from(std::uint64_t bits) {
    CapSet set;
    set.bits_ = bits;
    return set;
  }
  std::uint64_t bits_ = 0;
};

}  // namespace loopscope
