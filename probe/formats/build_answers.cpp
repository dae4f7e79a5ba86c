// What the formats for builds have in common: names, values, and the stamp of the machine.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "probe/format.hpp"
#include "probe/identity.hpp"

namespace loopscope::formats {
namespace {

std::string field(const HostBlock& host, std::string_view key) {
  const auto found =
      std::find_if(host.begin(), host.end(), [&](const auto& one) { return one.first == key; });
  return found == host.end() ? std::string() : value_text({.value = found->second});
}

/// Printable ASCII on one line: it stands in comments of four languages.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) out += c >= ' ' && c < 0x7F ? c : '?';
  return out;
}

struct ValueText {
  std::string operator()(std::monostate) const { return {}; }
  std::string operator()(bool) const { return {}; }
  std::string operator()(std::int64_t number) const { return std::to_string(number); }
  std::string operator()(double number) const { return fmt::format("{:.17g}", number); }
  std::string operator()(const std::string& text) const { return plain(text); }
  std::string operator()(const std::vector<std::string>& list) const {
    return plain(fmt::format("{}", fmt::join(list, ",")));
  }
};

}  // namespace

std::string macro_name(std::string_view id) {
  std::string name(id);
  for (char& c : name) {
    c = std::isalnum(static_cast<unsigned char>(c)) != 0
            ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
            : '_';
  }
  return name;
}

std::vector<std::string> stamp(const Probed& probed) {
  return {
      "Written by loopscope probe. It describes the machine that it was run on, and no other:",
      plain(fmt::format("{} {}, {}, {}, euid {}", field(probed.host, "os"),
                        field(probed.host, "kernel"), field(probed.host, "arch"),
                        field(probed.host, "libc"), field(probed.host, "euid"))),
      "Where the program will run elsewhere, ask there. HAVE is a yes, NO is a no; a fact that has",
      "neither is unknown here.", "identity " + identity_of(probed.facts, probed.host)};
}

std::vector<Setting> settings(const Probed& probed) {
  using Kind = Setting::Kind;
  std::vector<Setting> list{{Kind::text, "LOOPSCOPE_IDENTITY",
                             identity_of(probed.facts, probed.host),
                             "The machine that the facts are about"}};
  for (const MeasuredFact& fact : probed.facts) {
    const FactResult& result = fact.result;
    const std::string name = macro_name(fact.id);
    const auto* real = std::get_if<double>(&result.value);
    if (real != nullptr && !std::isfinite(*real)) {
      list.push_back({Kind::remark, name, "without bounds", fact.question});
      continue;
    }
    if (std::holds_alternative<std::monostate>(result.value)) {
      const std::string why(loopscope::name(result.reason));
      list.push_back({Kind::remark, name, "unknown, " + why, fact.question});
      continue;
    }
    if (const bool* flag = std::get_if<bool>(&result.value)) {
      const std::string_view word = *flag ? "HAVE" : "NO";
      list.push_back({Kind::yes, fmt::format("LOOPSCOPE_{}_{}", word, name), "1", fact.question});
      continue;
    }
    const bool number = result.value.index() < FactValue(std::string()).index();
    list.push_back({number ? Kind::number : Kind::text, "LOOPSCOPE_VALUE_" + name,
                    std::visit(ValueText{}, result.value), fact.question});
  }
  return list;
}

}  // namespace loopscope::formats
