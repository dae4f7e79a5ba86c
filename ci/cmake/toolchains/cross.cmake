# What the toolchain files have in common: Debian's cross compilers, g++-<triplet>.
#
# Libraries that are headers alone come from this machine and fit every architecture. The others,
# libuv, liburing and OpenSSL, are in the folder LOOPSCOPE_CROSS_LIBRARIES (ci/unpacked).
# Without it the rows of libuv and io_uring and the capability start_tls say why they are absent.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${triplet}-gcc)
set(CMAKE_CXX_COMPILER ${triplet}-g++)
file(GLOB packages /usr/lib/*-linux-gnu*/cmake)
list(APPEND CMAKE_PREFIX_PATH ${packages})
include("${CMAKE_CURRENT_LIST_DIR}/libraries.cmake")
