// Fleet: the reports of many machines, held as answers per machine.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "probe/machine.hpp"

namespace loopscope {

/// How a machine stands to a fact. Unknown: null, or not in its reports at all.
enum class Stand : std::uint8_t { unknown, has, lacks, not_applicable };
std::string_view name(Stand stand);

/// "6.18" of a Linux kernel; distributions differ behind that.
struct KernelVersion {
  int major = 0, minor = 0;
  friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};
/// Of a host block; nullopt where it is no Linux or has no such number.
std::optional<KernelVersion> kernel_version(const Machine& machine);

/// Machines of one kernel version that have a fact, and that lack it.
struct KernelAnswers {
  std::size_t has = 0, lacks = 0;
};
/// What the versions say, newest first: "yes from 5.19 to 6.2; no at 5.15; no data between 5.15
/// and 5.19". A version that nobody reported is never part of a range.
std::string kernel_statement(const std::map<KernelVersion, KernelAnswers>& versions);

/// One machine: all reports with the same host whose yes and no never contradict each other.
struct FleetMachine {
  std::string identity, os, kernel, arch;
  std::string layer;  // what it runs in or under: "container: docker"; empty: nothing but a machine
  std::string first_report;
  std::size_t reports = 0;
};

class Fleet {
 public:
  using Counts = std::array<std::size_t, 4>;  // by Stand

  struct FactRow {
    std::string id;
    Counts plain{}, layered{};                       // machines
    std::map<KernelVersion, KernelAnswers> kernels;  // of the plain ones
    std::map<std::string, std::size_t> values;  // of words: machines of each, kMostValues at most
    double least = 0, most = 0;                 // of numbers, over all machines
    bool number = false;
    std::string unit;
  };
  static constexpr std::size_t kMostValues = 8;

  /// Takes a report in. Cost: independent of how many were taken, unless their hosts are the same
  /// and their facts differ.
  void add(const Machine& machine, const std::string& report);

  std::size_t reports() const { return reports_; }
  std::vector<FleetMachine> machines() const;
  /// In the order in which the reports named them.
  std::vector<FactRow> facts() const;
  /// How the machine stands to the fact; both by their place in the lists above.
  Stand stand(std::size_t machine, std::size_t fact) const;

 private:
  struct Known {
    FleetMachine about;
    std::optional<KernelVersion> kernel;
    HostBlock host;             // what identifies
    std::vector<Stand> stands;  // by fact; may be shorter than the list of facts
  };
  struct Column {
    std::string id, unit;
    bool identifying = false, number = false;
    double least = 0, most = 0;
    std::map<std::string, std::size_t> values;
  };

  std::size_t column_of(const std::string& id);
  bool contradicts(const Known& known, const std::vector<Stand>& stands) const;
  void note_value(Column& column, const KnownFact& fact, bool new_machine);

  std::vector<Known> machines_;
  std::vector<Column> columns_;
  std::unordered_map<std::string, std::size_t> column_index_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_host_;
  std::size_t reports_ = 0;
};

}  // namespace loopscope
