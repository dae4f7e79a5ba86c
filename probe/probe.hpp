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
};
std::string_view name(Reason reason);
/// The reason that an errno value stands for.
Reason reason_of_errno(int number);

enum class Method : std::uint8_t { tried, api, sysctl, declared };
std::string_view name(Method method);

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

struct FactResult {
  FactValue value{};
  Unit unit = Unit::none;
  Reason reason = Reason::none;
  Method method = Method::tried;
  std::string note{};  // one line for a reader
  std::vector<Evidence> evidence{};
  std::vector<FactRow> table{};   // only for table facts
  std::vector<double> samples{};  // of a measured number, in its unit; may be empty
};

class ProbeContext;

struct Fact {
  std::string_view id;        // the catalogue's id: "epoll.exclusive"
  std::string_view question;  // one sentence
  std::string_view source;    // where the answer is documented
  FactResult (*ask)(ProbeContext&);
  std::string_view why = {};  // why an author of a loop cares
};

/// One file of facts about one mechanism; one loopscope_probe line.
struct ProbeFile {
  std::string_view mechanism;   // "epoll"
  std::string_view group = {};  // "B2"
  std::span<const Fact> facts = {};
  std::string_view absent_because = {};  // set where the file does not apply to this platform
};

std::span<const ProbeFile* const> all_probe_files();  // generated

/// A measured fact: what was asked, what came back, how long it took.
struct MeasuredFact {
  std::string id, question, source, mechanism, group, why;
  FactResult result;
  std::int64_t took_ns = 0;
};

}  // namespace loopscope
