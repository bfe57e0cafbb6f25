#!/bin/sh
# Every test: the C++ ones (ctest), the same under capped instruction sets (qemu-user), and the whole road (pytest).
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}

echo "== C++ tests"
ctest --test-dir "$build" --output-on-failure

echo "== kernels with TAMIS_ISA=avx2 and TAMIS_ISA=x86-64 on this processor"
for isa in avx2 x86-64; do
  TAMIS_ISA=$isa "$build/tamis_kernels_test" --gtest_brief=1
done

echo "== kernels on an emulated processor without AVX (qemu-user)"
TAMIS_ISA=x86-64 qemu-x86_64 -cpu Nehalem "$build/tamis_kernels_test" --gtest_brief=1 --gtest_filter='-*Exhaustive*'

echo "== the whole road, on generated networks"
.venv/bin/python -m pytest -q tests --tamis "$build/tamis"
echo "make test: all tests passed"
