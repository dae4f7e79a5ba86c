// Asking the kernel whether there is memory that it does not keep mapped.
#include "loops/os/linux/high_memory.hpp"

#include <fstream>
#include <string>

namespace loopscope::os {

bool has_high_memory() { return sizeof(void*) == 4 && tells_of_high_memory("/proc/meminfo"); }

bool tells_of_high_memory(const char* meminfo) {
  std::ifstream lines(meminfo);
  for (std::string word; lines >> word;) {
    if (word != "HighTotal:") continue;
    long kilobytes = 0;
    return lines >> kilobytes && kilobytes > 0;
  }
  return false;
}

}  // namespace loopscope::os
