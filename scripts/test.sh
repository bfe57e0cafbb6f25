#!/bin/sh
# Every test: the C++ ones (ctest), the kernels on emulated lesser processors (qemu-user), and the whole road (pytest).
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}

echo "== C++ tests"
ctest --test-dir "$build" --output-on-failure

echo "== kernels with TAMIS_ISA=x86-64 and TAMIS_ISA=avx2, each on an emulated processor that has no more (qemu-user)"
TAMIS_ISA=x86-64 qemu-x86_64 -cpu Nehalem "$build/tamis_kernels_test" --gtest_brief=1
TAMIS_ISA=avx2 qemu-x86_64 -cpu Haswell "$build/tamis_kernels_test" --gtest_brief=1

echo "== the whole road, on generated networks"
.venv/bin/python -m pytest -q tests --tamis "$build/tamis"
echo "make test: all tests passed"
