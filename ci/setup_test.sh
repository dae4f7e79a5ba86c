#!/usr/bin/env bash
# What ci/setup.sh finds missing and what it does then, without touching this machine.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export LOOPSCOPE_BUILD_DIR="$work/build"
# shellcheck source=ci/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

expect() {
  local what="$1" want="$2" seen="$3"
  if [[ $seen == "$want" ]]; then return; fi
  printf 'FAILED: %s\n  expected: %s\n  observed: %s\n' "$what" "$want" "$seen" >&2
  exit 1
}

expect 'the same version is enough' yes "$(version_at_least 3.25 3.25 && echo yes || echo no)"
expect '3.9 is older than 3.25' no "$(version_at_least 3.9.6 3.25 && echo yes || echo no)"
expect 'no version is too old' no "$(version_at_least '' 3.25 && echo yes || echo no)"
expect 'only what is missing is named' no-such-dev \
  "$(missing_headers cstddef libc-dev no/such/header.hpp no-such-dev)"

# A machine that lacks two packages, and a user who may not install: one line to run, then the end.
observed="$(
  missing_for_build() { printf '%s\n' ninja-build libfmt-dev; }
  missing_for_tests() { :; }
  missing_optional() { echo ccache; }
  may_install() { return 1; }
  setup_machine test 2>&1
  echo 'went on'
)" || true
expect 'the command to run' \
  '  apt-get install -y --no-install-recommends ninja-build libfmt-dev ccache' \
  "$(grep apt-get <<<"$observed" || true)"
expect 'it ends there' '' "$(grep 'went on' <<<"$observed" || true)"

# Only something optional is missing: it goes on and says so.
observed="$(
  missing_for_build() { :; }
  missing_for_tests() { :; }
  missing_optional() { echo libuv1-dev; }
  may_install() { return 1; }
  setup_machine test 2>&1
  echo 'went on'
)" || true
expect 'it goes on' 'went on' "$(tail -n 1 <<<"$observed")"
expect 'it names what is missing' yes \
  "$(grep -q 'without: libuv1-dev' <<<"$observed" && echo yes || echo no)"

# It may install: exactly what is missing, needed packages together, optional ones one by one.
observed="$(
  missing_for_build() { printf '%s\n' ninja-build libfmt-dev; }
  missing_optional() { printf '%s\n' ccache libuv1-dev; }
  may_install() { return 0; }
  as_root() { printf 'as root: %s\n' "${*: -3}"; }
  setup_machine build 2>&1
)"
expect 'what apt is asked for' 'as root: --no-install-recommends ninja-build libfmt-dev
as root: install --no-install-recommends ccache
as root: install --no-install-recommends libuv1-dev' \
  "$(grep 'as root' <<<"$observed" | grep -v update)"
echo 'setup: as expected'
