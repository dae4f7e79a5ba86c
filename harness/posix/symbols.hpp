// Names for addresses of this program, from its own symbol table: also of static functions.
#pragma once

#include <cstdint>
#include <string>

namespace loopscope::symbols {

/// The function that covers this address, as the program was linked, still mangled; empty when the
/// program was stripped or the address is not inside a function.
std::string name_at(std::uintptr_t address);

/// The lowest address that the program was linked for: 0 in one that may be loaded anywhere, whose
/// addresses are counted from where it was loaded.
std::uintptr_t linked_at();

}  // namespace loopscope::symbols
