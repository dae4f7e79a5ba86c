# LOOPSCOPE_STATIC=ON: one executable that needs nothing at run time, for machines where nothing
# can be installed. It is copied there and run, in an empty chroot or as the first process.
#
# The linker warns of getaddrinfo and its kin: glibc's name service switch may load libraries that
# /etc/nsswitch.conf names, and those have to be of the glibc that the program was linked with.
# static_names.cpp tells it to ask the hosts file and DNS alone, which are inside libc.a since
# glibc 2.34, so that nothing is ever loaded. The same warning for dlopen is about OpenSSL's
# loadable engines, which nothing here asks for.
option(LOOPSCOPE_STATIC "Link one executable that needs nothing at run time" OFF)

if(LOOPSCOPE_STATIC)
  set(BUILD_SHARED_LIBS OFF)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
  set(OPENSSL_USE_STATIC_LIBS ON)
  add_link_options(-static)
  # Functions that a libc may lack are asked for by name, and a static program has no names.
  foreach(name getaddrinfo_a posix_spawn_file_actions_addchdir_np
          posix_spawn_file_actions_addclosefrom_np)
    add_link_options("LINKER:--undefined=${name}")
  endforeach()
  # A weak reference takes nothing out of an archive. What musl calls its version is asked for
  # where it links: in glibc's archive the same name is its own and no other file's.
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_LINK_OPTIONS -static)
  check_cxx_source_compiles(
    "extern \"C\" const char it[] __asm__(\"__libc_version\"); int main() { return it[0]; }"
    LOOPSCOPE_MUSL_VERSION)
  unset(CMAKE_REQUIRED_LINK_OPTIONS)
  if(LOOPSCOPE_MUSL_VERSION)
    add_link_options("LINKER:--undefined=__libc_version")
  endif()
endif()
