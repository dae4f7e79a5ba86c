// How activities are named in a log.
#include "loops/activity.hpp"

#include "loops/base/type_name.hpp"

namespace loopscope::detail {

std::string callback_text(std::string_view kind, long long number, const std::type_info& type) {
  return std::string(kind) + " " + std::to_string(number) + ": " + type_name(type);
}

std::string method_text(const std::type_info& type, std::string_view method) {
  return type_name(type) + "::" + std::string(method) + "()";
}

std::string task_text(const std::string& name) {
  return name.empty() ? "a step of a task without a name" : "a step of task " + name;
}

}  // namespace loopscope::detail
