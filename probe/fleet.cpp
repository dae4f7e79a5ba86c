// Counting by machine: reports with one host are one machine until their facts contradict.
#include "probe/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "probe/identity.hpp"
#include "probe/render.hpp"

namespace loopscope {
namespace {

/// The version that comes behind; the last ones of a series are history.
KernelVersion next_of(KernelVersion version) {
  constexpr KernelVersion kLast[] = {{3, 19}, {4, 20}, {5, 19}};
  for (const KernelVersion last : kLast) {
    if (version == last) return {version.major + 1, 0};
  }
  return {version.major, version.minor + 1};
}

std::string text(KernelVersion version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

enum class Verdict : std::uint8_t { yes, no, both };

Verdict verdict_of(const KernelAnswers& answers) {
  if (answers.has != 0 && answers.lacks != 0) return Verdict::both;
  return answers.has != 0 ? Verdict::yes : Verdict::no;
}

/// Versions that follow each other without a gap and say the same.
struct Span {
  KernelVersion first, last;
  Verdict verdict;
};

std::string host_key(const HostBlock& host) {
  std::string key;
  for (const auto& [field, value] : host) {
    key += field + '=' + value_text({.value = value}) + '\n';
  }
  return key;
}

HostBlock identifying_part(const HostBlock& host) {
  HostBlock part;
  for (const auto& field : host) {
    if (identifies(field.first)) part.push_back(field);
  }
  std::sort(part.begin(), part.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return part;
}

Stand stand_of(const KnownFact& fact) {
  if (std::holds_alternative<std::monostate>(fact.value)) {
    return fact.reason == "not_applicable" ? Stand::not_applicable : Stand::unknown;
  }
  return holds(fact.value) ? Stand::has : Stand::lacks;
}

/// What a machine runs in or under. A virtual machine has a kernel of its own and counts as one.
std::string layer_of(const Machine& machine) {
  std::string all;
  for (const auto& [field, value] : machine.host) {
    const auto* layers = std::get_if<std::vector<std::string>>(&value);
    if (field != "layers" || layers == nullptr) continue;
    for (const std::string& layer : *layers) {
      if (layer.starts_with("virtual machine")) continue;
      all += (all.empty() ? "" : ", ") + layer;
    }
  }
  return all;
}

}  // namespace

std::string_view name(Stand stand) {
  constexpr std::array<std::string_view, 4> kNames{"unknown", "has", "lacks", "not_applicable"};
  return kNames.at(static_cast<std::size_t>(stand));
}

std::optional<KernelVersion> kernel_version(const Machine& machine) {
  if (machine.host_text("os") != "Linux") return std::nullopt;
  const std::string kernel = machine.host_text("kernel");
  const char* const end = kernel.data() + kernel.size();
  KernelVersion version;
  const auto major = std::from_chars(kernel.data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc()) return std::nullopt;
  return version;
}

std::string kernel_statement(const std::map<KernelVersion, KernelAnswers>& versions) {
  std::vector<Span> spans;
  for (const auto& [version, answers] : versions) {
    const Verdict verdict = verdict_of(answers);
    if (!spans.empty() && next_of(spans.back().last) == version &&
        spans.back().verdict == verdict) {
      spans.back().last = version;
    } else {
      spans.push_back({version, version, verdict});
    }
  }
  constexpr std::array<std::string_view, 3> kWords{"yes", "no", "yes and no"};
  std::string said, gaps;
  for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
    const std::string_view word = kWords.at(static_cast<std::size_t>(span->verdict));
    const std::string first = text(span->first), last = text(span->last);
    said += fmt::format("{}{} {}", said.empty() ? "" : "; ", word,
                        first == last ? "at " + first : "from " + first + " to " + last);
    const auto older = span + 1;
    if (older != spans.rend() && next_of(older->last) != span->first) {
      gaps += fmt::format("; no data between {} and {}", text(older->last), first);
    }
  }
  return said + gaps;
}

std::size_t Fleet::column_of(const std::string& id) {
  const auto [place, is_new] = column_index_.try_emplace(id, columns_.size());
  if (is_new) columns_.push_back({.id = id, .unit = "", .values = {}});
  return place->second;
}

bool Fleet::contradicts(const Known& known, const std::vector<Stand>& stands) const {
  const std::size_t common = std::min(known.stands.size(), stands.size());
  for (std::size_t i = 0; i < common; ++i) {
    const Stand a = known.stands[i], b = stands[i];
    const bool both = a != Stand::unknown && b != Stand::unknown;
    if (both && a != b && columns_[i].identifying) return true;
  }
  return false;
}

void Fleet::note_value(Column& column, const KnownFact& fact, bool new_machine) {
  double number = 0;
  if (const auto* whole = std::get_if<std::int64_t>(&fact.value)) {
    number = static_cast<double>(*whole);
  } else if (const auto* real = std::get_if<double>(&fact.value)) {
    number = *real;
  } else {
    const auto* word = std::get_if<std::string>(&fact.value);
    if (word == nullptr || !new_machine) return;
    if (column.values.size() < kMostValues || column.values.count(*word) != 0) {
      ++column.values[*word];
    }
    return;
  }
  column.least = column.number ? std::min(column.least, number) : number;
  column.most = column.number ? std::max(column.most, number) : number;
  column.number = true;
  column.unit = fact.unit;
}

void Fleet::add(const Machine& machine, const std::string& report) {
  ++reports_;
  std::vector<Stand> stands(columns_.size(), Stand::unknown);
  for (const KnownFact& fact : machine.facts) {
    const std::size_t column = column_of(fact.id);
    if (stands.size() <= column) stands.resize(column + 1, Stand::unknown);
    stands[column] = stand_of(fact);
    if (identifies(fact.id, fact.value)) columns_[column].identifying = true;
  }
  HostBlock host = identifying_part(machine.host);
  std::vector<std::size_t>& same_host = by_host_[host_key(host)];
  const auto found = std::find_if(same_host.begin(), same_host.end(), [&](std::size_t index) {
    return !contradicts(machines_[index], stands);
  });
  const bool is_new = found == same_host.end();
  for (const KnownFact& fact : machine.facts) {
    note_value(columns_[column_of(fact.id)], fact, is_new);
  }
  if (is_new) {
    same_host.push_back(machines_.size());
    machines_.push_back({.about = {.identity = "",
                                   .os = machine.host_text("os"),
                                   .kernel = machine.host_text("kernel"),
                                   .arch = machine.host_text("arch"),
                                   .layer = layer_of(machine),
                                   .first_report = report,
                                   .reports = 1},
                         .kernel = kernel_version(machine),
                         .host = std::move(host),
                         .stands = std::move(stands)});
    return;
  }
  Known& known = machines_[*found];
  ++known.about.reports;
  known.stands.resize(std::max(known.stands.size(), stands.size()), Stand::unknown);
  for (std::size_t i = 0; i < stands.size(); ++i) {
    if (known.stands[i] == Stand::unknown) known.stands[i] = stands[i];
  }
}

Stand Fleet::stand(std::size_t machine, std::size_t fact) const {
  const std::vector<Stand>& stands = machines_[machine].stands;
  return fact < stands.size() ? stands[fact] : Stand::unknown;
}

std::vector<FleetMachine> Fleet::machines() const {
  std::vector<FleetMachine> list;
  for (const Known& known : machines_) {
    std::vector<std::pair<std::string_view, bool>> answers;
    for (std::size_t i = 0; i < known.stands.size(); ++i) {
      if (!columns_[i].identifying) continue;
      if (known.stands[i] == Stand::has || known.stands[i] == Stand::lacks) {
        answers.emplace_back(columns_[i].id, known.stands[i] == Stand::has);
      }
    }
    list.push_back(known.about);
    list.back().identity = identity_of(std::move(answers), known.host);
  }
  return list;
}

std::vector<Fleet::FactRow> Fleet::facts() const {
  std::vector<FactRow> rows;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    FactRow row{.id = column.id,
                .kernels = {},
                .values = column.values,
                .least = column.least,
                .most = column.most,
                .number = column.number,
                .unit = column.unit};
    for (std::size_t m = 0; m < machines_.size(); ++m) {
      const Known& known = machines_[m];
      const Stand stand = this->stand(m, i);
      Counts& counts = known.about.layer.empty() ? row.plain : row.layered;
      ++counts.at(static_cast<std::size_t>(stand));
      if (!known.kernel || !known.about.layer.empty()) continue;
      if (stand == Stand::has) ++row.kernels[*known.kernel].has;
      if (stand == Stand::lacks) ++row.kernels[*known.kernel].lacks;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace loopscope
