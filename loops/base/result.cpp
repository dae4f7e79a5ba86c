// The end of a process that read the wrong side of a Result.
#include "loops/base/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace loopscope::detail {

void bad_result_access(const Error* error) {
  std::fputs("loopscope: error() of a Result that holds a value\n", stderr);
  if (error != nullptr) std::fprintf(stderr, "  %s\n", to_string(*error).c_str());
  std::abort();
}

}  // namespace loopscope::detail
