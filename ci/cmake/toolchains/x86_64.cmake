# Toolchain of x86_64: Debian's package g++-x86-64-linux-gnu.
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(triplet x86_64-linux-gnu)
include("${CMAKE_CURRENT_LIST_DIR}/cross.cmake")
