# LOOPSCOPE_SANITIZE=address,undefined or thread: for every target of ours.
if(LOOPSCOPE_SANITIZE)
  target_compile_options(loopscope_options INTERFACE
    "-fsanitize=${LOOPSCOPE_SANITIZE}" -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(loopscope_options INTERFACE "-fsanitize=${LOOPSCOPE_SANITIZE}")
endif()
