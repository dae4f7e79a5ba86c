# Toolchain of riscv64: Debian's package g++-riscv64-linux-gnu.
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(triplet riscv64-linux-gnu)
include("${CMAKE_CURRENT_LIST_DIR}/cross.cmake")

# GCC 12 calls libatomic for atomics of less than a word here; and the linker's search for shorter
# jumps takes more than ten minutes over a program that is not optimised.
set(CMAKE_CXX_STANDARD_LIBRARIES_INIT "-latomic")
string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -Wl,--no-relax")
