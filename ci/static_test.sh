#!/usr/bin/env bash
# Holds the static executable to what it is for: it needs nothing where it runs.
#
#   ci/static_test.sh LOOPSCOPE FOLDER root    It names no library and no loader. In an empty root
#                                              it answers facts and leaves nothing behind, runs
#                                              the matrix there and proves each mechanism.
#   ci/static_test.sh LOOPSCOPE FOLDER vm      It is the first process of a machine whose only
#                                              output is a serial console.
#
# LOOPSCOPE is the executable of the preset "static"; FOLDER takes downloads and what is written.
# The second part wants qemu-system-x86_64, cpio, and the kernel that Debian calls
# linux-image-cloud-amd64, which is downloaded, not installed. LOOPSCOPE_VM=none leaves it out (exit
# code 77).
set -euo pipefail
program="$(realpath "$1")"
mkdir -p "$2/root" "$2/initrd" "$2/out" "$2/kernel"
folder="$(realpath "$2")"
failures=0

fail() {
  printf 'static_test: %s\n' "$*" >&2
  failures=$((failures + 1))
}

# within SECONDS COMMAND...: killed after that; its status is its own.
within() { timeout -s KILL "$@"; }

# in_root COMMAND...: in the empty root, as root or in a user namespace of one's own.
in_root() {
  if ((EUID == 0)); then
    within 300 chroot "$folder/root" "$@"
  else
    within 300 unshare --user --map-root-user chroot "$folder/root" "$@"
  fi
}

needs_no_library() {
  local dynamic
  ! ldd "$program" >"$folder/out/ldd" 2>&1 || fail "ldd: $(cat "$folder/out/ldd")"
  dynamic="$(LC_ALL=C readelf --program-headers --dynamic "$program" |
    grep -E 'INTERP|NEEDED' || true)"
  [[ -z $dynamic ]] || fail "it needs $dynamic"
}

# The probe, then every scenario on every loop. What needs something that is not there is skipped
# with its reason: a shell, names of hosts, devices, the list of threads.
in_an_empty_root() {
  rm -rf "$folder/root"
  mkdir "$folder/root"
  cp "$program" "$folder/root/loopscope"
  in_root /loopscope probe --deadline-ms 20000 --format json >"$folder/out/empty.json" ||
    fail "probe in an empty root ended with $?"
  [[ "$(ls -A "$folder/root")" == loopscope ]] ||
    fail "the probe left something behind: $(ls -A "$folder/root")"
  in_root /loopscope run --out /out >"$folder/out/run" 2>&1 ||
    fail "cells in an empty root: $(tail -n 60 "$folder/out/run")"
  python3 - "$folder" <<'PYTHON' || fail "the empty root shows something else than it should"
import json, sys
folder = sys.argv[1]
facts = json.load(open(folder + "/out/empty.json"))["facts"]
died = [f["id"] for f in facts if f["reason"] in ("timeout", "crashed")]
answered = sum(f["value"] is not None for f in facts)
cells = json.load(open(folder + "/root/out/report.json"))["cells"]
ran = [cell for cell in cells if cell["outcome"] not in ("unsupported", "skip")]
skipped = {cell["scenario"] for cell in cells if cell["outcome"] == "skip"}
passed = [cell for cell in ran if cell["outcome"] == "pass"]
loops = {cell["loop"] for cell in ran}
unproved = {cell["loop"] for cell in passed if not (cell.get("backend") or {}).get("proved")}
print(f"empty root: {answered} of {len(facts)} facts answered, {len(died)} died; "
      f"{len(ran)} cells on {', '.join(sorted(loops))}, {len(passed)} passed; "
      f"{len(skipped)} scenarios skipped")
wanted = {"select", "poll", "epoll"}
needs_something = {"proc.exit_code", "leak.threads", "tcp.connect.literal_host"}
if died or answered < 150 or len(passed) < 1000 or not wanted <= loops or unproved:
    sys.exit(f"died {died}, unproved {sorted(unproved)}")
if not needs_something <= skipped:
    sys.exit(f"not skipped: {', '.join(sorted(needs_something - skipped))}")
PYTHON
}

# The newest kernel of the cloud flavour that this system's packages have, as a file.
kernel() {
  local package image
  image="$(find "$folder/kernel" -name 'vmlinuz-*' -print -quit)"
  if [[ -z $image ]]; then
    package="$(apt-cache depends linux-image-cloud-amd64 linux-image-virtual 2>/dev/null |
      sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)"
    [[ -n $package ]] || return 1
    (cd "$folder/kernel" && apt-get -q download "$package" >&2 &&
      dpkg-deb --fsys-tarfile ./"$package"_*.deb | tar -x ./boot) || return 1
    image="$(find "$folder/kernel" -name 'vmlinuz-*' -print -quit)"
  fi
  printf '%s\n' "$image"
}

# No file system but the executable itself, no /proc, no /dev/null, no /tmp.
as_the_first_process() {
  local image console="$folder/out/console" planned
  image="$(kernel)" || { fail "no kernel package could be downloaded"; return; }
  cp "$program" "$folder/initrd/init"
  (cd "$folder/initrd" && echo init | cpio --quiet -o -H newc | gzip -1 >../initrd.gz)
  # The arguments behind -- are those of the first process; when it ends, the kernel panics.
  within 300 qemu-system-x86_64 -accel tcg -m 512 -display none -nodefaults -no-reboot \
    -kernel "$image" -initrd "$folder/initrd.gz" -serial "file:$console" \
    -append "console=ttyS0 quiet loglevel=3 panic=-1 -- \
      probe --deadline-ms 20000 --format tap" </dev/null ||
    fail "qemu ended with $?"
  tr -d '\r' <"$console" >"$folder/out/facts.tap"
  planned="$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$folder/out/facts.tap")"
  [[ ${planned:-0} -gt 150 ]] || fail "no plan on the console: $(tail -n 5 "$console")"
  [[ "$(grep -cE '^(not )?ok [0-9]+ - ' "$folder/out/facts.tap")" == "$planned" ]] ||
    fail "of $planned facts the console has $(grep -cE '^(not )?ok ' "$folder/out/facts.tap")"
  grep -q '^# end of the facts$' "$folder/out/facts.tap" || fail "the console ends too early"
  ! grep '^not ok' "$folder/out/facts.tap" || fail "facts died as the first process"
  grep -q '^ok [0-9]* - epoll.exclusive = yes' "$folder/out/facts.tap" || fail "no epoll there?"
  printf 'first process: %s facts over the console of %s\n' "$planned" "$(basename "$image")"
}

case "$3" in
  root)
    needs_no_library
    in_an_empty_root
    ;;
  vm)
    if [[ ${LOOPSCOPE_VM:-} == none || $(uname -m) != x86_64 ]]; then
      echo "left out: LOOPSCOPE_VM is none, or this machine has another architecture"
      exit 77
    fi
    as_the_first_process
    ;;
esac
((failures == 0)) || exit 1
printf 'static: %s bytes, %s\n' "$(stat -c %s "$program")" "$3"
