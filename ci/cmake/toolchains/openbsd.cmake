# Toolchain of OpenBSD on x86-64, compiled and linked by zig: ci/compiled.
set(CMAKE_SYSTEM_NAME OpenBSD)
set(CMAKE_SYSTEM_PROCESSOR amd64)
set(triplet x86_64-openbsd)
include("${CMAKE_CURRENT_LIST_DIR}/zig.cmake")
