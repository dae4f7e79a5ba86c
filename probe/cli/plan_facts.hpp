// What a run needs besides its selection: the facts as the planner wants them, the runner's
// defaults, a folder for the cells.
#pragma once

#include <string>
#include <vector>

#include "harness/expectation.hpp"
#include "harness/plan.hpp"
#include "harness/runner.hpp"
#include "probe/probe.hpp"

namespace loopscope::cli {

FactAnswers answers_of(const std::vector<MeasuredFact>& facts);
/// For the conditions of expectations: "yes", "no EPERM" with the first errno that was seen,
/// numbers as they are, lists with ", " between, "-" without an answer.
FactTexts texts_of(const std::vector<MeasuredFact>& facts);
/// Measures all facts now.
FactAnswers measured_answers();

/// This program as the children's program. jobs: 0 takes the CPUs.
RunnerOptions base_runner_options(unsigned jobs);

/// A directory for all cells of a run, gone at its end. Stops when it cannot be made.
class TempRoot {
 public:
  TempRoot();
  ~TempRoot();
  TempRoot(const TempRoot&) = delete;
  TempRoot& operator=(const TempRoot&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace loopscope::cli
