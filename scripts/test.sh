#!/bin/sh
# Every test: the C++ ones (ctest), the kernels on emulated lesser processors (qemu-user), and the whole road (pytest).
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}

echo "== C++ tests"
ctest --test-dir "$build" --output-on-failure

echo "== kernels with TAMIS_ISA=x86-64 and TAMIS_ISA=avx2, each on an emulated processor that has no more (qemu-user)"
# Standard error holds only the emulator's remarks on features it lacks.
TAMIS_ISA=x86-64 qemu-x86_64 -cpu Nehalem "$build/tamis_kernels_test" --gtest_brief=1 2>/dev/null
# qemu-user 7.2 miscomputes the tanh that oneDNN generates for AVX2; the tests that contain it run on the real processor.
tanh="Conv.EpiloguesWithinBounds:Gemm.EpiloguesWithinBounds:Gemm.ActivationsOverTheWholeRange"
TAMIS_ISA=avx2 qemu-x86_64 -cpu Haswell "$build/tamis_kernels_test" --gtest_brief=1 "--gtest_filter=-$tanh" 2>/dev/null
TAMIS_ISA=avx2 "$build/tamis_kernels_test" --gtest_brief=1 "--gtest_filter=$tanh"

echo "== the whole road, on generated networks"
.venv/bin/python -m pytest -q tests --tamis "$build/tamis"
echo "make test: all tests passed"
