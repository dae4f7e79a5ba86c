// The words of a verdict, and the table from a child's end to an outcome.
#include "harness/outcome.hpp"

#include <array>
#include <charconv>

#include "harness/host.hpp"

namespace loopscope {
namespace {

struct OutcomeRow {
  Outcome outcome;
  std::string_view name;
  char letter;
};
constexpr std::array kOutcomes{
    OutcomeRow{Outcome::pass, "pass", '.'},
    OutcomeRow{Outcome::diverges, "diverges", 'd'},
    OutcomeRow{Outcome::fail, "fail", 'F'},
    OutcomeRow{Outcome::leak, "leak", 'L'},
    OutcomeRow{Outcome::hang, "hang", 'H'},
    OutcomeRow{Outcome::crash, "crash", 'C'},
    OutcomeRow{Outcome::unsupported, "unsupported", 'u'},
    OutcomeRow{Outcome::skip, "skip", 's'},
    OutcomeRow{Outcome::inconclusive, "inconclusive", '?'},
    OutcomeRow{Outcome::broken, "broken", 'B'},
    OutcomeRow{Outcome::notrun, "notrun", '-'},
};

const OutcomeRow& row(Outcome outcome) {
  for (const OutcomeRow& candidate : kOutcomes) {
    if (candidate.outcome == outcome) return candidate;
  }
  return kOutcomes[9];  // A value outside the enumeration is our own fault: broken.
}

struct StatusName {
  std::uint32_t status;
  std::string_view name;
};
constexpr StatusName kStatusNames[] = {
    {0xC0000005U, "access violation"},
    {0xC0000006U, "in page error"},
    {0xC0000008U, "invalid handle"},
    {0xC000001DU, "illegal instruction"},
    {0xC0000094U, "integer division by 0"},
    {0xC00000FDU, "stack overflow"},
    {0xC000013AU, "Ctrl-C"},
    {0xC0000374U, "heap corruption"},
    {0xC0000409U, "failed fast"},
    {0xC0000602U, "failed fast"},
};

std::string status_text(std::uint32_t status) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, status, 16).ptr;
  std::string text = "NTSTATUS 0x" + std::string(digits, end);
  for (const StatusName& row : kStatusNames) {
    if (row.status == status) text += " (" + std::string(row.name) + ")";
  }
  return text;
}

}  // namespace

std::string_view name(Outcome outcome) { return row(outcome).name; }
char letter(Outcome outcome) { return row(outcome).letter; }

std::optional<Outcome> outcome_by_name(std::string_view wanted) {
  for (const OutcomeRow& candidate : kOutcomes) {
    if (candidate.name == wanted) return candidate.outcome;
  }
  return std::nullopt;
}

bool is_red(Outcome outcome) {
  return outcome == Outcome::fail || outcome == Outcome::leak || outcome == Outcome::hang ||
         outcome == Outcome::crash;
}

bool is_unknown(Outcome outcome) {
  return outcome == Outcome::inconclusive || outcome == Outcome::broken ||
         outcome == Outcome::notrun;
}

std::string_view name(Level level) {
  switch (level) {
    case Level::must:
      return "must";
    case Level::should:
      return "should";
    case Level::info:
      return "info";
  }
  return "unknown";
}

std::string_view name(Authority authority) {
  switch (authority) {
    case Authority::posix:
      return "posix";
    case Authority::man_page:
      return "man_page";
    case Authority::vendor_doc:
      return "vendor_doc";
    case Authority::asyncio_doc:
      return "asyncio_doc";
    case Authority::de_facto:
      return "de_facto";
    case Authority::ours:
      return "ours";
  }
  return "unknown";
}

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::core:
      return "core";
    case Severity::common:
      return "common";
    case Severity::edge:
      return "edge";
  }
  return "unknown";
}

bool can_fail(Level level, Authority authority) {
  return level == Level::must && authority != Authority::de_facto && authority != Authority::ours;
}

Verdict classify(const ChildEnd& end, std::optional<Outcome> said) {
  if (end.not_started) return {Outcome::broken, "start: the child could not be started"};
  if (end.killed_at_limit) return {Outcome::hang, "killed at its limit"};
  if (end.signal) {
    const std::string after = said == Outcome::pass ? ", after it had reported pass" : "";
    return {Outcome::crash, "ended by " + host::describe_signal(*end.signal) + after};
  }
  if (end.nt_status && *end.nt_status >= 0xC0000000U) {
    return {Outcome::crash, "ended by " + status_text(*end.nt_status)};
  }
  if (!end.exit_code) return {Outcome::broken, "start: nothing is known of how the child ended"};
  if (*end.exit_code != 0) {
    return {Outcome::crash, "exit code " + std::to_string(*end.exit_code)};
  }
  if (!said) return {Outcome::broken, "harness: exit code 0 without a final message"};
  // A child cannot judge these of itself: whoever is alive to say so does not hang or crash.
  if (*said == Outcome::hang || *said == Outcome::crash || *said == Outcome::notrun) {
    return {Outcome::broken, "harness: the child claimed " + std::string(name(*said))};
  }
  return {*said, ""};
}

}  // namespace loopscope
