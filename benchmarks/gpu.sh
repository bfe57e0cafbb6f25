#!/bin/bash
# Checks and times the CUDA backend on a machine with an NVIDIA GPU.
#
#   benchmarks/gpu.sh pack FOLDER     builds here and packs the programs with the shared libraries they need, for a
#                                     machine where Tamis can't be built; copy FOLDER there
#   benchmarks/gpu.sh [--programs FOLDER] [--out FOLDER] [--sanitize] [gpu_bench.py flags...]
#                                     on the GPU machine: kernel tests, then the benchmark against PyTorch; with
#                                     --sanitize also compute-sanitizer's memcheck and racecheck on the kernel tests.
#                                     Without --programs, build/ is configured and built first.
#
# Needs there: the driver, cuBLASLt, cuDNN, and a python3 with numpy, onnx, torch, torchvision and transformers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
targets=(tamis tamis-tune-worker tamis_cuda_test tamis_cuda_kernels_test tamis_cuda_plugin)

build() {
  cmake -S "$root" -B "$root/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DTAMIS_CUDA=ON >/dev/null
  ninja -C "$root/build" "${targets[@]}"
}

if [ "${1:-}" = pack ]; then
  to=${2:?usage: benchmarks/gpu.sh pack FOLDER}
  build
  rm -rf "$to"
  mkdir -p "$to/bin/lib"
  cp "$root"/build/{tamis,tamis-tune-worker,tamis_cuda_test,tamis_cuda_kernels_test,libtamis_cuda.so} "$to/bin/"
  strip "$to"/bin/tamis* "$to"/bin/*.so
  # Everything but what any glibc system of the same age has.
  ldd "$to"/bin/tamis "$to"/bin/tamis_cuda_test | awk '$2 == "=>" {print $3}' | sort -u |
    grep -vE '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s)\.so' | xargs -I{} cp -L {} "$to/bin/lib/"
  XZ_OPT=-3 tar -C "$to" -cJf "$to/bin.tar.xz" bin
  rm -r "$to/bin"
  cp "$here"/gpu.sh "$here"/gpu_*.py "$to/"
  du -sh "$to"
  exit 0
fi

programs= out=gpu_results sanitize=
while [ $# -gt 0 ]; do
  case $1 in
    --programs) programs=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --sanitize) sanitize=1; shift ;;
    *) break ;;
  esac
done
if [ -z "$programs" ]; then
  build
  programs=$root/build
fi
export LD_LIBRARY_PATH=$programs/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
mkdir -p "$out"
failed=
for test in tamis_cuda_test tamis_cuda_kernels_test; do
  "$programs/$test" >"$out/$test.txt" 2>&1 || failed="$failed $test"
  grep -E "^\[|runs|Failure|Which|element|message" "$out/$test.txt" | grep -v "RUN  " | tail -40
done
if [ -n "$sanitize" ]; then
  for tool in memcheck racecheck; do
    compute-sanitizer --tool "$tool" --error-exitcode 9 "$programs/tamis_cuda_test" \
      --gtest_filter=-*Products:*Convolutions >"$out/$tool.txt" 2>&1 || failed="$failed $tool"
    tail -3 "$out/$tool.txt"
  done
fi
python3 "$here/gpu_bench.py" --programs "$programs" --work "${TMPDIR:-/tmp}/tamis_gpu" --out "$out" "$@" || failed="$failed benchmark"
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
