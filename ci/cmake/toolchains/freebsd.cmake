# Toolchain of FreeBSD on x86-64, compiled and linked by zig: ci/compiled.
set(CMAKE_SYSTEM_NAME FreeBSD)
set(CMAKE_SYSTEM_PROCESSOR amd64)
set(triplet x86_64-freebsd)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
