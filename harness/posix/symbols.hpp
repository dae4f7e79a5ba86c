// Names for addresses of this program, from its own symbol table: also of static functions.
#pragma once

#include <cstdint>
#include <string>

namespace loopscope::symbols {

/// "name+0x1f" of the function that covers this offset from the load address (the address itself
/// in a program that is not position-independent), still mangled; empty when the program was
/// stripped or the offset is not inside a function.
std::string name_at(std::uintptr_t offset);

}  // namespace loopscope::symbols
