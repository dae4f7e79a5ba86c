# Precompiled headers where they pay: many files that include the same few heavy headers.
#
# The debug preset switches them off (CMAKE_DISABLE_PRECOMPILE_HEADERS), so that a file that
# forgets an include is found there.

# loopscope_precompile(target header...): only where the target exists in this configuration.
function(loopscope_precompile target)
  if(TARGET ${target})
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

loopscope_precompile(loopscope_probes "${PROJECT_SOURCE_DIR}/probe/probe.hpp")
loopscope_precompile(loopscope_reports <nlohmann/json.hpp> <fmt/format.h>)
