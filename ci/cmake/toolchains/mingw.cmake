# Windows programs from MinGW-w64 with POSIX threads, GCC 14 or later, as one file without DLLs.
#
# What was built for Windows is looked for in /opt/windows; of the build machine's packages only
# the header-only ones are taken, each by name (ci/windows/root.sh).
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32 /opt/windows)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
# Sections that begin with a page of the file can be mapped. Of others Wine reads all 12 MB for each
# process, which took 25 ms in place of 20: and every cell is one.
add_link_options(-Wl,--file-alignment,4096)
# A test is run by the loader itself: the wine wrapper prints hints about 32-bit programs.
set(CMAKE_CROSSCOMPILING_EMULATOR /usr/lib/wine/wine64)
