// Asked of the linker: what musl calls its version is in its libc.a alone.
#include "probe/posix/linked_musl.hpp"

// Null where the linker found none.
extern "C" [[gnu::weak]] const char linked_musl_version[] __asm__("__libc_version");

namespace loopscope {

std::string linked_musl() {
  return linked_musl_version == nullptr ? std::string() : std::string(linked_musl_version);
}

}  // namespace loopscope
