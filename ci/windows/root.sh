# shellcheck shell=bash
# Sourced by the scripts for Windows: a Debian 13 root with MinGW-w64 and Wine, made once and kept.
#
# Debian 12's MinGW (GCC 12.2) loses wake-ups in std::latch and std::binary_semaphore; Debian 13's
# GCC 14.2 does not. So compiler and Wine come from a root of their own, in a folder of the user's
# cache that has nothing to do with the repository.
# It needs ci/openssl.sh, and root, the repository.
# LOOPSCOPE_CACHE     where it is kept (default: ~/.cache/loopscope)
# LOOPSCOPE_MIRROR    a Debian mirror (default: debootstrap's)
#
# make_root           installs what is missing; says nothing and takes no time when all is there
# in_root COMMAND...  runs a command there, in mount, process and network namespaces of its own
#                     with nothing but loopback; the repository is at its own path

windows_cache="${LOOPSCOPE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/loopscope}/windows"
windows_root="$windows_cache/root"
# The oldest step first: each is done once, and again when its name changes.
windows_packages=(
  cmake ninja-build ccache g++-mingw-w64-x86-64-posix wine64 wine dpkg-dev iproute2 git
  libcli11-dev nlohmann-json3-dev doctest-dev libtomlplusplus-dev)

# once NAME COMMAND...: runs a function unless it has been run for this root.
once() {
  local stamp="$windows_root/var/lib/loopscope/$1"
  shift
  [[ ! -e $stamp ]] || return 0
  "$@" || return
  mkdir -p "${stamp%/*}"
  : >"$stamp"
}

make_base() {
  command -v debootstrap >/dev/null || apt-get install -y --no-install-recommends debootstrap >&2
  rm -rf "$windows_root"
  mkdir -p "$windows_root"
  say "Debian 13 for Windows builds: $windows_root"
  debootstrap --variant=minbase trixie "$windows_root" ${LOOPSCOPE_MIRROR:+"$LOOPSCOPE_MIRROR"} >&2
}

# chroot without the namespaces: for what needs the network.
install_in_root() {
  chroot "$windows_root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} \
    ${https_proxy:+https_proxy="$https_proxy"} "$@" >&2
}

install_packages() {
  sed -i '/^deb-src/d' "$windows_root/etc/apt/sources.list"
  sed -n 's/^deb /deb-src /p;s/ trixie / bookworm /p' "$windows_root/etc/apt/sources.list" \
    >"$windows_root/etc/apt/sources.list.d/sources.list"
  cp /etc/resolv.conf "$windows_root/etc/resolv.conf"
  install_in_root apt-get update || return
  install_in_root apt-get install -y --no-install-recommends "${windows_packages[@]}" || return
  install_in_root apt-get clean
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$windows_root/etc/hosts"
}

# get_source PACKAGE: Debian's source of it, unpacked as /usr/src/PACKAGE; Debian 12's where a
# mirror lists that of Debian 13 and does not have it, as happens after an update of the package.
get_source() {
  install_in_root sh -c "cd /usr/src && rm -rf $1 $1-* &&
    { apt-get source $1/trixie || apt-get source $1/bookworm; } && mv $1-*/ $1 &&
    rm -f -- *.dsc *.tar.* *.asc *.debian.*"
}

# install_library PACKAGE OPTION...: builds it for Windows and installs it in /opt/windows.
install_library() {
  local package=$1
  shift
  get_source "$package" || return
  cp "$root/ci/cmake/toolchains/mingw.cmake" "$windows_root/usr/src/mingw.cmake"
  # shellcheck disable=SC2016
  install_in_root sh -ec '
    package=$1
    shift
    cmake -G Ninja -S "/usr/src/$package" -B /tmp/library -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_TOOLCHAIN_FILE=/usr/src/mingw.cmake -DCMAKE_INSTALL_PREFIX=/opt/windows \
      -DBUILD_TESTING=OFF "$@"
    ninja -C /tmp/library install
    rm -rf /tmp/library "/usr/src/$package"' sh "$package" "$@"
}

# Its own description for CMake names the Linux library, and is where no other compiler looks.
describe_toml() {
  local folder="$windows_root/opt/windows/lib/cmake/tomlplusplus"
  mkdir -p "$folder"
  cat >"$folder/tomlplusplusConfig.cmake" <<'END'
add_library(tomlplusplus::tomlplusplus INTERFACE IMPORTED)
set_target_properties(tomlplusplus::tomlplusplus PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}/../../../include")
END
  cat >"$folder/tomlplusplusConfigVersion.cmake" <<'END'
set(PACKAGE_VERSION 3.4.0)
set(PACKAGE_VERSION_COMPATIBLE TRUE)
END
}

