# LOOPSCOPE_SANITIZE=address,undefined or thread: for every target of ours. Without vptr: that check
# opens a pipe to see whether memory may be read, and calls an object invalid when the descriptors
# are used up, which is what the scenarios about limits do. And without -Wmaybe-uninitialized: g++
# warns of what is fine where its optimiser meets the instrumentation of -fsanitize=thread.
#
# AddressSanitizer and UBSan give an executable some 100 MB of data, full of addresses. Where its
# own address is settled when it is linked, none of it is written at a start and copied at a fork:
# of 0.85 s of processor time for a start 0.35 s were left, without any optimisation.
if(LOOPSCOPE_SANITIZE)
  target_compile_options(loopscope_options INTERFACE
    "-fsanitize=${LOOPSCOPE_SANITIZE}" -fno-sanitize=vptr -fno-omit-frame-pointer
    -fno-sanitize-recover=all -Wno-maybe-uninitialized)
  target_link_options(loopscope_options INTERFACE "-fsanitize=${LOOPSCOPE_SANITIZE}")
  if(LINUX AND LOOPSCOPE_SANITIZE MATCHES address)
    target_compile_options(loopscope_options INTERFACE -fno-pie)
    target_link_options(loopscope_options INTERFACE -no-pie)
  endif()
endif()
