# Toolchain of ppc64el: Debian's package g++-powerpc64le-linux-gnu.
set(CMAKE_SYSTEM_PROCESSOR ppc64le)
set(triplet powerpc64le-linux-gnu)
include("${CMAKE_CURRENT_LIST_DIR}/cross.cmake")
