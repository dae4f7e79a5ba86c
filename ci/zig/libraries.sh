# shellcheck shell=bash
# Sourced by ci/cross: libuv, liburing and OpenSSL for a target of zig, from the sources of Debian's
# packages. Built once, in the user's cache. It needs ci/zig/install.sh and ci/openssl.sh.
#
# zig_libraries TRIPLET OPENSSL  prints the folder in which usr/include and usr/lib of all three
#                     are, as ci/unpacked does for those that Debian has. OPENSSL is what OpenSSL's
#                     Configure calls the target.

zig_libuv() {
  cmake -G Ninja -S "$sources/libuv1" -B "$sources/uv" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_COMPILER="$LOOPSCOPE_ZIG/$1-cc" -DCMAKE_AR="$LOOPSCOPE_ZIG/zig-ar" \
    -DCMAKE_RANLIB="$LOOPSCOPE_ZIG/zig-ranlib" -DBUILD_TESTING=OFF -DCMAKE_INSTALL_PREFIX=/usr &&
    DESTDIR="$fresh" ninja -C "$sources/uv" -j "$jobs" install
}

zig_liburing() {
  cd "$sources/liburing" &&
    ./configure --prefix=/usr --cc="$LOOPSCOPE_ZIG/$1-cc" --cxx="$LOOPSCOPE_ZIG/$1-c++" &&
    make -C src -j "$jobs" ENABLE_SHARED=0 AR="$LOOPSCOPE_ZIG/zig-ar" \
      RANLIB="$LOOPSCOPE_ZIG/zig-ranlib" &&
    make install -o all ENABLE_SHARED=0 DESTDIR="$fresh"
}

zig_openssl() {
  local options
  mapfile -t options < <(openssl_options "$sources/openssl/Configure")
  cd "$sources/openssl" &&
    CC="$LOOPSCOPE_ZIG/$1-cc" AR="$LOOPSCOPE_ZIG/zig-ar" RANLIB="$LOOPSCOPE_ZIG/zig-ranlib" \
      ./Configure "$2" --prefix=/usr --libdir=lib "${options[@]}" -O1 &&
    make -j "$jobs" build_libs &&
    make install_dev DESTDIR="$fresh"
}

zig_libraries() {
  local folder="$zig_cache/libraries-1/$1" fresh="$zig_cache/libraries-1/$1.fresh"
  local sources="$zig_cache/sources-$1" log="$zig_cache/libraries-$1.log" package lock
  mkdir -p "${folder%/*}"
  exec {lock}>"$zig_cache/libraries.lock"
  flock "$lock"
  if [[ ! -d $folder ]]; then
    say "libuv, liburing and OpenSSL for $1: some minutes, once (see $log)"
    rm -rf "$fresh" "$sources"
    mkdir -p "$sources"
    for package in libuv1 liburing openssl; do
      "$root/ci/unpacked" bookworm source "$package" "$sources/$package" >&2 || return
    done
    # Left of || bash ignores set -e: each step says what it needs.
    (zig_libuv "$1" && zig_liburing "$1" && zig_openssl "$1" "$2") >"$log" 2>&1 || return
    rm -rf "$sources"
    mv "$fresh" "$folder"
  fi
  exec {lock}>&-
  echo "$folder"
}
