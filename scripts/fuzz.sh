#!/bin/sh
# Runs fuzz targets under ASan and UBSan, each for a time; corpora grow in .cache/fuzz.
#
#   scripts/fuzz.sh [SECONDS_EACH] [TARGET...]      60 seconds and every target by default
#
# They start from real files: the models of ONNX's node tests and generated networks, engines built of them with
# build/tamis (make programs) if it is there, encoded images of every format.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-${SECONDS_EACH:-60}}
[ $# -eq 0 ] || shift
timeout=${FUZZ_TIMEOUT:-20}  # seconds an input may take
build=build-fuzz
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++ \
  -DTAMIS_SANITIZE=address,undefined -DTAMIS_BUILD_FUZZERS=ON -DTAMIS_BUILD_TESTS=OFF >/dev/null
targets=${*:-$(find src -name '*_fuzz.cc' -exec basename {} .cc \;)}
# shellcheck disable=SC2086
ninja -C "$build" -j "${JOBS:-$(nproc)}" $targets
.venv/bin/python scripts/fuzz_corpus.py .cache/fuzz --tamis build/tamis
failed=
for name in $targets; do
  mkdir -p ".cache/fuzz/$name" ".cache/fuzz/seeds/$name" ".cache/fuzz/findings/$name"
  echo "== $name, $seconds seconds"
  # A finding in one target is no reason not to look for others'.
  "$build/$name" -max_total_time="$seconds" -rss_limit_mb=4096 -malloc_limit_mb=2048 -timeout="$timeout" -max_len=65536 \
    -print_final_stats=1 -artifact_prefix=".cache/fuzz/findings/$name/" ".cache/fuzz/$name" ".cache/fuzz/seeds/$name" ||
    failed="$failed $name"
done
[ -z "$failed" ] || { echo "findings:$failed; the inputs are in .cache/fuzz/findings" >&2; exit 1; }
