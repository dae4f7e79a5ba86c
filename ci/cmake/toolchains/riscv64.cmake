# Toolchain of riscv64: Debian's package g++-riscv64-linux-gnu.
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(triplet riscv64-linux-gnu)
include("${CMAKE_CURRENT_LIST_DIR}/cross.cmake")
