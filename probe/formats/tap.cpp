// Probe format "tap": the Test Anything Protocol, in the version that every consumer knows. It
// survives a serial console: a line for each fact, in ASCII, a plan in front and a mark behind.
#include <fmt/format.h>

#include <iterator>

#include "probe/format.hpp"

namespace loopscope::probe_formats::tap {
namespace {

constexpr std::size_t kLongest = 300;  // octets of a description; consoles drop what is endless

/// Printable ASCII, without what ends a description: "#" begins a directive.
std::string description(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kLongest)) {
    if (c == '#' || c == '\\') out += '\\';
    out += c >= ' ' && c < 0x7F ? c : '?';
  }
  return out + (text.size() > kLongest ? " ..." : "");
}

/// A no is an answer, and so is a refusal. Not ok is a fact whose process hung or died.
std::string point(const MeasuredFact& fact, std::size_t number) {
  const FactResult& result = fact.result;
  const bool answered = !std::holds_alternative<std::monostate>(result.value);
  const bool died = result.reason == Reason::timeout || result.reason == Reason::crashed;
  std::string line =
      fmt::format("{} {} - {}", answered || !died ? "ok" : "not ok", number, description(fact.id));
  if (answered) {
    line += " = " + description(value_text(result));
    if (result.reason != Reason::none) line += fmt::format(" ({})", name(result.reason));
  } else if (died) {
    line += fmt::format(" = null ({}) {}", name(result.reason), description(result.note));
  } else {
    line += fmt::format(" # SKIP {} {}", name(result.reason), description(result.note));
  }
  while (line.ends_with(' ')) line.pop_back();
  return line + "\n";
}

std::string render(const Probed& probed, const ProbeTextOptions&) {
  std::string page = fmt::format("TAP version 13\n1..{}\n", probed.facts.size());
  for (const std::string& line : formats::stamp(probed)) page += "# " + line + "\n";
  for (std::size_t i = 0; i < probed.facts.size(); ++i) page += point(probed.facts[i], i + 1);
  return page + "# end of the facts\n";
}

}  // namespace

extern const ProbeFormat format{
    .name = "tap", .description = "TAP 13, also for a serial console", .render = render};

}  // namespace loopscope::probe_formats::tap
