# Toolchain of Linux on x86-64 with musl, compiled and linked by zig: ci/cross.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(triplet x86_64-linux-musl)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
