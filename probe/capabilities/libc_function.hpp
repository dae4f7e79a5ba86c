// Functions that a C library may lack, asked of the one that is there.
#pragma once

#include <dlfcn.h>

namespace loopscope {

/// linked: what the linker found under that name, declared weak; null where it found nothing. A
/// static program has no names to ask for, and ci/cmake/Static.cmake wants these of the linker.
template <class Function>
Function* libc_function(const char* name, Function* linked) {
  if (void* found = ::dlsym(RTLD_DEFAULT, name)) return reinterpret_cast<Function*>(found);
  return linked;
}

}  // namespace loopscope
