// Names of hosts: which resolver answers, in which order, and whether a question can be cancelled.
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "probe/capabilities/libc_function.hpp"
#include "probe/environment.hpp"
#include "probe/posix/text_file.hpp"
#include "probe/probe_context.hpp"

// Null where the linker found none. Only its address is asked for.
extern "C" [[gnu::weak]] int linked_getaddrinfo_a() __asm__("getaddrinfo_a");

namespace loopscope::probes::names {

namespace {

FactResult resolver_kind(ProbeContext& cx) {
  const std::string libc = libc_version();
  cx.note("C library", libc);
  const auto order = read_text("/etc/nsswitch.conf");
  cx.call("read(/etc/nsswitch.conf)", order ? 0 : -1);
  std::string hosts;
  if (order) {
    const std::size_t at = ("\n" + *order).find("\nhosts:");
    if (at != std::string::npos) hosts = order->substr(at, order->find('\n', at) - at);
  }
  std::string kind = libc.substr(0, libc.find(' '));
  if (kind.empty()) return null(Reason::failed, "the C library is not known");
  FactResult result = words(kind, hosts);
  result.method = Method::api;
  return result;
}

std::string family_word(int family) {
  return family == AF_INET ? "ipv4" : family == AF_INET6 ? "ipv6" : "other";
}

/// From the hosts file alone: no server is asked for this name.
FactResult localhost_order(ProbeContext& cx) {
  constexpr const char* kName = "localhost";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int rc = ::getaddrinfo(kName, nullptr, &hints, &found);
  cx.note("getaddrinfo(name of the loopback)", rc == 0 ? "0" : ::gai_strerror(rc));
  if (rc != 0) return null(Reason::failed, ::gai_strerror(rc));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::vector<std::string> order;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const std::string family = family_word(one->ai_family);
    if (std::find(order.begin(), order.end(), family) == order.end()) order.push_back(family);
  }
  FactResult result = word_set(std::move(order), "in the order of the answer");
  result.method = Method::api;
  return result;
}

FactResult async_api(ProbeContext& cx) {
  const bool found = libc_function("getaddrinfo_a", linked_getaddrinfo_a) != nullptr || [] {
    void* library = ::dlopen("libanl.so.1", RTLD_LAZY | RTLD_LOCAL);
    return library != nullptr && ::dlsym(library, "getaddrinfo_a") != nullptr;
  }();
  cx.note("dlsym(getaddrinfo_a)", found ? "found" : "not found");
  FactResult result =
      words(found ? "getaddrinfo_a" : "none", found ? "a thread of the C library per question; "
                                                      "gai_cancel only before it began"
                                                    : "a thread of our own per question");
  result.method = Method::api;
  return result;
}

constexpr Fact kFacts[] = {
    {"dns.resolver_kind", "Which resolver answers getaddrinfo?",
     "man 5 nsswitch.conf; musl, Functional differences from glibc", resolver_kind,
     "order, search lists and time-outs differ"},
    {"dns.localhost_order", "In which order are the addresses of the loopback's name?",
     "RFC 6724; man 5 gai.conf", localhost_order, "which family a client tries first"},
    {"dns.async_api", "Is there a resolver that does not block?", "man 3 getaddrinfo_a", async_api,
     "whether a question occupies a thread, and can be cancelled"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "host names", .group = "B5", .facts = kFacts};

}  // namespace loopscope::probes::names
