// Endpoint over the sockaddr types, which POSIX and Winsock spell alike: included once on each, by
// the file that has included the headers of its platform.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "loops/os/net.hpp"

namespace loopscope {
namespace {

static_assert(sizeof(sockaddr_storage) <= Endpoint::kCapacity);

template <class Address>
Endpoint endpoint_of(const Address& address) {
  return Endpoint::from_raw(&address, sizeof address);
}

/// A copy of the raw address as one of the sockaddr types, zero-padded.
template <class Address>
Address as(const Endpoint& endpoint) {
  Address address{};
  std::memcpy(&address, endpoint.data(), std::min(endpoint.size(), sizeof address));
  return address;
}

Result<Endpoint> ipv6(std::string_view host, std::uint16_t port) {
  const std::size_t percent = host.find('%');
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  const std::string plain(host.substr(0, percent));
  if (::inet_pton(AF_INET6, plain.c_str(), &address.sin6_addr) != 1) {
    return make_error(Errc::invalid_argument, "Endpoint::ip", std::string(host));
  }
  if (percent != std::string_view::npos) {
    const std::string scope(host.substr(percent + 1));
    address.sin6_scope_id = ::if_nametoindex(scope.c_str());
    if (address.sin6_scope_id == 0) return errno_error_of(ENXIO, "if_nametoindex", scope);
  }
  return endpoint_of(address);
}

}  // namespace

Endpoint Endpoint::from_raw(const void* address, std::size_t size) {
  Endpoint endpoint;
  endpoint.size_ = static_cast<std::uint32_t>(std::min(size, kCapacity));
  std::memcpy(endpoint.storage_.data(), address, endpoint.size_);
  return endpoint;
}

Result<Endpoint> Endpoint::ip(std::string_view host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, std::string(host).c_str(), &address.sin_addr) == 1) {
    return endpoint_of(address);
  }
  return ipv6(host, port);
}

Endpoint Endpoint::loopback(AddressFamily family, std::uint16_t port) {
  if (family == AddressFamily::ipv6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    address.sin6_addr = in6addr_loopback;
    return endpoint_of(address);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return endpoint_of(address);
}

Result<Endpoint> Endpoint::unix_path(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() > sizeof address.sun_path) {
    return errno_error_of(ENAMETOOLONG, "Endpoint::unix_path", std::string(path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const bool abstract = !path.empty() && path.front() == '\0';
  const bool full = path.size() == sizeof address.sun_path;
  const std::size_t terminator = abstract || path.empty() || full ? 0 : 1;
  return from_raw(&address, offsetof(sockaddr_un, sun_path) + path.size() + terminator);
}

AddressFamily Endpoint::family() const {
  if (size_ < sizeof(sockaddr{}.sa_family)) return AddressFamily::unspecified;
  switch (as<sockaddr>(*this).sa_family) {
    case AF_INET:
      return AddressFamily::ipv4;
    case AF_INET6:
      return AddressFamily::ipv6;
    case AF_UNIX:
      return AddressFamily::unix_domain;
    default:
      return AddressFamily::unspecified;
  }
}

std::uint16_t Endpoint::port() const {
  if (family() == AddressFamily::ipv4) return ntohs(as<sockaddr_in>(*this).sin_port);
  if (family() == AddressFamily::ipv6) return ntohs(as<sockaddr_in6>(*this).sin6_port);
  return 0;
}

std::string Endpoint::host() const {
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1] = "";
  if (family() == AddressFamily::ipv4) {
    const auto address = as<sockaddr_in>(*this);
    ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  } else if (family() == AddressFamily::ipv6) {
    const auto address = as<sockaddr_in6>(*this);
    ::inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
    if (address.sin6_scope_id != 0) {
      char name[IF_NAMESIZE] = "";
      if (::if_indextoname(address.sin6_scope_id, name) != nullptr) {
        return std::string(text) + "%" + name;
      }
    }
  }
  return text;
}

std::string Endpoint::path() const {
  if (family() != AddressFamily::unix_domain) return {};
  const auto address = as<sockaddr_un>(*this);
  // The system counts the NUL behind a path that fills all of sun_path.
  const std::size_t size = std::min<std::size_t>(size_, sizeof address);
  const std::size_t length = size - std::min(size, offsetof(sockaddr_un, sun_path));
  if (length == 0) return {};
  if (address.sun_path[0] == '\0') return std::string(address.sun_path, length);
  return std::string(address.sun_path, ::strnlen(address.sun_path, length));
}

std::string Endpoint::to_string() const {
  switch (family()) {
    case AddressFamily::ipv4:
      return host() + ":" + std::to_string(port());
    case AddressFamily::ipv6:
      return "[" + host() + "]:" + std::to_string(port());
    case AddressFamily::unix_domain: {
      std::string name = path();
      if (name.empty()) return "unix:unnamed";
      if (name.front() == '\0') name.front() = '@';
      return "unix:" + name;
    }
    case AddressFamily::unspecified:
      break;
  }
  return "unnamed";
}

bool operator==(const Endpoint& a, const Endpoint& b) {
  if (a.family() != b.family()) return false;
  if (a.family() == AddressFamily::unix_domain) return a.path() == b.path();
  return a.size_ == b.size_ && std::memcmp(a.data(), b.data(), a.size_) == 0;
}

}  // namespace loopscope
