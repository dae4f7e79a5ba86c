#!/usr/bin/env bash
# Builds with LOOPSCOPE_FETCH=ON, and without libuv and OpenSSL, from the sources of Debian's
# source packages.
#
# Usage: fetch_test.sh WORK_FOLDER     Exit code 77: no such sources here, not judged.
# It needs no root: apt gets a private state folder and a private list of deb-src lines, made from
# the mirrors that are enabled on this machine. Sources are kept in WORK_FOLDER for the next time.
set -euo pipefail
# shellcheck source=ci/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

work="$1"
mkdir -p "$work/sources" "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/archives"
skip() {
  say "not judged: $*"
  exit 77
}

# Our name of a dependency, Debian's source package, the major version that we pin.
packages='fmt fmtlib 9.
nlohmann_json nlohmann-json3 3.
tomlplusplus tomlplusplus 3.
cli11 cli11 2.
doctest doctest 2.
libuv libuv1 1.'

private_apt() {
  apt-get -q -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt" \
    -o Dir::Cache::archives="$work/apt/archives" -o Dir::Etc::sourcelist="$work/apt/deb-src.list" \
    -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User= -o Acquire::Retries=3 "$@" 1>&2
}

# One deb-src line per enabled Debian or Ubuntu release. Its -updates and -security suites are left
# out: they drop old versions, and mirrors of them forget files that their index still names.
write_source_list() {
  # shellcheck disable=SC2016  # apt expands these
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Identifier: Packages' 2>/dev/null | sort -u |
    while read -r origin uri release component; do
      case "$origin" in
        Debian) key=/usr/share/keyrings/debian-archive-keyring.gpg ;;
        Ubuntu) key=/usr/share/keyrings/ubuntu-archive-keyring.gpg ;;
        *) continue ;;
      esac
      if [[ $release == *-* ]]; then continue; fi
      if [[ ! -f $key ]]; then key=''; fi
      printf 'deb-src %s%s %s %s\n' "${key:+[signed-by=$key] }" "$uri" "$release" "$component"
    done >"$work/apt/deb-src.list"
  [[ -s $work/apt/deb-src.list ]]
}

# Downloads one source package and unpacks its upstream tarball into sources/<name>.
get_source() {
  local name="$1" package="$2" version="$3" tarball
  if [[ -f $work/sources/$name/CMakeLists.txt ]]; then return 0; fi
  (cd "$work/archives" && private_apt source --download-only "$package") || return 1
  tarball="$(find "$work/archives" -name "${package}_$version*.orig.tar.*" ! -name '*.asc' |
    sort -V | tail -n 1)"
  [[ -n $tarball ]] || return 1
  mkdir -p "$work/sources/$name"
  tar -xf "$tarball" -C "$work/sources/$name" --strip-components 1
}

# toml++ is headers alone. Where a mirror does not find its source package, those of the installed
# package stand for it.
take_headers() {
  local folder="$work/sources/$1"
  [[ $1 == tomlplusplus && -f /usr/include/toml++/toml.h ]] || return 1
  say "$1: the headers of this machine instead of the source package"
  mkdir -p "$folder/include"
  cp -r /usr/include/toml++ "$folder/include/"
  printf '%s\n' 'cmake_minimum_required(VERSION 3.14)' 'project(tomlplusplus)' \
    'add_library(headers INTERFACE)' 'target_include_directories(headers INTERFACE include)' \
    'add_library(tomlplusplus::tomlplusplus ALIAS headers)' >"$folder/CMakeLists.txt"
}

if [[ ! -f $work/sources/libuv/CMakeLists.txt ]]; then
  command -v apt-get >/dev/null 2>&1 || skip "no apt-get"
  write_source_list || skip "apt knows no Debian or Ubuntu mirror; run apt-get update"
  private_apt update || skip "the mirrors do not answer"
fi
arguments=()
while read -r name package version; do
  get_source "$name" "$package" "$version" || take_headers "$name" ||
    skip "no source package $package $version"
  arguments+=("-DFETCHCONTENT_SOURCE_DIR_${name^^}=$work/sources/$name")
done <<<"$packages"

# Small and fast to build; without precompiled headers, so that every include is really there.
configure() {
  local folder="$1"
  shift
  cmake -S "$root" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
    -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON "$@" >"$folder.log" 2>&1 || {
    cat "$folder.log"
    die "configure failed: $*"
  }
}

configure "$work/fetched" -DLOOPSCOPE_FETCH=ON -DFETCHCONTENT_FULLY_DISCONNECTED=ON \
  "${arguments[@]}"
for name in fmt nlohmann_json tomlplusplus CLI11 doctest libuv; do
  grep -q "loopscope: $name .* by FetchContent" "$work/fetched.log" ||
    die "$name did not come from FetchContent"
done
if grep -q 'loop libuv is absent' "$work/fetched.log"; then die "the fetched libuv is not used"; fi
cmake --build "$work/fetched" --parallel "$jobs" --target loopscope_loops_test loopscope_render
"$work/fetched/loops/loopscope_loops_test" --no-intro
say "fetched dependencies: the loops and the reports are built, and the loops' tests pass"

# Without libuv and OpenSSL: rows that say why, never a failed configure.
configure "$work/without" -DLOOPSCOPE_WITHOUT_LIBUV=ON -DLOOPSCOPE_WITHOUT_OPENSSL=ON \
  -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON
grep -q 'TLS is absent: built without OpenSSL' "$work/without.log" ||
  die "the absent TLS gives no reason"
grep -q 'loop libuv is absent: built without libuv' "$work/without.log" ||
  die "the absent libuv gives no reason"
grep -q 'absent_because = "built without libuv' "$work/without/loops/loops_registry.cpp" ||
  die "libuv has no row in the registry"
configure "$work/without" -DLOOPSCOPE_WITHOUT_LIBUV=OFF
grep -q 'loop libuv is absent: libuv not found' "$work/without.log" ||
  die "a libuv that was not found gives no reason"
cmake --build "$work/without" --parallel "$jobs" --target loopscope_loops
say "without libuv and OpenSSL: absent with their reasons"
