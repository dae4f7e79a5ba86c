// Names over getaddrinfo and getnameinfo, which POSIX and Winsock spell alike: included once on
// each, by the file that has included the headers of its platform.
#pragma once

#include <algorithm>
#include <cerrno>
#include <memory>

#include "loops/os/resolve.hpp"

namespace loopscope::os {
namespace {

struct CodeName {
  int code;
  const char* name;
};
constexpr CodeName kNames[] = {
    {EAI_AGAIN, "EAI_AGAIN"},           {EAI_BADFLAGS, "EAI_BADFLAGS"}, {EAI_FAIL, "EAI_FAIL"},
    {EAI_FAMILY, "EAI_FAMILY"},         {EAI_MEMORY, "EAI_MEMORY"},     {EAI_NONAME, "EAI_NONAME"},
    {EAI_SERVICE, "EAI_SERVICE"},       {EAI_SOCKTYPE, "EAI_SOCKTYPE"},
#ifdef EAI_OVERFLOW
    {EAI_OVERFLOW, "EAI_OVERFLOW"},
#endif
#ifdef EAI_NODATA  // RFC 2553 had these two; POSIX dropped them, and systems still answer them.
    {EAI_NODATA, "EAI_NODATA"},
#endif
#ifdef EAI_ADDRFAMILY
    {EAI_ADDRFAMILY, "EAI_ADDRFAMILY"},
#endif
};

struct ResolverCategory final : std::error_category {
  const char* name() const noexcept override { return "resolver"; }
  std::string message(int code) const override {
    const auto* known = std::find_if(std::begin(kNames), std::end(kNames),
                                     [code](const CodeName& row) { return row.code == code; });
    return known != std::end(kNames) ? known->name : "EAI " + std::to_string(code);
  }
};

/// `number` is errno as the call left it: EAI_SYSTEM says to look there.
Error resolver_error(int code, int number, std::string_view op, std::string detail) {
#ifdef EAI_SYSTEM
  if (code == EAI_SYSTEM) return errno_error_of(number, op, std::move(detail));
#else
  (void)number;
#endif
  return Error{{code, resolver_category()}, op, std::move(detail)};
}

int native_family(AddressFamily family) {
  if (family == AddressFamily::ipv4) return AF_INET;
  return family == AddressFamily::ipv6 ? AF_INET6 : AF_UNSPEC;
}

Result<std::vector<Endpoint>> ask(const std::string& host, const std::string& service,
                                  const AddressHints& hints, int more_flags) {
  addrinfo want{};
  want.ai_family = native_family(hints.family);
  want.ai_socktype = hints.type == SocketType::datagram ? SOCK_DGRAM : SOCK_STREAM;
  want.ai_flags = more_flags | (hints.passive ? AI_PASSIVE : 0) |
                  (hints.numeric_host ? AI_NUMERICHOST : 0) |
                  (hints.numeric_service ? AI_NUMERICSERV : 0);
  addrinfo* list = nullptr;
  // Neither a host nor a service is no question to getaddrinfo. Port 0 makes it one.
  const char* node = host.empty() ? nullptr : host.c_str();
  const int code = ::getaddrinfo(node, service.empty() ? "0" : service.c_str(), &want, &list);
  if (code != 0) return resolver_error(code, errno, "getaddrinfo", host + " " + service);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::vector<Endpoint> found;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    found.push_back(Endpoint::from_raw(one->ai_addr, one->ai_addrlen));
  }
  return found;
}

/// Why a name cannot be one, on any system; 0 when it can.
int impossible(const std::string& host) {
  // RFC 1035, 2.3.4: 255 octets on the wire, which is 253 characters and perhaps a final dot.
  const std::size_t length = host.size() - (host.ends_with('.') ? 1 : 0);
  if (length > 253) return EAI_NONAME;
  const bool odd = std::any_of(host.begin(), host.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= ' ' || byte == 0x7f;
  });
  return odd ? EAI_NONAME : 0;
}

bool numeric(const std::string& service) {
  return std::all_of(service.begin(), service.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

const std::error_category& resolver_category() noexcept {
  static const ResolverCategory category;
  return category;
}

Result<std::vector<Endpoint>> resolve(const std::string& host, const std::string& service,
                                      const AddressHints& hints) {
  return ask(host, service, hints, 0);
}

std::optional<Result<std::vector<Endpoint>>> resolve_at_once(const std::string& host,
                                                             const std::string& service,
                                                             const AddressHints& hints) {
  using Answer = Result<std::vector<Endpoint>>;
  if (host.find('\0') != host.npos || service.find('\0') != service.npos) {
    return Answer(make_error(Errc::invalid_argument, "getaddrinfo", "a NUL in a name"));
  }
  if (hints.family == AddressFamily::unix_domain) {
    return Answer(make_error(Errc::invalid_argument, "getaddrinfo", "no IP family"));
  }
  // What libc takes for a literal is one, short forms such as "127.1" and scopes included. Asked
  // for literals alone it reads no file and sends nothing.
  if (numeric(service) || hints.numeric_service) {
    Answer literal = ask(host, service, hints, AI_NUMERICHOST | AI_NUMERICSERV);
    if (literal.ok() || hints.numeric_host || host.empty()) return literal;
    if (literal.error().code != std::error_code(EAI_NONAME, resolver_category())) return literal;
    if (!numeric(service)) return literal;
  }
  if (const int code = impossible(host); code != 0) {
    return Answer(resolver_error(code, 0, "getaddrinfo", "no name can look like this"));
  }
  return std::nullopt;
}

Result<NameInfo> name_of(const Endpoint& address, const NameInfoFlags& flags) {
  char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";
  const int bits = (flags.numeric_host ? NI_NUMERICHOST : 0) |
                   (flags.numeric_service ? NI_NUMERICSERV : 0) |
                   (flags.name_required ? NI_NAMEREQD : 0) | (flags.datagram ? NI_DGRAM : 0);
  const int code = ::getnameinfo(static_cast<const sockaddr*>(address.data()),
                                 static_cast<socklen_t>(address.size()), host, sizeof host, service,
                                 sizeof service, bits);
  if (code != 0) return resolver_error(code, errno, "getnameinfo", address.to_string());
  return NameInfo{host, service};
}

std::optional<Result<NameInfo>> name_at_once(const Endpoint& address, const NameInfoFlags& flags) {
  const bool whole =
      (address.family() == AddressFamily::ipv4 && address.size() >= sizeof(sockaddr_in)) ||
      (address.family() == AddressFamily::ipv6 && address.size() >= sizeof(sockaddr_in6));
  if (!whole)
    return Result<NameInfo>(resolver_error(EAI_FAMILY, 0, "getnameinfo", "no IP address"));
  if (flags.numeric_host && flags.numeric_service) return name_of(address, flags);
  return std::nullopt;
}

}  // namespace loopscope::os
