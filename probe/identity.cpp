// A 64-bit FNV-1a hash over the host's names and the yes and no of the facts.
#include "probe/identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "probe/render.hpp"

namespace loopscope {
namespace {

/// source: "The FNV Non-Cryptographic Hash Algorithm", draft-eastlake-fnv
class Hash {
 public:
  /// A text and its end, so that "ab" "c" differs from "a" "bc".
  void add(std::string_view text) {
    for (const char c : text) step(static_cast<unsigned char>(c));
    step(0);
  }
  std::uint64_t value() const { return value_; }

 private:
  void step(unsigned char octet) { value_ = (value_ ^ octet) * 0x100000001b3; }
  std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

bool identifies(std::string_view field) {
  constexpr std::array<std::string_view, 11> kFields{
      "os",         "kernel",    "kernel_version", "arch",       "libc",        "cpus_online",
      "hypervisor", "container", "layers",         "page_bytes", "memory_bytes"};
  return field == "euid" || std::find(kFields.begin(), kFields.end(), field) != kFields.end();
}

bool identifies(const MeasuredFact& fact) {
  return std::holds_alternative<bool>(fact.result.value) && !fact.id.starts_with("stdio.");
}

std::string identity_of(std::span<const MeasuredFact> facts, const HostBlock& host) {
  Hash hash;
  for (const auto& [field, value] : host) {
    if (!identifies(field)) continue;
    hash.add(field);
    hash.add(value_text({.value = value}));
  }
  for (const MeasuredFact& fact : facts) {
    if (!identifies(fact)) continue;
    hash.add(fact.id);
    hash.add(std::get<bool>(fact.result.value) ? "yes" : "no");
  }
  return fmt::format("{:016x}", hash.value());
}

}  // namespace loopscope
