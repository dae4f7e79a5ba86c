# Unity builds: several files of a target compiled as one, because most of what a compiler does for
# one of them is the headers they share. A fifth of the time, for the scenarios.
#
# The debug preset switches them off (LOOPSCOPE_UNITY), so that a file that forgets an include is
# found there. What is compiled together must not use the same names in unnamed namespaces: the
# files of a registry have a namespace of their own each.
option(LOOPSCOPE_UNITY "Compile several files of a target as one" ON)

# loopscope_unity(target files): at most so many files at a time.
function(loopscope_unity target files)
  if(LOOPSCOPE_UNITY AND TARGET ${target})
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${files})
  endif()
endfunction()
