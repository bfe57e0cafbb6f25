#!/bin/sh
# The C++ tests under AddressSanitizer with UBSan, then under ThreadSanitizer.
set -eu
cd "$(dirname "$0")/.."
for kind in address,undefined thread; do
  build=build-$(echo "$kind" | tr ',' '-')
  echo "== $kind"
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++ \
    "-DTAMIS_SANITIZE=$kind" >/dev/null
  ninja -C "$build"
  ctest --test-dir "$build" --output-on-failure
done
