# One interface target that carries the warnings and the include root of every component.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_CURRENT_LIST_DIR}/cached" "${CCACHE_PROGRAM}")
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()
find_package(Threads REQUIRED)

# CMake's own choice for Release is -O3, which costs a third more of build time here and buys
# nothing that a verdict or a measurement could show.
if(CMAKE_CXX_FLAGS_RELEASE STREQUAL "-O3 -DNDEBUG")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
endif()

add_library(loopscope_options INTERFACE)
target_include_directories(loopscope_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_link_libraries(loopscope_options INTERFACE Threads::Threads)
target_compile_options(loopscope_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers)

if(CMAKE_SIZEOF_VOID_P EQUAL 4)
  target_compile_definitions(loopscope_options INTERFACE _FILE_OFFSET_BITS=64)
endif()

# Warnings are errors only with the compilers that we build with every day: a newer one may warn
# about something new, and a user's first build must not end there.
if(LOOPSCOPE_WERROR)
  set(compiler "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
  if(compiler MATCHES "^(GNU 12|Clang 14)\\.")
    target_compile_options(loopscope_options INTERFACE -Werror)
  else()
    message(STATUS "loopscope: warnings stay warnings with ${compiler}")
  endif()
endif()
