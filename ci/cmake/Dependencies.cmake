# Third-party packages: the system's first, else a pinned release by FetchContent.
#
# Required: fmt, nlohmann_json, toml++, CLI11, and doctest for the tests. Optional: libuv, without
# which the libuv loop is a row that says why it is absent; liburing, without which the same holds
# for io_uring; OpenSSL 3, without which no loop has TLS.
#   LOOPSCOPE_FETCH=ON             take all of them by FetchContent, also what the system has
#   LOOPSCOPE_WITHOUT_LIBUV=ON     leave libuv out
#   LOOPSCOPE_WITHOUT_LIBURING=ON  leave liburing out
#   LOOPSCOPE_WITHOUT_OPENSSL=ON   leave TLS out
#   FETCHCONTENT_SOURCE_DIR_<NAME> a folder with the sources, so that nothing is downloaded
include(FetchContent)
find_package(PkgConfig QUIET)

option(LOOPSCOPE_WITHOUT_LIBUV "Build without the libuv reference loop" OFF)
option(LOOPSCOPE_WITHOUT_LIBURING "Build without the io_uring loop" OFF)
option(LOOPSCOPE_WITHOUT_OPENSSL "Build without TLS" OFF)

# loopscope_dependency(name VERSION oldest GIT url TAG tag TARGET target)
# Afterwards `target` exists. VERSION is the oldest release that we compile against.
macro(loopscope_dependency name)
  cmake_parse_arguments(dep "" "VERSION;GIT;TAG;TARGET" "" ${ARGN})
  if(NOT LOOPSCOPE_FETCH)
    # A package for another word size is refused; of these only headers are taken then.
    set(dep_pointer_size "${CMAKE_SIZEOF_VOID_P}")
    if(CMAKE_CROSSCOMPILING)
      set(CMAKE_SIZEOF_VOID_P "")
    endif()
    find_package(${name} ${dep_VERSION} QUIET)
    set(CMAKE_SIZEOF_VOID_P "${dep_pointer_size}")
  endif()
  if(NOT TARGET ${dep_TARGET})
    message(STATUS "loopscope: ${name} ${dep_TAG} by FetchContent")
    FetchContent_Declare(${name} GIT_REPOSITORY ${dep_GIT} GIT_TAG ${dep_TAG} GIT_SHALLOW ON
                         SYSTEM)
    FetchContent_MakeAvailable(${name})
  endif()
endmacro()

set(JSON_BuildTests OFF CACHE INTERNAL "")
set(DOCTEST_WITH_TESTS OFF CACHE INTERNAL "")
set(DOCTEST_NO_INSTALL ON CACHE INTERNAL "")
set(LIBUV_BUILD_TESTS OFF CACHE INTERNAL "")

