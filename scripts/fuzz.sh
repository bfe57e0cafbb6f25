#!/bin/sh
# Runs every fuzz target for SECONDS_EACH (60) seconds; corpora are kept in .cache/fuzz.
set -eu
cd "$(dirname "$0")/.."
build=build-fuzz
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++ \
  -DTAMIS_SANITIZE=address,undefined -DTAMIS_BUILD_FUZZERS=ON -DTAMIS_BUILD_TESTS=OFF >/dev/null
ninja -C "$build"
for target in "$build"/*_fuzz; do
  name=$(basename "$target")
  mkdir -p ".cache/fuzz/$name"
  echo "== $name"
  "$target" -max_total_time="${SECONDS_EACH:-60}" -rss_limit_mb=4096 -print_final_stats=1 ".cache/fuzz/$name"
done
