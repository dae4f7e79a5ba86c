# What the toolchain files of macOS, the BSDs and musl have in common: zig's clang and its copies of
# their headers and libraries (ci/zig/install.sh). `triplet` is the target as zig names it.
#
# Of this machine's packages only headers are used. libuv, liburing and OpenSSL are in the folder
# LOOPSCOPE_CROSS_LIBRARIES (ci/zig/libraries.sh). Without it the rows and capabilities that need
# them say why they are absent.
if(DEFINED ENV{LOOPSCOPE_ZIG})
  set(LOOPSCOPE_ZIG "$ENV{LOOPSCOPE_ZIG}" CACHE FILEPATH "zig, as ci/zig/install.sh sets it")
endif()
set(CMAKE_C_COMPILER "${LOOPSCOPE_ZIG}/${triplet}-cc")
set(CMAKE_CXX_COMPILER "${LOOPSCOPE_ZIG}/${triplet}-c++")
set(CMAKE_AR "${LOOPSCOPE_ZIG}/zig-ar" CACHE FILEPATH "" FORCE)
set(CMAKE_RANLIB "${LOOPSCOPE_ZIG}/zig-ranlib" CACHE FILEPATH "" FORCE)
set(CMAKE_C_COMPILER_AR "${CMAKE_AR}")
set(CMAKE_CXX_COMPILER_AR "${CMAKE_AR}")
set(CMAKE_C_COMPILER_RANLIB "${CMAKE_RANLIB}")
set(CMAKE_CXX_COMPILER_RANLIB "${CMAKE_RANLIB}")
set(CMAKE_OSX_SYSROOT "" CACHE STRING "" FORCE)
set(CMAKE_OSX_DEPLOYMENT_TARGET "" CACHE STRING "" FORCE)
set(CMAKE_SHARED_LINKER_FLAGS_INIT "")
set(CCACHE_PROGRAM OFF CACHE STRING "" FORCE)  # zig keeps what it has compiled
# libc++'s headers lack these marks, and with Darwin's headers that have them clang says so.
set(CMAKE_CXX_FLAGS_INIT "-Wno-nullability-completeness -idirafter ${LOOPSCOPE_ZIG}/headers")
set(CMAKE_PROJECT_loopscope_INCLUDE "${CMAKE_CURRENT_LIST_DIR}/zig-headers.cmake")
file(GLOB packages /usr/lib/*-linux-gnu*/cmake)
list(APPEND CMAKE_PREFIX_PATH ${packages})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
include("${CMAKE_CURRENT_LIST_DIR}/libraries.cmake")
set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
