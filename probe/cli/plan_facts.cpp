// Facts, the runner's defaults and temporary folders for the commands that run cells.
#include "probe/cli/plan_facts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "harness/host.hpp"
#include "loops/base/error.hpp"
#include "probe/cli/common.hpp"
#include "probe/environment.hpp"
#include "probe/measure.hpp"
#include "probe/render.hpp"

namespace loopscope::cli {
namespace {

FactAnswer answer_of(const MeasuredFact& fact) {
  if (fact_is_true(fact)) return {.holds = true, .reason = {}};
  const FactResult& result = fact.result;
  std::string why = value_text(result);
  if (result.reason != Reason::none) why += fmt::format(" ({})", name(result.reason));
  for (const Evidence& evidence : result.evidence) {
    if (evidence.errno_value == 0) continue;
    why += fmt::format("; {}: {}", evidence.call, evidence.result);
    break;
  }
  return {.holds = false, .reason = why};
}

}  // namespace

FactAnswers answers_of(const std::vector<MeasuredFact>& facts) {
  FactAnswers answers;
  for (const MeasuredFact& fact : facts) answers[fact.id] = answer_of(fact);
  return answers;
}

FactTexts texts_of(const std::vector<MeasuredFact>& facts) {
  FactTexts texts;
  for (const MeasuredFact& fact : facts) {
    const FactResult& result = fact.result;
    const auto* number = std::get_if<std::int64_t>(&result.value);
    const auto* flag = std::get_if<bool>(&result.value);
    std::string& text = texts[fact.id];
    text = number != nullptr ? std::to_string(*number) : value_text(result);
    const bool is_no = flag != nullptr ? !*flag : result.value == FactValue{};
    const auto failed =
        std::find_if(result.evidence.begin(), result.evidence.end(),
                     [](const Evidence& evidence) { return evidence.errno_value != 0; });
    if (!is_no || failed == result.evidence.end()) continue;
    text += " " + error_name(std::error_code(failed->errno_value, std::generic_category()));
  }
  return texts;
}

FactAnswers measured_answers() { return answers_of(measure_facts()); }

RunnerOptions base_runner_options(unsigned jobs) {
  Result<std::string> self = own_executable();
  if (!self.ok()) {
    stop(Message("LS070", "this program does not know its own path")
             .fact("because", to_string(self.error())),
         ExitCode::bug);
  }
  if (jobs == 0) jobs = static_cast<unsigned>(std::max(effective_cpus(), 1));
  return {.executable = self.value(), .invoked_as = invoked_as(), .jobs = jobs};
}

TempRoot::TempRoot() {
  Result<std::string> made = host::make_temp_dir("loopscope");
  if (!made.ok()) {
    stop(Message("LS030", "no temporary directory").fact("because", to_string(made.error())));
  }
  path_ = std::move(made).value();
}

TempRoot::~TempRoot() { host::remove_tree(path_); }

}  // namespace loopscope::cli
