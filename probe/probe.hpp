// Facts: what the platform itself can do, measured by doing it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace loopscope {

/// What a fact's value can be. Null (monostate) is an answer too: see Reason.
using FactValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>>;

enum class Unit : std::uint8_t { none, nanoseconds, bytes, count, seconds };
std::string_view name(Unit unit);  // "", "ns", "bytes", "count", "s"

/// Why a value is null, or why a false is false. These are different answers.
enum class Reason : std::uint8_t {
  none,
  not_implemented,  // ENOSYS: this kernel has no such call
  denied,           // EPERM, EACCES: it exists, we may not
  invalid,          // EINVAL: the call exists, the request does not
  not_supported,    // EOPNOTSUPP, EAFNOSUPPORT ...
  not_compiled_in,  // this build of loopscope lacks the header or library
  not_applicable,   // another platform's fact
  timeout,          // the probe was killed at its deadline
  crashed,          // the probe's process died
  failed,           // another error: see the evidence
  not_asked,        // asked on request only: it leaves traces, or takes long
};
std::string_view name(Reason reason);
std::string_view meaning(Reason reason);  // one phrase for a reader
/// The reason that an errno value stands for.
Reason reason_of_errno(int number);

enum class Method : std::uint8_t { tried, api, sysctl, declared };
std::string_view name(Method method);
std::string_view meaning(Method method);

/// What asking does to the machine, worst last.
enum class Effect : std::uint8_t {
  none,     // looks only
  process,  // changes the process that asks, which ends soon after
  files,    // makes files in a temporary folder, and removes them
  traffic,  // sends over loopback; ports wait out their minute afterwards
  traces,   // leaves something behind for a while; asked with --intrusive only
};
std::string_view name(Effect effect);
std::string_view meaning(Effect effect);

/// One call that was made to learn the fact.
struct Evidence {
  std::string call;    // "epoll_ctl(ADD, regular file)"
  std::string result;  // "0", "-1 EPERM", "373102 ns"
  int errno_value = 0;
};

/// A row of a table fact: "pipe read end" -> {"select": "ready r", "epoll": "EPERM"}.
struct FactRow {
  std::string name;
  std::vector<std::pair<std::string, std::string>> cells;
};

/// A point of a curve: what something costs at x. Null has its reason, as a fact's value has.
struct CurvePoint {
  double x = 0;
  std::optional<double> value{};  // in the unit of the fact
  Reason reason = Reason::none;
  std::string note{};
  std::vector<double> samples{};
};

/// Two ways to learn one thing that do not say the same.
struct Conflict {
  std::string one, one_says, other, other_says;
};

struct FactResult {
  FactValue value{};
  Unit unit = Unit::none;
  Reason reason = Reason::none;
  Method method = Method::tried;
  std::string note{};  // one line for a reader
  std::vector<Evidence> evidence{};
  std::vector<FactRow> table{};   // only for table facts
  std::vector<double> samples{};  // of a measured number, in its unit; may be empty
  std::string curve_over{};       // what x counts: "descriptors"; only with a curve
  std::vector<CurvePoint> curve{};
  std::vector<Conflict> conflicts{};
  Effect effect = Effect::none;  // the worse one of what was declared and what was seen
};

class ProbeContext;

struct Fact {
  std::string_view id;                // the catalogue's id: "epoll.exclusive"
  std::string_view question;          // one sentence
  std::string_view source;            // where the answer is documented
  FactResult (*ask)(ProbeContext&);   // null: see platform_answers()
  std::string_view why = {};          // why an author of a loop cares
  std::string_view how = {};          // how it is measured, where the calls do not tell
  std::optional<Effect> effect = {};  // else that of its file
  std::string_view privilege = {};    // "CAP_NET_RAW": without it the answer may be "denied"
  bool thorough = false;              // too slow to be asked without --thorough
};

/// One file of facts about one mechanism; one loopscope_probe line.
struct ProbeFile {
  std::string_view mechanism;   // "epoll"
  std::string_view group = {};  // "B2"
  std::span<const Fact> facts = {};
  std::string_view absent_because = {};  // why a fact without an answer has none
  Effect effect = Effect::none;          // of its facts that do not say otherwise
};

std::span<const ProbeFile* const> all_probe_files();  // generated

/// The answer to a fact that is listed everywhere, with its question, and measured on one platform.
struct PlatformAnswer {
  std::string_view id;
  FactResult (*ask)(ProbeContext&);
};
/// Those of this platform.
std::span<const PlatformAnswer> platform_answers();

/// A measured fact: what was asked, what came back, how long it took.
struct MeasuredFact {
  std::string id, question, source, mechanism, group, why, how, privilege;
  FactResult result;
  std::int64_t took_ns = 0;
};

}  // namespace loopscope
