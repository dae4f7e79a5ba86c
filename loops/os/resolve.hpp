// Names and addresses as the system resolves them. Blocking, but for literals.
#pragma once

#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "loops/options.hpp"

namespace loopscope::os {

/// The codes of getaddrinfo(3) and getnameinfo(3); their messages are their names, "EAI_NONAME".
const std::error_category& resolver_category() noexcept;

/// getaddrinfo(3): hosts file, name service switch, DNS. Blocks for as long as that takes.
/// host     Empty: loopback, or all interfaces for `passive`. A literal may have a scope,
///          "fe80::1%lo".
/// service  Empty: port 0. A number, or a name of the services file.
/// errors   resolver_category(), or the errno where that says EAI_SYSTEM; invalid_argument for a
///          Unix family and for a NUL in a name.
/// thread   Any.
Result<std::vector<Endpoint>> resolve(const std::string& host, const std::string& service,
                                      const AddressHints& hints);
/// The answer where it takes neither a lookup nor a wait: literals with numeric services, and
/// questions that cannot be answered. nullopt: ask resolve().
std::optional<Result<std::vector<Endpoint>>> resolve_at_once(const std::string& host,
                                                             const std::string& service,
                                                             const AddressHints& hints);

/// getnameinfo(3). errors  as resolve(); EAI_FAMILY for what is no IP address.
Result<NameInfo> name_of(const Endpoint& address, const NameInfoFlags& flags);
/// The answer where it takes no lookup: all numeric, or refused.
std::optional<Result<NameInfo>> name_at_once(const Endpoint& address, const NameInfoFlags& flags);

}  // namespace loopscope::os
