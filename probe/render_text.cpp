// Facts as a table for a terminal: grouped by mechanism, aligned, wrapped at the width.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "probe/checks.hpp"
#include "probe/render.hpp"
#include "probe/statistics.hpp"

namespace loopscope {

namespace {

constexpr int kIndent = 2;
constexpr std::size_t kValueColumn = 16;  // Longer values start on the note's line.

/// Character count of UTF-8: what a terminal advances for our texts.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string pad(std::string text, std::size_t width) {
  const std::size_t have = columns(text);
  if (have < width) text.append(width - have, ' ');
  return text;
}

std::string duration_text(double ns) {
  const double size = std::fabs(ns);
  if (size >= 1e9) return fmt::format("{:.3g} s", ns / 1e9);
  if (size >= 1e6) return fmt::format("{:.3g} ms", ns / 1e6);
  if (size >= 1e4) return fmt::format("{:.3g} us", ns / 1e3);
  return fmt::format("{:g} ns", ns);
}

std::string number_text(double value, Unit unit) {
  if (unit == Unit::nanoseconds) return duration_text(value);
  const std::string digits =
      std::fabs(value) < 1e15 ? fmt::format("{:.15g}", value) : fmt::format("{:.3g}", value);
  return unit == Unit::bytes || unit == Unit::seconds ? digits + " " + std::string(name(unit))
                                                      : digits;
}

struct Style {
  bool colour;
  std::string paint(const char* code, const std::string& text) const {
    return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }
  std::string bold(const std::string& text) const { return paint("1", text); }
  std::string value(const FactResult& result, const std::string& text) const {
    if (std::holds_alternative<std::monostate>(result.value)) return paint("33", text);
    const bool* flag = std::get_if<bool>(&result.value);
    if (flag == nullptr) return text;
    return paint(*flag ? "32" : "31", text);
  }
};

/// Breaks at spaces; a word longer than the room stays whole.
std::vector<std::string> wrap(std::string_view text, std::size_t room) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (!line.empty() && columns(line) + 1 + columns(word) > room) {
      lines.push_back(std::move(line));
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  if (!line.empty() || lines.empty()) lines.push_back(std::move(line));
  return lines;
}

/// What stands right of the value: the reason of a null or a no with its errno, then the note.
std::string remark(const MeasuredFact& fact) {
  const FactResult& r = fact.result;
  std::string text;
  if (r.reason != Reason::none) {
    text = std::string(name(r.reason));
    for (auto item = r.evidence.rbegin(); item != r.evidence.rend(); ++item) {
      if (item->errno_value == 0) continue;
      text += fmt::format(" [{}: {}]", item->call, item->result);
      break;
    }
  }
  if (!r.note.empty()) text += (text.empty() ? "" : "; ") + r.note;
  if (const std::string bounds = samples_text(r.samples, r.unit); !bounds.empty()) {
    text += (text.empty() ? "" : "; ") + bounds;
  }
  if (const bool listed = r.table.empty(); !listed) {
    text += fmt::format("{}table of {} rows below", text.empty() ? "" : "; ", r.table.size());
  }
  return text;
}

void print_fact(std::string& out, const MeasuredFact& fact, std::size_t id_width, int width,
                const Style& style) {
  const std::string value = value_text(fact.result);
  const bool long_value = columns(value) > kValueColumn;
  std::string right = remark(fact);
  if (long_value) right = right.empty() ? value : value + " | " + right;
  const std::size_t left = kIndent + id_width + 2 + kValueColumn + 2;
  const std::size_t start = long_value ? kIndent + id_width + 2 : left;
  const std::size_t total = static_cast<std::size_t>(width);
  const auto lines = wrap(right, total > start + 20 ? total - start : 20);
  std::string first = std::string(kIndent, ' ') + pad(fact.id, id_width) + "  ";
  if (!long_value) first += style.value(fact.result, pad(value, kValueColumn)) + "  ";
  first += lines.front();
  first.erase(first.find_last_not_of(' ') + 1);
  out += first + "\n";
  for (std::size_t i = 1; i < lines.size(); ++i) out += std::string(start, ' ') + lines[i] + "\n";
}

void print_table(std::string& out, const MeasuredFact& fact, const Style& style) {
  std::vector<std::string> header{"kind"};
  for (const auto& [column, cell] : fact.result.table.front().cells) header.push_back(column);
  std::vector<std::size_t> widths;
  for (const std::string& column : header) widths.push_back(columns(column));
  for (const FactRow& row : fact.result.table) {
    widths[0] = std::max(widths[0], columns(row.name));
    for (std::size_t i = 0; i < row.cells.size() && i + 1 < widths.size(); ++i) {
      widths[i + 1] = std::max(widths[i + 1], columns(row.cells[i].second));
    }
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text(kIndent, ' ');
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += i + 1 == cells.size() ? cells[i]
                                    : pad(cells[i], widths[std::min(i, widths.size() - 1)]) + "  ";
    }
    return text + "\n";
  };
  out += "\n" + style.bold(fact.id) + ": " + fact.question + "\n" + style.bold(line(header));
  for (const FactRow& row : fact.result.table) {
    std::vector<std::string> cells{row.name};
    for (const auto& [column, cell] : row.cells) cells.push_back(cell);
    out += line(cells);
  }
}

