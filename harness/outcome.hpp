// Outcomes, levels, authorities: the words of a verdict, and how one is reached.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loopscope {

enum class Outcome : std::uint8_t {
  pass,          // the promise was kept
  diverges,      // legal or ungraded, but not the primary behaviour; named
  fail,          // a must whose authority is a published text was broken
  leak,          // kept, but something was left behind
  hang,          // killed at its limit
  crash,         // signal, abort, sanitizer, exit code that is not 0
  unsupported,   // the loop declares that it lacks the capability, or refused in make()
  skip,          // not attempted: a fact of the platform, or a selection, says so
  inconclusive,  // ran, but this host's evidence cannot decide
  broken,        // the harness or the adapter is at fault, or a silent fallback was found
  notrun,        // planned, and the run ended before it
};
std::string_view name(Outcome outcome);
std::optional<Outcome> outcome_by_name(std::string_view name);
/// One letter for consoles without colour: ". d F L H C u s ? B -".
char letter(Outcome outcome);
/// fail, leak, hang, crash.
bool is_red(Outcome outcome);
/// inconclusive, broken, notrun.
bool is_unknown(Outcome outcome);

enum class Level : std::uint8_t { must, should, info };
enum class Authority : std::uint8_t { posix, man_page, vendor_doc, asyncio_doc, de_facto, ours };
enum class Severity : std::uint8_t { core, common, edge };
std::string_view name(Level level);
std::string_view name(Authority authority);
std::string_view name(Severity severity);
/// Only a must whose authority is a published text can fail; any other broken rule diverges.
bool can_fail(Level level, Authority authority);

/// How a child process ended, as its parent saw it.
struct ChildEnd {
  std::optional<int> exit_code{}, signal{};
  std::optional<std::uint32_t> nt_status{};
  bool killed_at_limit = false;
  bool not_started = false;
};

struct Verdict {
  Outcome outcome;
  std::string reason;
};

/// What the child last said, if anything: the parent alone decides. Pure.
Verdict classify(const ChildEnd& end, std::optional<Outcome> said);

}  // namespace loopscope
