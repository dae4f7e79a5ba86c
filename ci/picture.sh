#!/usr/bin/env bash
# Takes the README's picture of a real report with a headless Chromium.
#
# Usage: picture.sh REPORT.html PICTURE.png [WIDTH [HEIGHT]]
set -euo pipefail
report="$(realpath "$1")"
picture="$(realpath -m "$2")"
width="${3:-1280}"
height="${4:-960}"

for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then break; fi
done
profile="$(mktemp -d)"
trap 'rm -rf "$profile"' EXIT
"$name" --headless --no-sandbox --disable-gpu --hide-scrollbars --disable-dev-shm-usage \
  --user-data-dir="$profile" --window-size="$width,$height" --virtual-time-budget=3000 \
  --screenshot="$picture" "file://$report" >/dev/null 2>&1
[[ -s $picture ]]
