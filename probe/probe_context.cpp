// ProbeContext and the words for answers.
#include "probe/probe_context.hpp"

#include <cmath>
#include <utility>

#include "probe/statistics.hpp"

namespace loopscope {

namespace {
constexpr std::size_t kMaxEvidence = 64;  // A loop in a fact must not flood the journal.
}

FactResult yes(std::string note) { return {.value = true, .note = std::move(note)}; }

FactResult no(Reason reason, std::string note) {
  return {.value = false, .reason = reason, .note = std::move(note)};
}

FactResult null(Reason reason, std::string note) {
  return {.reason = reason == Reason::none ? Reason::failed : reason, .note = std::move(note)};
}

FactResult count(std::int64_t value, std::string note) {
  return {.value = value, .unit = Unit::count, .note = std::move(note)};
}

FactResult byte_count(std::int64_t value, std::string note) {
  return {.value = value, .unit = Unit::bytes, .note = std::move(note)};
}

FactResult nanoseconds(std::int64_t value, std::string note) {
  return {.value = value, .unit = Unit::nanoseconds, .note = std::move(note)};
}

FactResult words(std::string value, std::string note) {
  return {.value = std::move(value), .note = std::move(note)};
}

FactResult word_set(std::vector<std::string> value, std::string note) {
  return {.value = std::move(value), .note = std::move(note)};
}

FactResult median_of(std::vector<double> samples, Unit unit, std::string note) {
  const std::optional<Quantiles> q = quantiles(samples);
  if (!q) return null(Reason::failed, std::move(note));
  const auto middle = static_cast<std::int64_t>(std::llround(q->p50));
  return {.value = middle, .unit = unit, .note = std::move(note), .samples = std::move(samples)};
}

int ProbeContext::call_status(std::string_view what, int number) {
  record(what, number, number);
  return number;
}

void ProbeContext::note(std::string_view what, std::string result, int errno_value) {
  if (errno_value != 0) error_ = errno_value;
  if (evidence_.size() >= kMaxEvidence) return;
  evidence_.push_back({std::string(what), std::move(result), errno_value});
}

void ProbeContext::record(std::string_view what, long long returned, int error) {
  std::string result = std::to_string(returned);
  if (error != 0) result += " " + error_name(std::error_code(error, errno_category()));
  note(what, std::move(result), error);
}

std::vector<Evidence> ProbeContext::take_evidence() {
  error_ = 0;
  return std::exchange(evidence_, {});
}

}  // namespace loopscope
