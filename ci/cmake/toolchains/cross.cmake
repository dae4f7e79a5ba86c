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
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LOOPSCOPE_CROSS_LIBRARIES)
if(LOOPSCOPE_CROSS_LIBRARIES)
  # Debian's folders have names of their own: i386-linux-gnu where the compiler is i686-linux-gnu.
  file(GLOB libraries "${LOOPSCOPE_CROSS_LIBRARIES}/usr/lib/*-linux-gnu*")
  file(GLOB own_headers "${LOOPSCOPE_CROSS_LIBRARIES}/usr/include/*-linux-gnu*")
  set(CMAKE_LIBRARY_PATH ${libraries})
  set(CMAKE_INCLUDE_PATH "${LOOPSCOPE_CROSS_LIBRARIES}/usr/include")
  set(CMAKE_CXX_FLAGS_INIT "-isystem ${own_headers}")
  set(ENV{PKG_CONFIG_SYSROOT_DIR} "${LOOPSCOPE_CROSS_LIBRARIES}")
  set(ENV{PKG_CONFIG_LIBDIR} "${libraries}/pkgconfig")
else()
  set(LOOPSCOPE_WITHOUT_LIBUV ON CACHE BOOL "" FORCE)
  set(LOOPSCOPE_WITHOUT_LIBURING ON CACHE BOOL "" FORCE)
  set(LOOPSCOPE_WITHOUT_OPENSSL ON CACHE BOOL "" FORCE)
endif()
