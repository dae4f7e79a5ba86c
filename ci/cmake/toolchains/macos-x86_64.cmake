# Toolchain of macOS on x86-64, compiled and linked by zig: ci/compiled.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(triplet x86_64-macos)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
