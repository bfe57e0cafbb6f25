#!/bin/sh
# The C++ tests under AddressSanitizer with UBSan, then under ThreadSanitizer.
set -eu
cd "$(dirname "$0")/.."
# A child of fork() starts a thread pool of its own; ThreadSanitizer refuses that unless told.
export TSAN_OPTIONS="die_after_fork=0${TSAN_OPTIONS:+ $TSAN_OPTIONS}"
for kind in address,undefined thread; do
  build=build-$(echo "$kind" | tr ',' '-')
  echo "== $kind"
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++ \
    "-DTAMIS_SANITIZE=$kind" >/dev/null
  ninja -C "$build"
  ctest --test-dir "$build" --output-on-failure
done