loopscope_dependency(fmt VERSION 9.1 TAG 9.1.0 TARGET fmt::fmt
  GIT https://github.com/fmtlib/fmt.git)
# Debian's fmt is a shared library, and of this machine; its headers hold all of it.
set(LOOPSCOPE_FMT fmt::fmt)
get_target_property(fmt_type fmt::fmt TYPE)
if((LOOPSCOPE_STATIC OR CMAKE_CROSSCOMPILING) AND fmt_type STREQUAL "SHARED_LIBRARY")
  set(LOOPSCOPE_FMT fmt::fmt-header-only)
endif()
loopscope_dependency(nlohmann_json VERSION 3.11 TAG v3.11.2 TARGET nlohmann_json::nlohmann_json
  GIT https://github.com/nlohmann/json.git)
loopscope_dependency(tomlplusplus VERSION 3.3 TAG v3.3.0 TARGET tomlplusplus::tomlplusplus
  GIT https://github.com/marzer/tomlplusplus.git)
# From its headers alone: Debian's library has no static half.
add_library(loopscope_toml INTERFACE)
target_include_directories(loopscope_toml SYSTEM INTERFACE
  $<TARGET_PROPERTY:tomlplusplus::tomlplusplus,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(loopscope_toml INTERFACE TOML_HEADER_ONLY=1)
loopscope_dependency(CLI11 VERSION 2.1 TAG v2.1.2 TARGET CLI11::CLI11
  GIT https://github.com/CLIUtils/CLI11.git)
if(LOOPSCOPE_TESTS)
  loopscope_dependency(doctest VERSION 2.4 TAG v2.4.9 TARGET doctest::doctest
    GIT https://github.com/doctest/doctest.git)
endif()

# The main function of every unit test executable, compiled once.
if(LOOPSCOPE_TESTS)
  add_library(loopscope_doctest_main OBJECT "${PROJECT_SOURCE_DIR}/ci/doctest_main.cpp")
  target_link_libraries(loopscope_doctest_main PUBLIC loopscope_options doctest::doctest)
endif()

# libuv is known by one name, PkgConfig::LIBUV, wherever it comes from. It is downloaded only on
# request: without it a row is missing, and a configure that fails offline would be worse.
set(LIBUV_WHY "libuv not found; its headers and pkg-config file are in libuv1-dev")
if(LOOPSCOPE_WITHOUT_LIBUV)
  set(LIBUV_FOUND FALSE)
  set(LIBUV_WHY "built without libuv: LOOPSCOPE_WITHOUT_LIBUV is on")
elseif(LOOPSCOPE_FETCH OR FETCHCONTENT_SOURCE_DIR_LIBUV)
  message(STATUS "loopscope: libuv v1.44.2 by FetchContent")
  FetchContent_Declare(libuv GIT_REPOSITORY https://github.com/libuv/libuv.git GIT_TAG v1.44.2
                       GIT_SHALLOW ON SYSTEM)
  FetchContent_MakeAvailable(libuv)
  set_target_properties(uv PROPERTIES EXCLUDE_FROM_ALL ON)
  add_library(PkgConfig::LIBUV ALIAS uv_a)
  set(LIBUV_FOUND TRUE)
elseif(WIN32)
  # Its own description for CMake, where it was built for Windows (ci/windows/root.sh).
  find_package(libuv CONFIG QUIET)
  if(TARGET libuv::uv_a)
    add_library(PkgConfig::LIBUV ALIAS libuv::uv_a)
    set(LIBUV_FOUND TRUE)
  endif()
elseif(LOOPSCOPE_STATIC)
  # The static library has a name of its own, which the pkg-config file does not tell.
  find_library(LIBUV_STATIC_LIBRARY uv_a)
  find_path(LIBUV_INCLUDE_FOLDER uv.h)
  if(LIBUV_STATIC_LIBRARY AND LIBUV_INCLUDE_FOLDER)
    add_library(loopscope_libuv INTERFACE IMPORTED)
    target_link_libraries(loopscope_libuv INTERFACE ${LIBUV_STATIC_LIBRARY} Threads::Threads
                          ${CMAKE_DL_LIBS} rt)
    target_include_directories(loopscope_libuv INTERFACE ${LIBUV_INCLUDE_FOLDER})
    add_library(PkgConfig::LIBUV ALIAS loopscope_libuv)
    set(LIBUV_FOUND TRUE)
  else()
    set(LIBUV_WHY "static libuv not found; libuv_a.a is in libuv1-dev")
  endif()
elseif(PkgConfig_FOUND)
  pkg_check_modules(LIBUV IMPORTED_TARGET libuv>=1.44)
endif()

# liburing is the system's or absent: it has no CMake build. Debian 12 has 2.3.
set(LIBURING_WHY "liburing not found; its headers and pkg-config file are in liburing-dev")
if(NOT LINUX)
  set(LIBURING_FOUND FALSE)
  set(LIBURING_WHY "needs Linux")
elseif(LOOPSCOPE_WITHOUT_LIBURING)
  set(LIBURING_FOUND FALSE)
  set(LIBURING_WHY "built without liburing: LOOPSCOPE_WITHOUT_LIBURING is on")
elseif(PkgConfig_FOUND)
  pkg_check_modules(LIBURING IMPORTED_TARGET liburing>=2.3)
endif()

# OpenSSL is the system's or absent, never downloaded: a library that is trusted with keys is
# updated by whoever looks after the machine.
set(LOOPSCOPE_TLS FALSE)
set(TLS_WHY "OpenSSL 3 not found (its headers are in libssl-dev)")
if(LOOPSCOPE_WITHOUT_OPENSSL)
  set(TLS_WHY "built without OpenSSL: LOOPSCOPE_WITHOUT_OPENSSL is on")
else()
  # There it brings the libraries of the system that it needs, and no DLL.
  set(OPENSSL_USE_STATIC_LIBS ${WIN32})
  find_package(OpenSSL 3.0 QUIET COMPONENTS SSL Crypto)
  if(TARGET OpenSSL::SSL)
    set(LOOPSCOPE_TLS TRUE)
  endif()
endif()
if(NOT LOOPSCOPE_TLS)
  message(STATUS "loopscope: TLS is absent: ${TLS_WHY}")
endif()
