# Toolchain of macOS on arm64, compiled and linked by zig: ci/compiled.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(triplet aarch64-macos)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
