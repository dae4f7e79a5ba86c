# One interface target that carries the warnings and the include root of every component.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()
find_package(Threads REQUIRED)

add_library(loopscope_options INTERFACE)
target_include_directories(loopscope_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_link_libraries(loopscope_options INTERFACE Threads::Threads)
target_compile_options(loopscope_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers
  $<$<BOOL:${LOOPSCOPE_WERROR}>:-Werror>)
