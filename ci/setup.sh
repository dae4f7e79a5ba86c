# shellcheck shell=bash
# Sourced by ci/probe and ci/test: finds what the machine lacks, installs it or says how.
#
# Sets root (the repository), build_root (where builds go) and jobs (how many at once).
# LOOPSCOPE_BUILD_DIR  another folder for all builds
# LOOPSCOPE_JOBS       how many compilers and tests at once (default: nproc)
# LOOPSCOPE_SETUP=skip goes on with what is there; CMake then fetches the libraries it lacks

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
jobs="${LOOPSCOPE_JOBS:-$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}"

say() { printf '%s\n' "loopscope: $*" >&2; }

die() {
  say "$*"
  exit 1
}

# Where builds go: the repository, or the user's cache where the repository is not theirs to write.
choose_build_root() {
  build_root="${LOOPSCOPE_BUILD_DIR:-$root/build}"
  if mkdir -p "$build_root" 2>/dev/null && [[ -w $build_root ]]; then return; fi
  [[ -z ${LOOPSCOPE_BUILD_DIR:-} ]] || die "cannot write to LOOPSCOPE_BUILD_DIR: $build_root"
  local key
  key="$(printf '%s' "$root" | cksum | cut -d ' ' -f 1)"
  build_root="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/loopscope/build-$key"
  mkdir -p "$build_root" || die "cannot write to $root/build nor to $build_root"
  say "$root/build is not writable here, building in $build_root"
}

# True when the first dotted version is at least the second.
version_at_least() {
  [[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]
}

cmake_version() { cmake --version 2>/dev/null | sed -n '1s/.*version \([0-9.]*\).*/\1/p'; }

find_compiler() {
  local name
  for name in ${CXX:+"$CXX"} c++ g++ clang++; do
    if command -v "$name" >/dev/null 2>&1; then
      printf '%s\n' "$name"
      return
    fi
  done
}

# Prints the packages whose headers the compiler does not find: header package pairs as arguments.
missing_headers() {
  local compiler source=''
  compiler="$(find_compiler)"
  while (($# > 1)); do
    if [[ -z $compiler ]]; then
      printf '%s\n' "$2"
    else
      source+="#if !__has_include(<$1>)"$'\n'"$2"$'\n#endif\n'
    fi
    shift 2
  done
  [[ -z $compiler ]] || printf '%s' "$source" | "$compiler" -E -P -x c++ - 2>/dev/null |
    grep -v '^[[:space:]]*$' || true
}

missing_for_build() {
  [[ -n "$(find_compiler)" ]] || echo g++
  version_at_least "$(cmake_version)" 3.25 || echo cmake
  command -v ninja >/dev/null 2>&1 || echo ninja-build
  command -v pkg-config >/dev/null 2>&1 || echo pkg-config
  missing_headers fmt/core.h libfmt-dev nlohmann/json.hpp nlohmann-json3-dev \
    toml++/toml.h libtomlplusplus-dev \
    CLI/CLI.hpp libcli11-dev doctest/doctest.h doctest-dev
}

missing_for_tests() {
  command -v python3 >/dev/null 2>&1 || echo python3
}

# What makes a build faster or a report fuller, but is not needed for either.
missing_optional() {
  command -v ccache >/dev/null 2>&1 || echo ccache
  missing_headers uv.h libuv1-dev liburing.h liburing-dev openssl/ssl.h libssl-dev
  [[ $1 == test ]] || return 0
  python3 -c 'import jsonschema' >/dev/null 2>&1 || echo python3-jsonschema
  command -v qemu-system-x86_64 >/dev/null 2>&1 || echo qemu-system-x86
  command -v cpio >/dev/null 2>&1 || echo cpio
  command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
    command -v google-chrome >/dev/null 2>&1 || echo chromium
  command -v xmllint >/dev/null 2>&1 || echo libxml2-utils
  command -v node >/dev/null 2>&1 || echo nodejs
  command -v npm >/dev/null 2>&1 || echo npm
}

# Runs a command as root: directly, or through a sudo that asks for no password.
as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

may_install() {
  command -v apt-get >/dev/null 2>&1 || return 1
  ((EUID == 0)) || sudo -n true >/dev/null 2>&1
}

# apt-get with patience: another apt may hold the lock, a mirror may hiccup.
apt_install() {
  local attempt
  for attempt in 1 2 3; do
    if ((attempt == 1)) || as_root apt-get -o DPkg::Lock::Timeout=300 -q update >&2; then
      as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        -o Acquire::Retries=3 -q -y install --no-install-recommends "$@" >&2 && return 0
    fi
    sleep "$attempt"
  done
  return 1
}

# setup_machine build|test: afterwards everything needed is there, or the script has ended.
setup_machine() {
  local needed optional package
  choose_build_root
  [[ ${LOOPSCOPE_SETUP:-} != skip ]] || return 0
  mapfile -t needed < <(missing_for_build)
  if [[ $1 == test ]]; then mapfile -t -O "${#needed[@]}" needed < <(missing_for_tests); fi
  mapfile -t optional < <(missing_optional "$1")
  ((${#needed[@]} + ${#optional[@]} > 0)) || return 0

  if may_install; then
    say "installing ${needed[*]} ${optional[*]}"
    as_root apt-get -o DPkg::Lock::Timeout=300 -q update >&2 || say "apt-get update failed"
    if ((${#needed[@]} > 0)); then
      apt_install "${needed[@]}" || die "apt-get could not install: ${needed[*]}"
    fi
    # One by one: a distribution may lack one of them, Ubuntu for instance chromium.
    for package in "${optional[@]}"; do
      apt_install "$package" || say "going on without $package"
    done
    version_at_least "$(cmake_version)" 3.25 ||
      die "cmake 3.25 or newer is needed; this system's packages have $(cmake_version)"
    return 0
  fi
  if ((${#needed[@]} > 0)); then
    say "something is missing, and this user cannot install it. As root, run:"
    printf '\n  apt-get install -y --no-install-recommends %s\n\n' \
      "${needed[*]}${optional[*]:+ ${optional[*]}}" >&2
    die "then run this again"
  fi
  say "going on without: ${optional[*]} (optional; apt-get install ${optional[*]})"
}

# build_preset NAME [target...]: configures one preset below build_root and builds it.
build_preset() {
  local preset="$1" folder="$build_root/$1"
  shift
  say "building $preset in $folder"
  mkdir -p "$folder"
  if ! cmake -S "$root" --preset "$preset" -B "$folder" >"$folder/configure.log" 2>&1; then
    cat "$folder/configure.log" >&2
    die "cmake could not configure $preset"
  fi
  grep 'loopscope: ' "$folder/configure.log" >&2 || true
  cmake --build "$folder" --parallel "$jobs" ${1:+--target "$@"} >&2 ||
    die "the $preset build failed"
}
