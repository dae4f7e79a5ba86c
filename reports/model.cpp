// Run: look-ups, and scalars as text.
#include "reports/model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace loopscope::reports {
namespace {

struct ToText {
  std::string operator()(std::monostate) const { return "-"; }
  std::string operator()(bool value) const { return value ? "yes" : "no"; }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return fmt::format("{:g}", value); }
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(const std::vector<std::string>& values) const {
    return fmt::format("{}", fmt::join(values, ", "));
  }
};

}  // namespace

std::string to_text(const Scalar& value) { return std::visit(ToText{}, value); }

std::string text_of(const Fields& fields, std::string_view key) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == key; });
  return found == fields.end() ? std::string{} : to_text(found->second);
}

const Cell* Run::find(std::string_view loop, std::string_view scenario, std::int64_t repeat) const {
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.scenario == scenario && cell.loop == loop && cell.repeat == repeat;
  });
  return found == cells.end() ? nullptr : &*found;
}

const Fact* Run::fact(std::string_view id) const {
  const auto found =
      std::find_if(facts.begin(), facts.end(), [&](const Fact& f) { return f.id == id; });
  return found == facts.end() ? nullptr : &*found;
}

const ScenarioRow* Run::scenario(std::string_view id) const {
  const auto& rows = catalogue.scenarios;
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.id == id; });
  return found == rows.end() ? nullptr : &*found;
}

const LoopRow* Run::loop(std::string_view name) const {
  const auto& rows = catalogue.loops;
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace loopscope::reports
