// A 64-bit FNV-1a hash over the host's names and the yes and no of the facts.
#include "probe/identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

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

bool identifies(std::string_view fact, const FactValue& value) {
  return std::holds_alternative<bool>(value) && !fact.starts_with("stdio.");
}

std::string identity_of(std::span<const MeasuredFact> facts, const HostBlock& host) {
  std::vector<std::pair<std::string_view, bool>> answers;
  for (const MeasuredFact& fact : facts) {
    const FactValue& value = fact.result.value;
    if (identifies(fact.id, value)) answers.emplace_back(fact.id, std::get<bool>(value));
  }
  return identity_of(std::move(answers), host);
}

std::string identity_of(std::vector<std::pair<std::string_view, bool>> answers,
                        const HostBlock& host) {
  Hash hash;
  std::map<std::string_view, std::string> fields;
  for (const auto& [field, value] : host) {
    if (identifies(field)) fields[field] = value_text({.value = value});
  }
  for (const auto& [field, value] : fields) {
    hash.add(field);
    hash.add(value);
  }
  std::sort(answers.begin(), answers.end());
  for (const auto& [id, yes] : answers) {
    hash.add(id);
    hash.add(yes ? "yes" : "no");
  }
  return fmt::format("{:016x}", hash.value());
}

}  // namespace loopscope
