// ProbeContext: what a fact may use while it is measured: a record of its calls and a folder.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "loops/base/clock.hpp"
#include "loops/os/fd.hpp"
#include "probe/probe.hpp"

namespace loopscope {

/// An answer of "yes".
FactResult yes(std::string note = {});
/// An answer of "no", with the reason.
FactResult no(Reason reason, std::string note = {});
/// No answer, with the reason.
FactResult null(Reason reason, std::string note = {});
FactResult count(std::int64_t value, std::string note = {});
FactResult byte_count(std::int64_t value, std::string note = {});
FactResult nanoseconds(std::int64_t value, std::string note = {});
FactResult words(std::string value, std::string note = {});
FactResult word_set(std::vector<std::string> value, std::string note = {});

/// The middle of the samples as the value, all of them kept for the quantiles.
FactResult median_of(std::vector<double> samples, Unit unit, std::string note = {});

class ProbeContext {
 public:
  /// folder: where the fact's own folder goes when it asks for it; empty where there is none.
  /// deadline: from now on, after which the process that asks is killed.
  explicit ProbeContext(std::string folder, bool thorough = false,
                        Duration deadline = std::chrono::milliseconds(500))
      : folder_(std::move(folder)), thorough_(thorough), half_time_(now() + deadline / 2) {}

  /// Is there time for more samples than an answer needs?
  bool thorough() const { return thorough_; }
  int rounds(int quick, int many) const { return thorough_ ? many : quick; }
  /// Has half of the time gone? Then an answer out of what was measured is better than none.
  bool is_late() const { return now() >= half_time_; }

  /// Records a call and what it returned, with errno when that was -1. Returns what it returned;
  /// errno is as the call left it.
  template <class Integer>
  Integer call(std::string_view what, Integer returned) {
    static_assert(std::is_integral_v<Integer>);
    const int error = errno;
    record(what, static_cast<long long>(returned), returned == Integer(-1) ? error : 0);
    errno = error;
    return returned;
  }
  /// The same for calls that return the error number itself, 0 for success.
  int call_status(std::string_view what, int number);
  /// Records an observation that is not a return value.
  void note(std::string_view what, std::string result, int errno_value = 0);

  /// "no", because of the last call that failed.
  FactResult refused(std::string note = {}) const { return no(reason_of_errno(error_), note); }
  /// No answer, because of the last call that failed.
  FactResult unknown(std::string note = {}) const { return null(reason_of_errno(error_), note); }
  /// errno of the last recorded call that failed; 0 when none did.
  int last_error() const { return error_; }

  /// A private folder, made at the first call; empty where none could be made.
  const std::string& temp_dir();
  /// A path inside of it; one that nothing can have where there is no folder.
  std::string temp_path(std::string_view name) {
    const std::string& folder = temp_dir();
    return (folder.empty() ? "/dev/null/no-temporary-folder" : folder) + "/" + std::string(name);
  }
  /// A fresh file of the folder, open for reading and writing, positioned at 0; recorded.
  os::UniqueFd temp_file(std::string_view contents = {});

  /// Records that two ways to learn one thing do not say the same.
  void disagree(std::string one, std::string one_says, std::string other, std::string other_says) {
    conflicts_.push_back(
        {std::move(one), std::move(one_says), std::move(other), std::move(other_says)});
  }

  /// What was recorded, once.
  std::vector<Evidence> take_evidence();
  std::vector<Conflict> take_conflicts() { return std::exchange(conflicts_, {}); }
  /// What the fact did to the machine, as far as the context saw it.
  Effect effect() const { return temp_dir_.empty() ? Effect::none : Effect::files; }

 private:
  void record(std::string_view what, long long returned, int error);

  std::string folder_, temp_dir_;
  bool thorough_ = false;
  TimePoint half_time_;
  std::vector<Evidence> evidence_;
  std::vector<Conflict> conflicts_;
  int error_ = 0;
  int files_ = 0;
};

}  // namespace loopscope
