# Included by project() of a build with zig: no -isystem /usr/include, which the packages of this
# machine ask for and which would put its libc before the other system's. Their headers are in a
# folder of links (ci/zig).
list(APPEND CMAKE_C_IMPLICIT_INCLUDE_DIRECTORIES /usr/include)
list(APPEND CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES /usr/include)
