# Toolchain of s390x: Debian's package g++-s390x-linux-gnu.
set(CMAKE_SYSTEM_PROCESSOR s390x)
set(triplet s390x-linux-gnu)
include("${CMAKE_CURRENT_LIST_DIR}/cross.cmake")