# Debian has no packages for Windows of these; those with headers alone serve as they are.
build_libraries() {
  install_library libuv1 -DLIBUV_BUILD_SHARED=OFF &&
    install_library fmtlib -DFMT_TEST=OFF -DFMT_DOC=OFF &&
    install_in_root sh -ec '
      for package in libcli11-dev nlohmann-json3-dev doctest-dev libtomlplusplus-dev; do
        dpkg -L "$package" | grep -E "^/usr/(include|share/cmake|lib/cmake)/" |
          while read -r file; do
            [ ! -f "$file" ] || install -D -m 644 "$file" "/opt/windows/${file#/usr/}"
          done
      done' && describe_toml
}

# Once, and compiled quickly: most of the time that a first run takes goes here.
build_openssl() {
  local options
  say "OpenSSL for Windows: about a minute and a half, once (--without-tls goes on without it)"
  get_source openssl || return
  mapfile -t options < <(openssl_options "$windows_root/usr/src/openssl/Configure")
  # shellcheck disable=SC2016
  install_in_root sh -ec '
    cd /usr/src/openssl
    ./Configure mingw64 --cross-compile-prefix=x86_64-w64-mingw32- --prefix=/opt/windows \
      --libdir=lib "$@" -O1
    make -j"$(nproc)" build_libs
    make install_dev
    cd / && rm -rf /usr/src/openssl' sh "${options[@]}"
}

# make_root [--without-tls]: one at a time, for two rows may want it at once.
make_root() {
  local lock
  mkdir -p "$windows_cache"
  exec {lock}>"$windows_cache/lock"
  flock "$lock"
  once base-trixie make_base
  once packages-5 install_packages
  once libraries-3 build_libraries
  [[ ${1:-} == --without-tls ]] || once openssl-2 build_openssl
  exec {lock}>&-
}

# Wine is silent, needs no display, and its prefix is of this root alone.
in_root() {
  mkdir -p "$windows_root/root/ccache"
  # shellcheck disable=SC2016
  unshare --mount --net --pid --fork --kill-child --propagation private sh -c '
    ip link set lo up
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount -t tmpfs tmpfs "$1/tmp"
    mkdir -p "$1$2"
    mount --bind "$2" "$1$2"
    ulimit -n "$(ulimit -H -n)"
    top=$1 home=$2
    shift 2
    exec chroot "$top" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
      TERM="${TERM:-dumb}" HOME=/root XDG_RUNTIME_DIR=/tmp CCACHE_DIR=/root/ccache \
      WINEPREFIX=/root/prefix WINEDEBUG=-all \
      WINEDLLOVERRIDES="mscoree=d;mshtml=d;winemenubuilder.exe=d;winedbg.exe=d" \
      sh -c "cd \"\$0\" && exec \"\$@\"" "$home" "$@"' sh "$windows_root" "$root" "$@"
}

# run_windows PROGRAM ARGUMENT...: under Wine, in a namespace as in_root makes it; its exit code.
#
# The server of Wine is started first and with nothing of ours: whatever it starts would keep a pipe
# open for ever. Under LOOPSCOPE_CONSOLE=1 the program has a console, else it has none.
run_windows() {
  local run=(/usr/lib/wine/wine64 "$@")
  if [[ ${LOOPSCOPE_CONSOLE:-} == 1 ]]; then
    run=(script --quiet --return --echo never --command "${run[*]@Q}" /dev/null)
  fi
  # shellcheck disable=SC2016
  in_root sh -c '
    wineserver=$(ls /usr/lib/wine/wineserver64 /usr/lib/wine/wineserver 2>/dev/null | head -n 1)
    "$wineserver" -p </dev/null >/dev/null 2>&1
    if [ ! -e "$WINEPREFIX/ready" ]; then
      /usr/lib/wine/wine64 wineboot -i </dev/null >/dev/null 2>&1
      : >"$WINEPREFIX/ready"
    fi
    code=0
    "$@" || code=$?
    "$wineserver" -k </dev/null >/dev/null 2>&1
    "$wineserver" -w </dev/null >/dev/null 2>&1
    exit "$code"' sh "${run[@]}"
}