bool not_applicable(const MeasuredFact& fact) {
  return fact.result.reason == Reason::not_applicable;
}

std::string host_line(const HostBlock& host) {
  std::string line;
  for (const char* key : {"os", "kernel", "arch", "libc", "container", "hypervisor"}) {
    const auto found = std::find_if(host.begin(), host.end(),
                                    [&](const auto& field) { return field.first == key; });
    if (found == host.end()) continue;
    const auto* text = std::get_if<std::string>(&found->second);
    if (text == nullptr || text->empty() || *text == "none") continue;
    const bool labelled = found->first == "container" || found->first == "hypervisor";
    line += (line.empty() ? "" : ", ") + (labelled ? found->first + " " : "") + *text;
  }
  return line;
}

std::string tally_line(std::span<const MeasuredFact> facts, std::chrono::nanoseconds took) {
  std::size_t refused = 0;
  std::size_t unknown = 0;
  std::size_t elsewhere = 0;
  for (const MeasuredFact& fact : facts) {
    const bool* flag = std::get_if<bool>(&fact.result.value);
    if (not_applicable(fact))
      ++elsewhere;
    else if (std::holds_alternative<std::monostate>(fact.result.value))
      ++unknown;
    else if (flag != nullptr && !*flag)
      ++refused;
  }
  return fmt::format(
      "{} facts in {}: {} yes or measured, {} no, {} unknown, {} not applicable here", facts.size(),
      duration_text(static_cast<double>(took.count())),
      facts.size() - refused - unknown - elsewhere, refused, unknown, elsewhere);
}

/// A curve as a table: x, the median, and what the samples were.
void print_curve(std::string& out, const MeasuredFact& fact, const Style& style) {
  const FactResult& r = fact.result;
  out += "\n" + style.bold(fact.id) + ": " + fact.question + "\n";
  out += style.bold(fmt::format("  {:>12}  {:>10}  {:>10}  {:>10}  {:>10}", r.curve_over, "p50",
                                "min", "p90", "max")) +
         "\n";
  for (const CurvePoint& point : r.curve) {
    out += fmt::format("  {:>12.0f}  ", point.x);
    const std::optional<Quantiles> q = quantiles(point.samples);
    if (!point.value) {
      out += fmt::format("{:>10}  {}{}{}\n", "-", name(point.reason),
                         point.note.empty() ? "" : "; ", point.note);
    } else if (!q) {
      out += fmt::format("{:>10}\n", number_text(*point.value, r.unit));
    } else {
      out += fmt::format("{:>10}  {:>10}  {:>10}  {:>10}\n", number_text(q->p50, r.unit),
                         number_text(q->min, r.unit), number_text(q->p90, r.unit),
                         number_text(q->max, r.unit));
    }
  }
}

/// What the answers say of each other; nothing where they fit together.
void print_checks(std::string& out, std::span<const MeasuredFact> facts, const Style& style) {
  std::string conflicts;
  for (const MeasuredFact& fact : facts) {
    for (const Conflict& conflict : fact.result.conflicts) {
      conflicts += fmt::format("  {}: {} says {}, {} says {}\n", fact.id, conflict.one,
                               conflict.one_says, conflict.other, conflict.other_says);
    }
  }
  if (!conflicts.empty()) out += "\n" + style.bold("conflicts between methods") + "\n" + conflicts;
  const ImplicationChecks checks = check_implications(facts);
  if (checks.violations.empty()) return;
  out += "\n" + style.bold("answers that cannot both be right") + "\n";
  for (const Violation& one : checks.violations) {
    out += fmt::format("  {} is {}, and {} is {}: {}\n", one.if_fact, one.if_says, one.then_fact,
                       one.then_says, one.why);
  }
}

