# What the toolchain files have in common: Debian's cross compilers, g++-<triplet>.
#
# Of the libraries only headers are used, which fit every architecture and come from this machine.
# libuv, liburing and OpenSSL would be libraries of the other one: without them the probe is whole,
# and the rows of libuv and io_uring and the capability start_tls say why they are absent.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${triplet}-gcc)
set(CMAKE_CXX_COMPILER ${triplet}-g++)
file(GLOB packages /usr/lib/*-linux-gnu*/cmake)
list(APPEND CMAKE_PREFIX_PATH ${packages})
set(LOOPSCOPE_WITHOUT_LIBUV ON CACHE BOOL "" FORCE)
set(LOOPSCOPE_WITHOUT_LIBURING ON CACHE BOOL "" FORCE)
set(LOOPSCOPE_WITHOUT_OPENSSL ON CACHE BOOL "" FORCE)
