#!/bin/sh
# clang-tidy on the files that differ from REV (default: the last commit's parent), or on all with REV=all.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
if [ "${REV:-}" = all ]; then
  files=$(git ls-files 'src/*.cc')
else
  files=$(git diff --name-only --diff-filter=d "${REV:-HEAD~1}" -- 'src/*.cc')
fi
[ -n "$files" ] || { echo "tidy: nothing to check"; exit 0; }
# The build is GCC's, whose warning flags clang need not know.
clang-tidy -quiet -p "$build" --extra-arg=-Wno-unknown-warning-option $files
echo "tidy: clean"
