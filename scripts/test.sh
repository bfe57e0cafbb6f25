#!/bin/sh
# Every test: the C++ ones (ctest), the kernels on emulated lesser processors (qemu-user), and the whole road (pytest).
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}

echo "== C++ tests"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)"

echo "== kernels with TAMIS_ISA=x86-64 and TAMIS_ISA=avx2, each on an emulated processor that has no more (qemu-user)"
# Emulation is slow and its tests mostly run on one thread, so that each takes half of the tests (GoogleTest's shards) and
# they run side by side. Standard error holds only the emulator's remarks on features it lacks.
# qemu-user 7.2 miscomputes the tanh that oneDNN generates for AVX2; the tests that contain it run on the real processor.
tanh="Conv.EpiloguesWithinBounds:Gemm.EpiloguesWithinBounds:Gemm.ActivationsOverTheWholeRange"
for shard in 0 1; do
  echo "avx2 Haswell $shard -$tanh"
  echo "x86-64 Nehalem $shard *"
done | xargs -P "$(nproc)" -L 1 sh -c '
  out=$(TAMIS_ISA=$2 GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=$4 qemu-x86_64 -cpu "$3" "$1/tamis_kernels_test" \
    --gtest_brief=1 "--gtest_filter=$5" 2>/dev/null) && status=0 || status=1
  printf "%s on %s, half %s:\n%s\n" "$2" "$3" "$4" "$out"
  exit $status' emulate "$build"
TAMIS_ISA=avx2 "$build/tamis_kernels_test" --gtest_brief=1 "--gtest_filter=$tanh"

echo "== the whole road, on generated networks"
.venv/bin/python -m pytest -q tests --tamis "$build/tamis"
echo "make test: all tests passed"