/// Facts of other platforms: listed by id, without a line each.
void print_elsewhere(std::string& out, std::span<const MeasuredFact> facts, int width,
                     const Style& style) {
  std::vector<std::pair<std::string, std::string>> groups;  // in the order of the registry
  for (const MeasuredFact& fact : facts) {
    if (!not_applicable(fact)) continue;
    const std::string title = fact.mechanism + " (" + fact.result.note + ")";
    if (groups.empty() || groups.back().first != title) groups.emplace_back(title, "");
    groups.back().second += (groups.back().second.empty() ? "" : " ") + fact.id;
  }
  if (groups.empty()) return;
  out += "\n" + style.bold("not applicable here") + "\n";
  for (const auto& [title, ids] : groups) {
    const std::size_t room = static_cast<std::size_t>(std::max(width, 40)) - 4;
    for (const std::string& line : wrap(title, room)) out += "  " + line + "\n";
    for (const std::string& line : wrap(ids, room)) out += "    " + line + "\n";
  }
}

}  // namespace

std::string value_text(const FactResult& result) {
  struct Visitor {
    Unit unit;
    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(bool flag) const { return flag ? "yes" : "no"; }
    std::string operator()(std::int64_t number) const {
      if (unit == Unit::nanoseconds) return duration_text(static_cast<double>(number));
      const std::string digits = std::to_string(number);
      return unit == Unit::bytes || unit == Unit::seconds ? digits + " " + std::string(name(unit))
                                                          : digits;
    }
    std::string operator()(double number) const { return number_text(number, unit); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const std::vector<std::string>& list) const {
      return list.empty() ? "(none)" : fmt::format("{}", fmt::join(list, ", "));
    }
  };
  return std::visit(Visitor{result.unit}, result.value);
}

std::string samples_text(std::span<const double> samples, Unit unit) {
  const std::optional<Quantiles> q = quantiles(samples);
  if (!q) return {};
  return fmt::format("{} sample{}: min {}, p50 {}, p90 {}, max {}", q->n, q->n == 1 ? "" : "s",
                     number_text(q->min, unit), number_text(q->p50, unit),
                     number_text(q->p90, unit), number_text(q->max, unit));
}

std::string point_text(const CurvePoint& point, Unit unit) {
  std::string text = fmt::format("{:.0f}: ", point.x);
  if (!point.value) {
    return text + fmt::format("- ({}{}{})", name(point.reason), point.note.empty() ? "" : "; ",
                              point.note);
  }
  text += number_text(*point.value, unit);
  const std::optional<Quantiles> q = quantiles(point.samples);
  if (!q) return text;
  return text + fmt::format(" (min {}, p90 {}, max {})", number_text(q->min, unit),
                            number_text(q->p90, unit), number_text(q->max, unit));
}

std::string probe_text(std::span<const MeasuredFact> facts, const HostBlock& host,
                       std::chrono::nanoseconds took, const ProbeTextOptions& options) {
  const Style style{options.colour};
  std::string out = host_line(host) + "\n" + tally_line(facts, took) + "\n";
  std::size_t id_width = 0;
  for (const MeasuredFact& fact : facts) {
    if (!not_applicable(fact)) id_width = std::max(id_width, columns(fact.id));
  }
  std::string_view mechanism;
  for (const MeasuredFact& fact : facts) {
    if (not_applicable(fact)) continue;
    if (fact.mechanism != mechanism) {
      mechanism = fact.mechanism;
      out += "\n" + style.bold(fact.mechanism) + "\n";
    }
    print_fact(out, fact, id_width, options.width, style);
  }
  for (const MeasuredFact& fact : facts) {
    if (!fact.result.table.empty()) print_table(out, fact, style);
    if (!fact.result.curve.empty()) print_curve(out, fact, style);
  }
  print_checks(out, facts, style);
  print_elsewhere(out, facts, options.width, style);
  return out;
}

}  // namespace loopscope
