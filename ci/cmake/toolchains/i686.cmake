# Toolchain of i686: Debian's package g++-i686-linux-gnu.
set(CMAKE_SYSTEM_PROCESSOR i686)
set(triplet i686-linux-gnu)
include("${CMAKE_CURRENT_LIST_DIR}/cross.cmake")
